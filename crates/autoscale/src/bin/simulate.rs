//! Replays request traces under scaling policies (`simulate --help`).

use std::{error::Error, fs, path::PathBuf, process::ExitCode};

use autoscale::sim::{
    Engine, Shape, Workload,
    cluster::{Router, Setup},
    contest::{Contender, Contest, Entry},
    report,
    score::Goal,
    trace,
};
use clap::{Parser, ValueEnum};

/// Replays a request trace against a model of batching engines, scaled by the operator's own code and by other policies.
///
/// For each start-up time it prints how many requests were within both targets, what that cost in GPU-hours (loading and
/// draining included), and the ratio to a clairvoyant that knows all arrivals and pays real start-ups. All policies begin with
/// the clairvoyant's mean number of replicas, see the same scrapes (every 5 s) and are acted on every 15 s.
///
/// Example: simulate azure-llm-2023-conv.csv --copies 40 --day 3500 --curve --svg plots
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Trace: .csv (Azure, Vidur, `BurstGPT`, or `seconds,prompt_tokens,output_tokens`) or .jsonl (Mooncake, `AIBrix`).
    trace: PathBuf,
    /// Copies of the trace laid over each other, each shifted in time and wrapped around.
    #[arg(long, default_value_t = 20)]
    copies: u32,
    /// Most seconds by which copies are shifted; small values keep bursts together. Without it: anywhere in the trace.
    #[arg(long)]
    spread: Option<f64>,
    /// How often the trace runs, one after the other.
    #[arg(long, default_value_t = 1)]
    repeat: u32,
    /// Length of a simulated day in seconds: traffic is thinned out by a cosine, lowest at the beginning. Without it: no days.
    #[arg(long)]
    day: Option<f64>,
    /// Share of the traffic that is left at night.
    #[arg(long, default_value_t = 0.25)]
    night: f64,
    /// Target for the time to first token, in seconds.
    #[arg(long, default_value_t = 1.0)]
    ttft: f64,
    /// Target for a request's mean time per output token, in milliseconds.
    #[arg(long, default_value_t = 50.0)]
    per_token: f64,
    /// Start-up times of a replica, in seconds.
    #[arg(long, value_delimiter = ',', default_value = "20,60,240")]
    startup: Vec<f64>,
    /// Share of requests that must be within both targets. Without it: 0.99, and 0.97 for start-ups above two minutes.
    #[arg(long)]
    attainment: Option<f64>,
    /// What our estimator's expectations are multiplied by at first: step times and start-up time.
    #[arg(long, value_delimiter = ',', default_value = "0.7,1.3")]
    wrong: Vec<f64>,
    /// Our knob, for a single run of ours: how often the rate may exceed what is prepared for.
    #[arg(long)]
    risk: Option<f64>,
    /// Model and GPU.
    #[arg(long, value_enum, default_value_t = Model::Llama8bH100)]
    model: Model,
    /// Who gets the next request.
    #[arg(long, value_enum, default_value_t = Routing::Least)]
    router: Routing,
    /// Most replicas; also never more than three times the clairvoyant's peak.
    #[arg(long, default_value_t = 1000)]
    max: u32,
    /// Also turn every policy's knob and compare the curves of attainment over cost.
    #[arg(long)]
    curve: bool,
    /// Also search the best policy that sees the past only, its parameters chosen in hindsight (minutes).
    #[arg(long)]
    causal: bool,
    /// Folder to write plots to: replicas over time, and with --curve attainment over cost.
    #[arg(long)]
    svg: Option<PathBuf>,
    /// Seed of shifts, thinning, start-up times and routing.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Model {
    /// Llama-3.1-8B on one H100.
    Llama8bH100,
    /// Llama-3.1-8B on one A100-80GB.
    Llama8bA100,
    /// Llama-3.1-8B on one L40S.
    Llama8bL40s,
    /// Llama-3.1-70B on four H100.
    Llama70bH100x4,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Routing {
    /// The replica with the fewest requests inside.
    Least,
    /// The better of two at random.
    TwoChoices,
    /// Any, as a Kubernetes Service does.
    Random,
}

