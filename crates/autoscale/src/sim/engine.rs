//! One replica: a batching engine in simulated time.
//!
//! In: requests and their arrival. Out: when each had its first token and its last, and the counters that an engine
//! exports. It must not know who scales it.
//!
//! The model is the reference's: a step lasts `a + b*B + g*K + c*p` (B decoding requests, K tokens of context among them,
//! p prompt tokens in the step, at most a chunk of them). Requests join between steps, first come first served, while there
//! is a free sequence and memory for their whole length (so nothing is ever preempted).

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

use super::{
    meters::{Engine, Meters},
    trace::Request,
};

/// What one request experienced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Seconds from arrival to the first token.
    pub ttft: f64,
    /// Mean seconds per output token after the first; 0 for a single token.
    pub per_token: f64,
}

#[derive(Clone, Copy, Debug)]
struct Queued {
    id: usize,
    request: Request,
    prompt_left: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Decoding {
    last_step: u64,
    id: usize,
    context_at_end: u32,
    output: u32,
}

/// A replica that serves.
#[derive(Clone, Debug)]
pub struct Replica {
    engine: Engine,
    /// End of the last step; may lie one step after the time asked for.
    now: f64,
    step: u64,
    waiting: VecDeque<Queued>,
    prefilling: VecDeque<Queued>,
    decoding: BinaryHeap<Reverse<Decoding>>,
    /// Tokens of context of decoding requests.
    context: f64,
    /// Tokens of cache that are promised to requests that were let in.
    promised: f64,
    first_tokens: std::collections::HashMap<usize, (f64, f64)>,
    meters: Meters,
}

impl Replica {
    /// An empty replica that begins to serve at a time.
    pub fn new(engine: Engine, now: f64) -> Self {
        Self {
            engine,
            now,
            step: 0,
            waiting: VecDeque::new(),
            prefilling: VecDeque::new(),
            decoding: BinaryHeap::new(),
            context: 0.0,
            promised: 0.0,
            first_tokens: std::collections::HashMap::new(),
            meters: Meters::new(),
        }
    }

    /// Requests inside, waiting or running.
    pub fn in_flight(&self) -> usize {
        self.waiting.len() + self.prefilling.len() + self.decoding.len()
    }

    /// Counters and gauges as of the last step.
    pub fn meters(&self) -> &Meters {
        &self.meters
    }

    /// Requests that an engine reports as running: part of their prompt is computed.
    pub fn running(&self) -> usize {
        self.in_flight() - self.waiting()
    }

    /// Requests that an engine reports as waiting: nothing of their prompt is computed.
    pub fn waiting(&self) -> usize {
        let untouched = |queued: &&Queued| queued.prompt_left == queued.request.prompt;
        self.waiting.len() + self.prefilling.iter().rev().take_while(untouched).count()
    }

    fn admitted(&self) -> usize {
        self.prefilling.len() + self.decoding.len()
    }

    /// Share of the cache that holds tokens, 0 to 1.
    pub fn cache_use(&self) -> f64 {
        let prompts: f64 = self
            .prefilling
            .iter()
            .map(|q| f64::from(q.request.prompt - q.prompt_left))
            .sum();
        ((self.context + prompts) / self.engine.cache_tokens).min(1.0)
    }

    /// Takes a request in. Requests that could never fit are taken as soon as the replica is empty.
    pub fn accept(&mut self, id: usize, request: Request, now: f64) {
        if self.in_flight() == 0 {
            self.now = self.now.max(now);
        }
        self.waiting.push_back(Queued {
            id,
            request,
            prompt_left: request.prompt,
        });
    }

    /// Runs all steps that begin before `until`; tells of every request that finishes.
    pub fn advance(&mut self, until: f64, done: &mut impl FnMut(usize, Outcome)) {
        while self.now < until {
            self.admit();
            if self.prefilling.is_empty() && self.decoding.is_empty() {
                self.now = until;
                return;
            }
            if self.prefilling.is_empty() {
                self.decode_only(until);
            } else {
                self.mixed_step();
            }
            self.finish(done);
        }
    }

    /// Lets waiting requests in while they fit.
    fn admit(&mut self) {
        while let Some(next) = self.waiting.front().copied() {
            let need = f64::from(next.request.prompt) + f64::from(next.request.output);
            let fits = self.promised + need <= self.engine.cache_tokens || self.admitted() == 0;
            if !fits || self.admitted() >= self.engine.max_sequences {
                return;
            }
            self.waiting.pop_front();
            self.promised += need;
            self.prefilling.push_back(next);
        }
    }

    /// As many decode steps as nothing changes in, at once; stops after the step in which `until` lies.
    fn decode_only(&mut self, until: f64) {
        let batch = crate::num::float(self.decoding.len());
        let last = self
            .decoding
            .peek()
            .map_or(self.step + 1, |Reverse(next)| next.last_step);
        let mut left = last.saturating_sub(self.step).max(1);
        while left > 0 && self.now < until {
            let seconds = self.engine.step_seconds(batch, self.context, 0.0);
            self.now += seconds;
            self.context += batch;
            self.step += 1;
            left -= 1;
            self.meters.decoded(batch, seconds);
        }
    }

