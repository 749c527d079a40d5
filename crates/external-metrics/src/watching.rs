//! One object, watched.
//!
//! In: an API and a name. Out: a channel with the object as it was seen last. It ends with its stop token.

use std::fmt::Debug;
use std::sync::Arc;

use futures::StreamExt;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

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

/// Watches the object. After a failure that is no refusal what was seen last stays.
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
    let stream = watcher::watch_object(api, name).default_backoff();
    tokio::spawn(async move {
        let mut stream = std::pin::pin!(stream.take_until(stop.cancelled_owned()));
        while let Some(event) = stream.next().await {
            let seen = match event {
                Ok(Some(object)) => Seen::There(Arc::new(object)),
                Ok(None) => Seen::Absent,
                Err(error) => {
                    let Some(message) = refusal(&error) else {
                        tracing::debug!("{what}: the watch is begun again: {error}");
                        continue;
                    };
                    Seen::Refused(format!("{what} cannot be watched: {message}"))
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
