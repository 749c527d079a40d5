//! May we take this lease? In: what was read, and our own monotonic time. Out: take it, or wait how long. Pure.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use tokio::time::Instant;

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Write our name into it.
    Take,
    /// Somebody may still lead; look again after this time at the latest.
    Wait(Duration),
}

/// Remembers since when a foreign lease has not changed.
#[derive(Debug, Default)]
pub(super) struct Observer {
    seen: Option<Seen>,
}

#[derive(Debug)]
struct Seen {
    version: String,
    holder: String,
    since: Instant,
}

impl Observer {
    /// Takes in the lease as just read; `now` is our own clock.
    pub(super) fn observe(&mut self, lease: Option<&Lease>, me: &str, now: Instant) -> Step {
        let Some(lease) = lease else { return Step::Take };
        let holder = holder(lease).unwrap_or_default();
        if holder.is_empty() || holder == me {
            return Step::Take;
        }
        let version = lease.metadata.resource_version.as_deref().unwrap_or_default();
        let since = match &self.seen {
            Some(seen) if seen.version == version => seen.since,
            _ => {
                self.seen = Some(Seen {
                    version: version.to_owned(),
                    holder: holder.to_owned(),
                    since: now,
                });
                now
            }
        };
        let seconds = lease
            .spec
            .as_ref()
            .and_then(|spec| spec.lease_duration_seconds)
            .unwrap_or(15);
        let duration = Duration::from_secs(u64::try_from(seconds).unwrap_or(15));
        let left = (since + duration).saturating_duration_since(now);
        if left.is_zero() {
            Step::Take
        } else {
            Step::Wait(left)
        }
    }

    /// The other process that held the lease when it was last read.
    pub(super) fn holder(&self) -> Option<&str> {
        self.seen.as_ref().map(|seen| seen.holder.as_str())
    }
}

/// A duration as a Lease states it. Rounded up: a leader that relies on more than the others grant it is one too many.
pub(super) fn whole_seconds(duration: Duration) -> i32 {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i32::try_from(seconds.max(1)).unwrap_or(i32::MAX)
}

/// Who holds `lease`.
pub(super) fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{api::coordination::v1::LeaseSpec, apimachinery::pkg::apis::meta::v1::ObjectMeta};

    use super::*;

    fn lease(holder: &str, version: u32) -> Lease {
        Lease {
            metadata: ObjectMeta {
                resource_version: Some(version.to_string()),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(holder.into()),
                lease_duration_seconds: Some(15),
                ..LeaseSpec::default()
            }),
        }
    }

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_free_missing_or_own_lease_is_taken_at_once() {
        let (mut observer, now) = (Observer::default(), Instant::now());
        assert_eq!(observer.observe(None, "me", now), Step::Take);
        assert_eq!(observer.observe(Some(&lease("", 1)), "me", now), Step::Take);
        assert_eq!(observer.observe(Some(&lease("me", 2)), "me", now), Step::Take);
    }

    #[test]
    fn a_foreign_lease_is_taken_only_after_it_stood_still_for_its_duration() {
        let (mut observer, now) = (Observer::default(), Instant::now());
        assert_eq!(
            observer.observe(Some(&lease("other", 1)), "me", now),
            Step::Wait(s(15))
        );
        assert_eq!(
            observer.observe(Some(&lease("other", 1)), "me", now + s(10)),
            Step::Wait(s(5))
        );
        assert_eq!(
            observer.observe(Some(&lease("other", 2)), "me", now + s(14)),
            Step::Wait(s(15)),
            "renewed"
        );
        assert_eq!(
            observer.observe(Some(&lease("other", 2)), "me", now + s(28)),
            Step::Wait(s(1))
        );
        assert_eq!(
            observer.observe(Some(&lease("other", 2)), "me", now + s(29)),
            Step::Take
        );
        assert_eq!(observer.holder(), Some("other"));
    }

    #[test]
    fn a_lease_is_never_stated_shorter_than_its_leader_takes_it_for() {
        assert_eq!(whole_seconds(Duration::from_millis(1_500)), 2);
        assert_eq!(whole_seconds(s(15)), 15);
        assert_eq!(whole_seconds(Duration::from_millis(10)), 1);
    }
}
