//! Waiting for a condition.
//!
//! In: what is waited for, a limit, a closure that looks. Out: what the closure found, or an error that tells what it
//! saw last.

use std::fmt::{self, Debug, Display};
use std::time::{Duration, Instant};

/// How long between two looks.
const POLL: Duration = Duration::from_millis(20);

/// The condition did not come about in time.
#[derive(thiserror::Error, Clone)]
#[error("waited {:.1} s for {what}; last seen: {last}", waited.as_secs_f64())]
pub struct TimedOut {
    what: String,
    waited: Duration,
    last: String,
}

impl Debug for TimedOut {
    /// The same words as [`Display`]: `unwrap` in a test shows them.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, formatter)
    }
}

/// What a look may return: the value, or not yet.
pub trait Observation {
    /// What is waited for.
    type Value;

    /// The value, or the words for what was seen instead.
    fn into_result(self) -> Result<Self::Value, String>;
}

impl<T> Observation for Option<T> {
    type Value = T;

    fn into_result(self) -> Result<T, String> {
        self.ok_or_else(|| "nothing".to_owned())
    }
}

impl<T, E: Display> Observation for Result<T, E> {
    type Value = T;

    fn into_result(self) -> Result<T, String> {
        self.map_err(|error| error.to_string())
    }
}

/// Looks every 20 ms until `observe` finds a value. `Err` of a look means "not yet" and is shown when time runs out;
/// one that does not return within the limit is cut off.
pub async fn until<O: Observation>(
    what: impl Into<String>,
    limit: Duration,
    mut observe: impl AsyncFnMut() -> O,
) -> Result<O::Value, TimedOut> {
    let start = Instant::now();
    let mut last = "nothing, the first look did not return".to_owned();
    loop {
        let remaining = limit.saturating_sub(start.elapsed());
        match tokio::time::timeout(remaining, observe())
            .await
            .map(Observation::into_result)
        {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(seen)) => last = seen,
            Err(_) => {}
        }
        if start.elapsed() >= limit {
            return Err(TimedOut {
                what: what.into(),
                waited: start.elapsed(),
                last,
            });
        }
        tokio::time::sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::until;
    use std::time::Duration;

    #[tokio::test]
    async fn returns_what_was_found() {
        let mut looks = 0;
        let found = until("three looks", Duration::from_secs(5), async || {
            looks += 1;
            (looks == 3).then_some(looks)
        });
        assert_eq!(found.await.unwrap(), 3);
    }

    #[tokio::test]
    async fn tells_what_was_seen_last() {
        let error = until("a Pod", Duration::from_millis(50), async || {
            Err::<(), _>("0 of 1 ready")
        })
        .await
        .unwrap_err();
        assert!(
            error.to_string().ends_with("for a Pod; last seen: 0 of 1 ready"),
            "{error}"
        );
        let error = until("an answer", Duration::from_millis(50), async || {
            std::future::pending::<Option<()>>().await
        });
        assert!(error.await.unwrap_err().to_string().contains("did not return"));
    }
}
