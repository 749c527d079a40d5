//! The reasons that a labeler gives, beside those of the apply step. In: nothing. Out: a closed list with meaning and way
//! out, which is part of `docs/conditions.md`.

/// Why a labeler is as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The spec can be used.
    Accepted,
    /// A field cannot be used.
    InvalidSpec,
    /// It cannot be read.
    Unreadable,
    /// A label that Kubernetes keeps for itself.
    ProtectedLabel,
    /// Every node that matches carries the labels.
    Applied,
    /// Nothing is applied, since the spec is not accepted.
    NotAccepted,
    /// Nodes are being labelled.
    Labeling,
    /// Another labeler sets a key otherwise.
    LabelConflict,
    /// Somebody else has set a key otherwise.
    LabelTaken,
    /// Nodes may not be watched.
    NodesUnwatched,
    /// Labelers may not be watched.
    LabelersUnwatched,
    /// All is as asked for.
    Ready,
    /// It is being deleted.
    Terminating,
}

impl Reason {
    /// The word itself.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::InvalidSpec => "InvalidSpec",
            Self::Unreadable => "Unreadable",
            Self::ProtectedLabel => "ProtectedLabel",
            Self::Applied => "Applied",
            Self::NotAccepted => "NotAccepted",
            Self::Labeling => "Labeling",
            Self::LabelConflict => "LabelConflict",
            Self::LabelTaken => "LabelTaken",
            Self::NodesUnwatched => "NodesUnwatched",
            Self::LabelersUnwatched => "LabelersUnwatched",
            Self::Ready => "Ready",
            Self::Terminating => "Terminating",
        }
    }
}

const TABLE: [(&str, Reason, &str, &str); 13] = [
    (
        "Accepted",
        Reason::Accepted,
        "The spec can be used.",
        "Nothing to do.",
    ),
    (
        "Accepted",
        Reason::InvalidSpec,
        "A field cannot be used; an earlier definition let it in. Its labels are taken off the nodes.",
        "Edit the field that the message names.",
    ),
    (
        "Accepted",
        Reason::Unreadable,
        "It is stored in a form that this version does not understand. Until that is mended, labels that nobody else asks for stay where they are.",
        "Install this version's definitions (`llm-operator crds`), and correct or delete the labeler.",
    ),
    (
        "Accepted",
        Reason::ProtectedLabel,
        "A label is below `kubernetes.io` or `k8s.io`. None of its labels is set.",
        "Choose another key, or start the operator with `--allow-protected-node-labels`.",
    ),
    (
        "Applied",
        Reason::Applied,
        "Every node that matches carries the labels.",
        "Nothing to do.",
    ),
    (
        "Applied",
        Reason::NotAccepted,
        "Nothing is applied, since the spec is not accepted.",
        "See the condition `Accepted`.",
    ),
    (
        "Applied",
        Reason::Labeling,
        "Nodes are being labelled; the message counts them.",
        "Wait.",
    ),
    (
        "Applied",
        Reason::LabelConflict,
        "Another labeler sets one of the keys to another value; the older one wins.",
        "Ask for the same value, or delete one of the two.",
    ),
    (
        "Applied",
        Reason::LabelTaken,
        "Somebody else has set one of the keys to another value, which is left as it is.",
        "Remove that label from the node that the message names, or choose another key.",
    ),
    (
        "Applied",
        Reason::NodesUnwatched,
        "Nodes may not be watched, so nothing is known of them.",
        "Grant `get`, `list` and `watch` on `nodes` in the operator's ClusterRole.",
    ),
    (
        "Applied",
        Reason::LabelersUnwatched,
        "AutoNodeLabelers may not be watched any more, so no node is touched.",
        "Grant `get`, `list` and `watch` on `autonodelabelers` in the operator's ClusterRole.",
    ),
    (
        "Ready",
        Reason::Ready,
        "Every node that matches carries the labels.",
        "Nothing to do.",
    ),
    (
        "Ready",
        Reason::Terminating,
        "The labeler is being deleted; it goes when its labels are gone from the nodes.",
        "Wait; after a minute it goes without those that cannot be removed, and an Event names them.",
    ),
];

/// The labelers' part of `docs/conditions.md`.
pub fn markdown() -> String {
    let about = "\n## AutoNodeLabeler\n\n\
         `Applied` may also be false with `Forbidden`, `Denied`, `Invalid` or `ApiUnavailable` as above, and with\n\
         `LabelsRefused` when something in the cluster takes the labels off again. `Ready` has the reason of whatever\n\
         keeps it from being ready.\n\n";
    let rows =
        TABLE.map(|(condition, reason, meaning, way_out)| (condition, reason.as_str(), meaning, way_out));
    about.to_owned() + &crate::reason::table(rows)
}
