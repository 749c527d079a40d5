//! Answers about tokens, remembered for some seconds and up to a bound.
//!
//! In: tokens and what the cluster said of them. Out: the same again. Tokens themselves are not kept, only their digests.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::reader::Verdict;

/// As long as API servers remember what their webhooks said, for both answers.
pub(super) const REMEMBERED: Duration = Duration::from_secs(10);
/// Tokens remembered: scrapers are a handful, and whoever tries others gets no more room than this.
const TOKENS: usize = 256;

/// What stands for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct TokenDigest([u8; 32]);

impl TokenDigest {
    pub(super) fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }
}

/// What was said, and until when it counts.
#[derive(Default)]
pub(super) struct Remembered(Mutex<HashMap<TokenDigest, (Verdict, Instant)>>);

impl Remembered {
    pub(super) fn recall(&self, token: TokenDigest, now: Instant) -> Option<Verdict> {
        let answers = self.0.lock();
        let (verdict, until) = answers.get(&token)?;
        (*until > now).then(|| verdict.clone())
    }

    pub(super) fn keep(&self, token: TokenDigest, verdict: Verdict, asked: Instant) {
        let mut answers = self.0.lock();
        if answers.len() >= TOKENS {
            answers.retain(|_, (_, until)| *until > asked);
        }
        if answers.len() >= TOKENS {
            answers.clear();
        }
        answers.insert(token, (verdict, asked + REMEMBERED));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_remembered_for_a_while_and_up_to_a_bound() {
        let remembered = Remembered::default();
        let start = Instant::now();
        let digest = |number: usize| TokenDigest::of(&number.to_string());
        remembered.keep(digest(0), Verdict::Allowed, start);
        assert_eq!(remembered.recall(digest(0), start), Some(Verdict::Allowed));
        assert_eq!(remembered.recall(digest(1), start), None);
        assert_eq!(remembered.recall(digest(0), start + REMEMBERED), None);
        for number in 0..3 * TOKENS {
            remembered.keep(digest(number), Verdict::Allowed, start);
            assert!(remembered.0.lock().len() <= TOKENS);
        }
        assert!(remembered.recall(digest(3 * TOKENS - 1), start).is_some());
    }
}
