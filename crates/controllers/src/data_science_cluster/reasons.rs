//! The reasons that a `DataScienceCluster` gives. In: nothing. Out: a closed list with meaning and way out, which is part of
//! `docs/conditions.md`.

/// Why the component is as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It is not asked for.
    Removed,
    /// It is on its way out.
    Deleting,
    /// The `Llmd` is new or changed.
    NotObserved,
    /// An `Llmd` is somebody else's.
    LlmdTaken,
    /// Another cluster was there before.
    NotTheFirst,
    /// A word that is not known.
    UnknownManagementState,
    /// The block cannot be read.
    InvalidSpec,
    /// `Llmd`s cannot be watched.
    LlmdsUnknown,
    /// The `Llmd` is as asked for.
    Provisioned,
    /// It is not, and cannot be made so.
    Error,
    /// A component is not ready.
    NotReady,
    /// No component is asked for.
    NoManagedComponents,
    /// All is well.
    Ready,
}

impl Reason {
    /// The word itself.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Removed => "Removed",
            Self::Deleting => "Deleting",
            Self::NotObserved => "NotObserved",
            Self::LlmdTaken => "LlmdTaken",
            Self::NotTheFirst => "NotTheFirst",
            Self::UnknownManagementState => "UnknownManagementState",
            Self::InvalidSpec => "InvalidSpec",
            Self::LlmdsUnknown => "LlmdsUnknown",
            Self::Provisioned => "Provisioned",
            Self::Error => "Error",
            Self::NotReady => "NotReady",
            Self::NoManagedComponents => "NoManagedComponents",
            Self::Ready => "Ready",
        }
    }
}

const TABLE: [(&str, Reason, &str, &str); 14] = [
    (
        "LlmdReady",
        Reason::Removed,
        "The component is not asked for and not deployed.",
        "Nothing to do; `managementState: Managed` deploys it.",
    ),
    (
        "LlmdReady",
        Reason::Deleting,
        "The component is being removed; its `Llmd` goes when its releases are uninstalled.",
        "Wait; the message has what the `Llmd` says.",
    ),
    (
        "LlmdReady",
        Reason::NotObserved,
        "The `Llmd` has just been made or changed.",
        "Wait.",
    ),
    (
        "LlmdReady",
        Reason::LlmdTaken,
        "There is an `Llmd` that this cluster did not make. It is left alone.",
        "Delete it, or hand it over with the command in the message.",
    ),
    (
        "LlmdReady",
        Reason::NotTheFirst,
        "Another `DataScienceCluster` was there before; it keeps the component.",
        "Keep one of the two.",
    ),
    (
        "LlmdReady",
        Reason::UnknownManagementState,
        "`managementState` is neither `Managed` nor `Removed`. Nothing is touched.",
        "Use one of the two.",
    ),
    (
        "LlmdReady",
        Reason::InvalidSpec,
        "`spec.components.llmd` cannot be read. Nothing is touched.",
        "Correct the field that the message names.",
    ),
    (
        "LlmdReady",
        Reason::LlmdsUnknown,
        "`Llmd`s cannot be watched: their definition or a right is missing.",
        "Install the definitions (`llm-operator crds`), or grant the right.",
    ),
    (
        "ProvisioningSucceeded",
        Reason::Provisioned,
        "The `Llmd` is as asked for, or gone.",
        "Nothing to do.",
    ),
    (
        "ProvisioningSucceeded",
        Reason::Error,
        "The `Llmd` cannot be made as asked for.",
        "`LlmdReady` has the cause.",
    ),
    (
        "ComponentsReady",
        Reason::Ready,
        "The component is ready.",
        "Nothing to do.",
    ),
    (
        "ComponentsReady",
        Reason::NotReady,
        "The component is not ready, or not yet removed.",
        "`LlmdReady` has the cause.",
    ),
    (
        "ComponentsReady",
        Reason::NoManagedComponents,
        "No component is asked for.",
        "Nothing to do.",
    ),
    (
        "Ready",
        Reason::Ready,
        "`ProvisioningSucceeded` and `ComponentsReady` hold.",
        "Nothing to do.",
    ),
];

/// The part of `docs/conditions.md` about `DataScienceCluster`.
pub fn markdown() -> String {
    let about = "\n## DataScienceCluster\n\n\
         `LlmdReady` has status, reason and message of the `Llmd`'s `Ready`, or one of these reasons, or, when the `Llmd` cannot be\n\
         written, one of those under `Applied`. Where the definition of the kind is another operator's, it is the only condition that is\n\
         written; where it is this operator's, the others are, and `Ready` has the reason of whichever does not hold.\n\n";
    let rows =
        TABLE.map(|(condition, reason, meaning, way_out)| (condition, reason.as_str(), meaning, way_out));
    about.to_owned() + &crate::reason::table(rows)
}