impl Model {
    /// The reference table's line, the cache that its memory leaves at vLLM's default, and the GPUs of a replica.
    fn engine(self) -> (Engine, u32) {
        let line = |base: f64, context: f64, prompt: f64, cache_tokens: f64| Engine {
            base: base * 1e-3,
            per_context_token: context * 1e-6,
            per_prompt_token: prompt * 1e-6,
            cache_tokens,
            ..Engine::default()
        };
        match self {
            Self::Llama8bH100 => (Engine::default(), 1),
            Self::Llama8bA100 => (line(11.2, 0.125, 127.0, 420_900.0), 1),
            Self::Llama8bL40s => (line(24.8, 0.295, 130.0, 190_000.0), 1),
            Self::Llama70bH100x4 => (line(16.8, 0.048, 78.0, 436_000.0), 4),
        }
    }
}

fn main() -> ExitCode {
    match simulate(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("simulate: {error}");
            ExitCode::FAILURE
        }
    }
}

fn simulate(args: &Args) -> Result<(), Box<dyn Error>> {
    let requests = trace::read(&args.trace)?;
    let shape = Shape {
        copies: args.copies,
        spread: args.spread.unwrap_or(f64::INFINITY),
        repeat: args.repeat,
        day: args.day,
        night: args.night,
        seed: args.seed,
    };
    let workload = Workload::new(&requests, &shape);
    let (prompt, output) = workload.mean_lengths();
    println!(
        "{} requests in {:.0} s, {prompt:.0} prompt and {output:.0} output tokens on average; targets: TTFT {} s, {} ms per output token\n",
        workload.requests.len(),
        workload.seconds,
        args.ttft,
        args.per_token
    );
    if let Some(folder) = &args.svg {
        fs::create_dir_all(folder)?;
    }
    for startup in &args.startup {
        for wrong in &args.wrong {
            contest(args, &workload, *startup, *wrong)?;
        }
    }
    Ok(())
}

fn contest(args: &Args, workload: &Workload, startup: f64, wrong: f64) -> Result<(), Box<dyn Error>> {
    let (engine, gpus) = args.model.engine();
    let setup = Setup {
        engine,
        gpus,
        startup,
        scrape_every: 5.0,
        initial: 1,
        max: args.max,
        router: match args.router {
            Routing::Least => Router::Least,
            Routing::TwoChoices => Router::TwoChoices,
            Routing::Random => Router::Random,
        },
        seed: args.seed,
    };
    let goal = Goal {
        ttft: args.ttft,
        per_token: args.per_token / 1000.0,
        attainment: args
            .attainment
            .unwrap_or(if startup > 120.0 { 0.97 } else { 0.99 }),
    };
    println!(
        "## start-up {startup} s, estimator begins at {wrong} of the truth, goal {} %\n",
        100.0 * goal.attainment
    );
    let Some(contest) = Contest::new(workload, &setup, &goal, wrong) else {
        println!(
            "No schedule reaches the goal, not even the clairvoyant's: longest prompts or a single step take longer than the targets. Raise --ttft or --per-token.\n"
        );
        return Ok(());
    };
    let entries: Vec<Entry> = match args.risk {
        Some(risk) => vec![contest.enter(Contender::Ours, risk)],
        None => Contender::ALL.map(|contender| contest.usual(contender)).to_vec(),
    };
    println!("{}", report::table(&contest, &entries));
    if args.causal {
        println!("{}\n", report::causal(&contest, contest.causal().as_ref()));
    }
    let name = |what: &str| format!("{what}-{startup:.0}s-{wrong}.svg");
    if let Some(folder) = &args.svg {
        let title = format!("Replicas over time, start-up {startup} s");
        fs::write(
            folder.join(name("replicas")),
            report::replicas_svg(&title, &contest, &entries),
        )?;
    }
    if args.curve {
        let curves: Vec<Entry> = Contender::ALL
            .iter()
            .flat_map(|contender| contest.curve(*contender))
            .collect();
        println!("Every knob:\n\n{}", report::table(&contest, &curves));
        let (ours, others): (Vec<Entry>, Vec<Entry>) = curves
            .iter()
            .cloned()
            .partition(|entry| entry.contender == Contender::Ours);
        for verdict in report::verdicts(&ours, &others, 0.9) {
            let (lead, at) = (100.0 * verdict.lead, verdict.at);
            let name = verdict.contender.name();
            if lead > 0.0 {
                println!("{name}: up to {lead:.2} points above our curve, at {at:.2} GPU-hours");
            } else {
                println!(
                    "{name}: below our curve everywhere, by at least {:.2} points",
                    -lead
                );
            }
        }
        println!();
        if let Some(folder) = &args.svg {
            let title = format!("Attainment over cost, start-up {startup} s");
            fs::write(
                folder.join(name("curve")),
                report::curve_svg(&title, &contest, &curves),
            )?;
        }
    }
    Ok(())
}
