//! One object, watched.
//!
//! In: an API and a name. Out: a channel with the object as it was seen last. It ends with its stop token.
//!
//! An API server that has just started does not know its roles yet and refuses for a moment what it allows. So what was seen is
//! not forgotten for a refusal, before it has lasted.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::DefaultBackoff;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Longest time between attempts: a few watches of one object each burden nobody, and after an outage of the API server
/// autoscalers wait for what is seen here.
const LONGEST: Duration = Duration::from_secs(10);
/// A refusal that has lasted so long is meant. API servers know their roles some seconds after their start.
const MEANT: Duration = Duration::from_secs(45);

/// What is known of an object.
#[derive(Clone, Debug)]
pub(crate) enum Seen<K> {
    /// Nothing yet.
    Unknown,
    /// It does not exist.
    Absent,
    /// It is this.
    There(Arc<K>),
    /// It may not be read: why.
    Refused(String),
}

impl<K: ResourceExt> Seen<K> {
    /// The object, if there is one.
    pub(crate) fn object(&self) -> Option<&K> {
        match self {
            Self::There(object) => Some(object),
            _ => None,
        }
    }

    fn is_known(&self) -> bool {
        matches!(self, Self::There(_) | Self::Absent)
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Unknown, Self::Unknown) | (Self::Absent, Self::Absent) => true,
            (Self::There(one), Self::There(other)) => {
                (one.uid(), one.resource_version()) == (other.uid(), other.resource_version())
            }
            (Self::Refused(one), Self::Refused(other)) => one == other,
            _ => false,
        }
    }
}

/// Watches the object. After a failure that is no refusal, and for a while after a refusal, what was seen last stays.
pub(crate) fn watch_one<K>(
    api: Api<K>,
    what: &'static str,
    name: &str,
    stop: CancellationToken,
) -> watch::Receiver<Seen<K>>
where
    K: Resource + ResourceExt + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let (sender, receiver) = watch::channel(Seen::Unknown);
    let stream = watcher::watch_object(api, name).backoff(Bounded::default());
    tokio::spawn(async move {
        let mut stream = std::pin::pin!(stream.take_until(stop.cancelled_owned()));
        let mut refusals = Refusals::default();
        while let Some(event) = stream.next().await {
            let refused = event.as_ref().err().and_then(refusal);
            let meant = refusals.is_meant(refused.is_some(), Instant::now());
            let seen = match (event, refused) {
                (Ok(Some(object)), _) => Seen::There(Arc::new(object)),
                (Ok(None), _) => Seen::Absent,
                (Err(_), Some(message)) if meant || !sender.borrow().is_known() => {
                    Seen::Refused(format!("{what} cannot be watched: {message}"))
                }
                (Err(error), _) => {
                    tracing::debug!("{what}: the watch is begun again: {error}");
                    continue;
                }
            };
            sender.send_if_modified(|last| {
                let differs = !last.is_same(&seen);
                if differs {
                    *last = seen;
                }
                differs
            });
        }
    });
    receiver
}

/// The usual pauses, up to [`LONGEST`].
#[derive(Default)]
struct Bounded(DefaultBackoff);

impl Iterator for Bounded {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0.next().map(|pause| pause.min(LONGEST))
    }
}

impl Backoff for Bounded {
    fn reset(&mut self) {
        self.0.reset();
    }
}

/// How long a watch has been refused without anything else in between.
#[derive(Default)]
struct Refusals {
    since: Option<Instant>,
}

impl Refusals {
    /// Whether refusals have lasted, with this one; what is none ends them.
    fn is_meant(&mut self, refused: bool, now: Instant) -> bool {
        if !refused {
            self.since = None;
            return false;
        }
        now.duration_since(*self.since.get_or_insert(now)) >= MEANT
    }
}

/// The API server's words when it is a right that is missing.
fn refusal(error: &watcher::Error) -> Option<String> {
    let (watcher::Error::InitialListFailed(kube::Error::Api(status))
    | watcher::Error::WatchStartFailed(kube::Error::Api(status))
    | watcher::Error::WatchError(status)) = error
    else {
        return None;
    };
    (status.code == 403).then(|| status.message.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_meant_when_it_lasts() {
        let (mut refusals, start) = (Refusals::default(), Instant::now());
        assert!(!refusals.is_meant(true, start));
        assert!(!refusals.is_meant(true, start + MEANT / 2));
        assert!(refusals.is_meant(true, start + MEANT));
        assert!(!refusals.is_meant(false, start + MEANT));
        assert!(!refusals.is_meant(true, start + 2 * MEANT), "it begins anew");
        assert!(refusals.is_meant(true, start + 3 * MEANT));
    }
}
