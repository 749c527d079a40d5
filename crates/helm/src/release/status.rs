//! The status words of Helm (`pkg/release/common/status.go`).

use std::fmt;

/// Status of one revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// A word that Helm 4 does not know, or `unknown`.
    Unknown,
    /// In the cluster. Several revisions can say so after Helm was killed; the latest is meant.
    Deployed,
    /// Uninstalled with its history kept.
    Uninstalled,
    /// A later one has taken its place.
    Superseded,
    /// It did not get into the cluster, or only in part.
    Failed,
    /// Being uninstalled, or left so by a killed Helm.
    Uninstalling,
    /// Being installed, or left so.
    PendingInstall,
    /// Being upgraded, or left so.
    PendingUpgrade,
    /// Being rolled back, or left so.
    PendingRollback,
}

impl Status {
    const ALL: [Self; 9] = [
        Self::Unknown,
        Self::Deployed,
        Self::Uninstalled,
        Self::Superseded,
        Self::Failed,
        Self::Uninstalling,
        Self::PendingInstall,
        Self::PendingUpgrade,
        Self::PendingRollback,
    ];

    /// From Helm's word.
    pub fn from_word(word: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == word)
            .unwrap_or(Self::Unknown)
    }

    /// Helm's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Deployed => "deployed",
            Self::Uninstalled => "uninstalled",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
            Self::Uninstalling => "uninstalling",
            Self::PendingInstall => "pending-install",
            Self::PendingUpgrade => "pending-upgrade",
            Self::PendingRollback => "pending-rollback",
        }
    }

    /// Whether Helm takes it as a lock: neither upgrade nor rollback get past it.
    pub const fn is_pending(self) -> bool {
        matches!(
            self,
            Self::PendingInstall | Self::PendingUpgrade | Self::PendingRollback
        )
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        for status in Status::ALL {
            assert_eq!(Status::from_word(status.as_str()), status);
        }
        assert_eq!(Status::from_word("brand-new"), Status::Unknown);
    }

    #[test]
    fn only_pending_ones_are_locks() {
        let pending: Vec<_> = Status::ALL
            .into_iter()
            .filter(|status| status.is_pending())
            .collect();
        assert_eq!(
            pending,
            [
                Status::PendingInstall,
                Status::PendingUpgrade,
                Status::PendingRollback
            ]
        );
    }
}
