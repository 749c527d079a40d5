//! The reasons that an `Llmd` gives. In: nothing. Out: a closed list with meaning and way out, which is part of
//! `docs/conditions.md`.

/// Why an `Llmd` is as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The releases are as asked for.
    Provisioned,
    /// No chart is enabled, and none is deployed.
    NothingEnabled,
    /// Something is under way.
    Progressing,
    /// A field, or what it refers to, cannot be used.
    InvalidSpec,
    /// A chart cannot be fetched.
    ChartUnavailable,
    /// Values do not fit a chart.
    ValuesRefused,
    /// A chart cannot be rendered.
    ChartBroken,
    /// A release of that name is somebody else's.
    ReleaseTaken,
    /// A step has failed, and is tried again.
    StepFailed,
    /// A step has failed for the last time.
    RetriesExhausted,
    /// The namespace is being deleted.
    NamespaceTerminating,
    /// Helm cannot be started.
    HelmUnavailable,
    /// What Helm has recorded cannot be read.
    RecordUnreadable,
    /// The API server does not answer, or refuses.
    ApiUnavailable,
    /// The cluster knows all kinds.
    KindsServed,
    /// The cluster does not know some kinds.
    KindsMissing,
    /// The charts are not rendered yet.
    NotRendered,
    /// All workloads serve.
    DeploymentsReady,
    /// Some do not.
    DeploymentsNotReady,
    /// The workloads are not known yet.
    NotListed,
    /// All is well.
    Ready,
    /// It is being deleted.
    Terminating,
}

impl Reason {
    /// The word itself.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provisioned => "Provisioned",
            Self::NothingEnabled => "NothingEnabled",
            Self::Progressing => "Progressing",
            Self::InvalidSpec => "InvalidSpec",
            Self::ChartUnavailable => "ChartUnavailable",
            Self::ValuesRefused => "ValuesRefused",
            Self::ChartBroken => "ChartBroken",
            Self::ReleaseTaken => "ReleaseTaken",
            Self::StepFailed => "StepFailed",
            Self::RetriesExhausted => "RetriesExhausted",
            Self::NamespaceTerminating => "NamespaceTerminating",
            Self::HelmUnavailable => "HelmUnavailable",
            Self::RecordUnreadable => "RecordUnreadable",
            Self::ApiUnavailable => "ApiUnavailable",
            Self::KindsServed => "KindsServed",
            Self::KindsMissing => "KindsMissing",
            Self::NotRendered => "NotRendered",
            Self::DeploymentsReady => "DeploymentsReady",
            Self::DeploymentsNotReady => "DeploymentsNotReady",
            Self::NotListed => "NotListed",
            Self::Ready => "Ready",
            Self::Terminating => "Terminating",
        }
    }
}

const TABLE: [(&str, Reason, &str, &str); 23] = [
    (
        "ProvisioningSucceeded",
        Reason::Provisioned,
        "Every release is as asked for, and so are its objects.",
        "Nothing to do.",
    ),
    (
        "ProvisioningSucceeded",
        Reason::NothingEnabled,
        "No chart is enabled, and no release is left.",
        "Set `enabled: true` on a chart.",
    ),
    (
        "ProvisioningSucceeded",
        Reason::Progressing,
        "A chart is being fetched, or Helm is at work; the message says which and since when.",
        "Wait.",
    ),
    (
        "ProvisioningSucceeded",
        Reason::InvalidSpec,
        "A field, or the ConfigMap or Secret that it names, cannot be used. Nothing is touched.",
        "Edit what the message names.",
    ),
    (
        "ProvisioningSucceeded",
        Reason::ChartUnavailable,
        "A chart or its version does not exist, or its repository does not answer or asks for credentials. Nothing is touched.",
        "Correct version, repository or its Secret; it is tried again by itself.",
    ),
    (
        "ProvisioningSucceeded",
        Reason::ValuesRefused,
        "The values do not fit the chart's schema. Nothing is touched.",
        "Correct the values that the message names.",
    ),
    (
        "ProvisioningSucceeded",
        Reason::ChartBroken,
        "The chart cannot be rendered with these values. Nothing is touched.",
        "The message is the chart's own; correct the values, or choose another version.",
    ),
    (
        "ProvisioningSucceeded",
        Reason::ReleaseTaken,
        "A release of that name exists that this operator did not make. It is left alone.",
        "Uninstall it, or hand it over with the command in the message.",
    ),
    (
        "ProvisioningSucceeded",
        Reason::StepFailed,
        "An installation, upgrade, rollback or uninstallation has failed; the message has the chart's own error and when it is tried again.",
        "Correct what the error names, or wait.",
    ),
    (
        "ProvisioningSucceeded",
        Reason::RetriesExhausted,
        "The last try has failed. What ran before runs on.",
        "Correct what the error names; a changed spec starts anew, and so does another value of the annotation `llm-operator.io/retry`.",
    ),
    (
        "ProvisioningSucceeded",
        Reason::NamespaceTerminating,
        "The namespace of the releases is being deleted.",
        "Wait, or choose another `spec.namespace`.",
    ),
    (
        "ProvisioningSucceeded",
        Reason::HelmUnavailable,
        "The Helm CLI cannot be started.",
        "Use the operator's image, which has it, or start the operator with `--helm`.",
    ),
    (
        "ProvisioningSucceeded",
        Reason::RecordUnreadable,
        "A Secret in which Helm keeps a release cannot be read. Nothing is touched.",
        "Delete the Secret that the message names, or restore it.",
    ),
    (
        "ProvisioningSucceeded",
        Reason::ApiUnavailable,
        "The API server does not answer, or the operator lacks a right.",
        "Wait, or grant the right that the message names: `config/rbac/charts_role.yaml` has all of them.",
    ),
    (
        "DependenciesAvailable",
        Reason::KindsServed,
        "The cluster knows every kind that the charts use.",
        "Nothing to do.",
    ),
    (
        "DependenciesAvailable",
        Reason::KindsMissing,
        "The cluster does not know some kinds; their charts wait, the others are deployed.",
        "Install what the message names; it goes on by itself.",
    ),
    (
        "DependenciesAvailable",
        Reason::NotRendered,
        "Not known before the charts are fetched and rendered.",
        "See `ProvisioningSucceeded`.",
    ),
    (
        "DeploymentsAvailable",
        Reason::DeploymentsReady,
        "All replicas that are asked for are ready; a workload of none counts as ready.",
        "Nothing to do.",
    ),
    (
        "DeploymentsAvailable",
        Reason::DeploymentsNotReady,
        "Replicas are missing; the message names the workloads and what keeps their Pods.",
        "See the message.",
    ),
    (
        "DeploymentsAvailable",
        Reason::NotListed,
        "The workloads are not known yet.",
        "Wait.",
    ),
    (
        "Ready",
        Reason::Ready,
        "Everything that is asked for is deployed and serves.",
        "Nothing to do.",
    ),
    (
        "Ready",
        Reason::Terminating,
        "It is being deleted; it goes when its releases are uninstalled.",
        "Wait; the message says what is being removed.",
    ),
    (
        "Stalled",
        Reason::RetriesExhausted,
        "As above; the condition is absent otherwise.",
        "As above.",
    ),
];

/// The part of `docs/conditions.md` about `Llmd`.
pub fn markdown() -> String {
    let about = "\n## Llmd\n\n\
         `Ready` has the reason of whatever keeps it from being ready.\n\n";
    let rows =
        TABLE.map(|(condition, reason, meaning, way_out)| (condition, reason.as_str(), meaning, way_out));
    about.to_owned() + &crate::reason::table(rows)
}
