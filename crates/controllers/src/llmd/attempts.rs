//! What was tried, between the status, which outlives us, and crate `helm`, which decides by it.

use api::opendatahub_io::components::v1alpha1::ReleaseAttempts;
use helm::Attempts;

/// From the status. What cannot be read counts as nothing tried.
pub fn read(stored: Option<&ReleaseAttempts>) -> Attempts {
    let value = stored.and_then(|stored| serde_json::to_value(stored).ok());
    value
        .and_then(|value| serde_json::from_value(value).ok())
        .unwrap_or_default()
}

/// For the status; nothing where nothing was tried.
pub fn stored(attempts: &Attempts) -> Option<ReleaseAttempts> {
    if *attempts == Attempts::default() {
        return None;
    }
    let value = serde_json::to_value(attempts).ok()?;
    serde_json::from_value(value).ok()
}

#[cfg(test)]
mod tests {
    use helm::{Action, Applied, Ended, Started};

    use super::*;

    #[test]
    fn what_is_stored_is_read_again() {
        let attempts = Attempts {
            digest: "d".to_owned(),
            generation: 3,
            retry: Some("1".to_owned()),
            failures: 2,
            remedy_failures: 1,
            interruptions: 4,
            hopeless: true,
            last_failure: Some("2026-01-02T03:04:05.678Z".parse().unwrap()),
            message: Some("no".to_owned()),
            started: Some(Started {
                action: Action::Upgrade,
                revision: 4,
                digest: "e".to_owned(),
                ended: Some(Ended::Failed),
            }),
            applied: Some(Applied {
                digest: "f".to_owned(),
                revision: 3,
                uid: "u".to_owned(),
            }),
        };
        assert_eq!(read(stored(&attempts).as_ref()), attempts);
        assert_eq!(stored(&Attempts::default()), None);
        assert_eq!(read(None), Attempts::default());
    }
}