    /// One step with prompt tokens in it.
    fn mixed_step(&mut self) {
        let batch = crate::num::float(self.decoding.len());
        let decoding = u32::try_from(self.decoding.len()).unwrap_or(u32::MAX);
        let mut budget = self.engine.chunk_tokens.saturating_sub(decoding).max(1);
        let mut prompt_tokens = 0u32;
        for queued in &mut self.prefilling {
            let taken = queued.prompt_left.min(budget);
            queued.prompt_left -= taken;
            budget -= taken;
            prompt_tokens += taken;
            if budget == 0 {
                break;
            }
        }
        let seconds = self
            .engine
            .step_seconds(batch, self.context, f64::from(prompt_tokens));
        self.now += seconds;
        self.context += batch;
        self.step += 1;
        self.meters.decoded(batch, seconds);
        self.meters.prompt_tokens += f64::from(prompt_tokens);
        while let Some(first) = self
            .prefilling
            .front()
            .copied()
            .filter(|queued| queued.prompt_left == 0)
        {
            self.prefilling.pop_front();
            self.first_token(first);
        }
    }

    /// A prompt is done: its step also made the first token.
    fn first_token(&mut self, queued: Queued) {
        let ttft = self.now - queued.request.at;
        self.meters.first_token(ttft);
        self.first_tokens.insert(queued.id, (ttft, self.now));
        let more = queued.request.output.saturating_sub(1);
        self.context += f64::from(queued.request.prompt) + 1.0;
        self.decoding.push(Reverse(Decoding {
            last_step: self.step + u64::from(more),
            id: queued.id,
            context_at_end: queued.request.prompt + queued.request.output,
            output: queued.request.output,
        }));
    }

    /// Takes out what has its last token.
    fn finish(&mut self, done: &mut impl FnMut(usize, Outcome)) {
        while let Some(Reverse(last)) = self
            .decoding
            .peek()
            .copied()
            .filter(|Reverse(d)| d.last_step <= self.step)
        {
            self.decoding.pop();
            let length = f64::from(last.context_at_end);
            self.context -= length;
            self.promised -= length;
            let (ttft, first_at) = self.first_tokens.remove(&last.id).unwrap_or((0.0, self.now));
            let more = f64::from(last.output.saturating_sub(1));
            let per_token = if more > 0.0 {
                (self.now - first_at) / more
            } else {
                0.0
            };
            self.meters.finished(per_token, more);
            done(last.id, Outcome { ttft, per_token });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::rng::Rng;

    fn run(rate: f64, seconds: f64) -> (f64, Vec<Outcome>) {
        let mut rng = Rng::new(3);
        let mut replica = Replica::new(Engine::default(), 0.0);
        let mut outcomes = Vec::new();
        let mut now = 0.0;
        let mut id = 0;
        while now < seconds {
            now += rng.exponential(rate);
            replica.advance(now, &mut |_, outcome| outcomes.push(outcome));
            replica.accept(
                id,
                Request {
                    at: now,
                    prompt: 1155,
                    output: 211,
                },
                now,
            );
            id += 1;
        }
        replica.advance(now + 1000.0, &mut |_, outcome| outcomes.push(outcome));
        assert_eq!(outcomes.len(), id, "every request is answered");
        assert!(
            replica.context.abs() < 1e-6 && replica.promised.abs() < 1e-6,
            "nothing is left behind"
        );
        let meters = replica.meters();
        (meters.inter_token.sum / meters.inter_token.count, outcomes)
    }

    #[test]
    fn a_lone_request_takes_the_unloaded_time() {
        let engine = Engine::default();
        let mut replica = Replica::new(engine, 0.0);
        replica.accept(
            0,
            Request {
                at: 5.0,
                prompt: 1000,
                output: 11,
            },
            5.0,
        );
        let mut outcome = None;
        replica.advance(100.0, &mut |_, o| outcome = Some(o));
        let outcome = outcome.unwrap();
        assert!((outcome.ttft - engine.step_seconds(0.0, 0.0, 1000.0)).abs() < 1e-9);
        assert!((outcome.per_token - engine.step_seconds(1.0, 1005.5, 0.0)).abs() < 1e-6);
    }

    /// The reference's check: `ITL(x) = a / (1 - x/x_max)` within 12 % up to 70 % load.
    #[test]
    fn the_closed_form_holds() {
        let engine = Engine::default();
        let beta = engine.per_request + engine.per_context_token * (1155.0 + 211.0 / 2.0);
        let x_max = 1.0 / (beta * 211.0 + engine.per_prompt_token * 1155.0);
        for load in [0.2, 0.5, 0.7] {
            let (mean, _) = run(load * x_max, 600.0);
            let expected = engine.base / (1.0 - load);
            assert!(
                (mean / expected - 1.0).abs() < 0.12,
                "load {load}: {mean} instead of {expected}"
            );
        }
    }

    #[test]
    fn more_than_it_can_hold_waits() {
        let engine = Engine {
            cache_tokens: 3000.0,
            ..Engine::default()
        };
        let mut replica = Replica::new(engine, 0.0);
        for id in 0..3 {
            replica.accept(
                id,
                Request {
                    at: 0.0,
                    prompt: 1000,
                    output: 200,
                },
                0.0,
            );
        }
        replica.advance(0.2, &mut |_, _| {});
        assert_eq!((replica.running(), replica.waiting()), (2, 1));
        assert!(replica.cache_use() > 0.6);
    }
}
