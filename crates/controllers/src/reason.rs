//! The reasons that a controller gives by itself, beside those of the diagnosis and of the apply step.
//!
//! In: nothing. Out: a closed list with meaning and way out; `docs/conditions.md` is made of it.

use std::fmt::Write as _;

/// Why a resource is not acted on, or that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The spec is valid and everything that it names exists.
    Accepted,
    /// The spec cannot be used.
    InvalidSpec,
    /// The model does not exist.
    ModelNotFound,
    /// The map of models does not exist.
    ModelMapNotFound,
    /// The map of models has no such variant for the engine.
    VariantNotFound,
    /// The catalogue has no model of that name.
    UnknownModel,
    /// The model's licence wants a token, and there is none.
    TokenMissing,
    /// The model fits into no number of these GPUs.
    DoesNotFit,
    /// No node of the cluster could ever hold a replica.
    NoSuchNode,
    /// The owner of what is named in another namespace did not agree.
    NotAllowed,
    /// The objects in the cluster are as asked for.
    Applied,
    /// Nothing was applied, since the spec was not accepted.
    NotAccepted,
    /// It is being deleted.
    Terminating,
}

impl Reason {
    /// The word itself.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::InvalidSpec => "InvalidSpec",
            Self::ModelNotFound => "ModelNotFound",
            Self::ModelMapNotFound => "ModelMapNotFound",
            Self::VariantNotFound => "VariantNotFound",
            Self::UnknownModel => "UnknownModel",
            Self::TokenMissing => "TokenMissing",
            Self::DoesNotFit => "DoesNotFit",
            Self::NoSuchNode => "NoSuchNode",
            Self::NotAllowed => "NotAllowed",
            Self::Applied => "Applied",
            Self::NotAccepted => "NotAccepted",
            Self::Terminating => "Terminating",
        }
    }
}

/// Condition, word, state, meaning and way out of every reason that is not the diagnosis' own.
const TABLE: [(&str, &str, &str, &str); 24] = [
    (
        "Accepted",
        "Accepted",
        "The spec is valid and everything that it names exists.",
        "Nothing to do.",
    ),
    (
        "Accepted",
        "InvalidSpec",
        "A field of the resource or of what it names cannot be used; what runs is left as it is.",
        "Edit the field that the message names.",
    ),
    (
        "Accepted",
        "ModelNotFound",
        "The LLMModel named by `spec.modelRef` does not exist in the namespace; what runs is left as it is.",
        "Create the model, or correct the name. Order does not matter.",
    ),
    (
        "Accepted",
        "ModelMapNotFound",
        "The AIModelMap named by a `modelMapRef` does not exist; what runs is left as it is.",
        "Create the map, or correct the name or its namespace. Order does not matter.",
    ),
    (
        "Accepted",
        "VariantNotFound",
        "The AIModelMap has no variant of that name in the list of the engine; what runs is left as it is.",
        "Add the variant to the map, or correct the name.",
    ),
    (
        "Accepted",
        "UnknownModel",
        "The catalogue has no model of that name; what runs is left as it is.",
        "Correct the name (`llm-operator models` lists all), or describe the model in the ConfigMap llm-operator-models of the operator's namespace.",
    ),
    (
        "Accepted",
        "TokenMissing",
        "The model's licence has to be accepted at its hub, and the namespace has no token of somebody who did; no GPU is taken.",
        "Create the Secret hf-token with the key token in the namespace of the resource.",
    ),
    (
        "Accepted",
        "DoesNotFit",
        "The model does not fit into these GPUs; no GPU is taken, and what runs is left as it is.",
        "The message has the arithmetic and what would fit.",
    ),
    (
        "Accepted",
        "NoSuchNode",
        "No node of the cluster could ever hold a replica; what runs is left as it is.",
        "Add such a node, or choose other GPUs or fewer of them. It goes on by itself when a node comes.",
    ),
    (
        "Accepted",
        "NotAllowed",
        "The AIModelMap is in another namespace, and does not admit the namespace of the resource; what runs is left as it is.",
        "Ask the owner of the map to add the namespace to its `spec.allowedNamespaces`, or use a map of the same namespace.",
    ),
    (
        "Applied",
        "Applied",
        "The objects in the cluster are as asked for.",
        "Nothing to do.",
    ),
    (
        "Applied",
        "NotAccepted",
        "Nothing was applied, since the spec was not accepted.",
        "See the condition `Accepted`.",
    ),
    (
        "Applied",
        "NameTaken",
        "An object of a child's name exists and belongs to somebody else. It is left alone.",
        "Rename one of the two, or delete the other object.",
    ),
    (
        "Applied",
        "Immutable",
        "A child would have to change in a field that Kubernetes does not let change.",
        "Undo the edit, or delete the child so that it is made anew.",
    ),
    (
        "Applied",
        "Invalid",
        "The API server refuses a child's content.",
        "Edit the field that the message names.",
    ),
    (
        "Applied",
        "QuotaExceeded",
        "A ResourceQuota has no room for a child.",
        "Raise the quota or free some of it.",
    ),
    (
        "Applied",
        "Denied",
        "An admission policy or webhook refuses a child.",
        "Change what the policy's message asks for.",
    ),
    (
        "Applied",
        "Forbidden",
        "The operator lacks a right.",
        "Install the ClusterRole that ships with this version.",
    ),
    (
        "Applied",
        "ApiUnavailable",
        "The API server did not answer or asked to wait, or the namespace is so new that Kubernetes has not made its ServiceAccount \
         `default` yet.",
        "Wait; the operator tries again by itself.",
    ),
    (
        "Applied",
        "Terminating",
        "The resource, or a child of the same name, is being deleted.",
        "Wait.",
    ),
    (
        "Applied",
        "NamespaceTerminating",
        "The namespace is being deleted.",
        "Nothing to do.",
    ),
    (
        "Applied",
        "NotWatched",
        "A kind of child is not watched: a fault of the operator.",
        "Report it.",
    ),
    (
        "Applied",
        "Internal",
        "An object could not be built: a fault of the operator.",
        "Report it.",
    ),
    (
        "Ready",
        "any of the above",
        "Nothing serves, and the cause is in `Accepted` or `Applied`.",
        "See that condition.",
    ),
];

/// Condition, word, meaning and way out per row, as a table of `docs/conditions.md`.
pub(crate) fn table<'a>(rows: impl IntoIterator<Item = (&'a str, &'a str, &'a str, &'a str)>) -> String {
    let mut table = String::from("| Condition | Reason | Meaning | What to do |\n|---|---|---|---|\n");
    for (condition, reason, meaning, way_out) in rows {
        // Writing into a String cannot fail.
        let _ = writeln!(table, "| `{condition}` | `{reason}` | {meaning} | {way_out} |");
    }
    table
}

/// `docs/conditions.md`.
pub fn conditions_page() -> String {
    let mut page = String::from(
        "# Conditions and reasons\n\n\
         This page is generated (`make manifests`). A serving resource has the conditions `Accepted`, `Applied` and `Ready`,\n\
         each with its own `observedGeneration`. `status.state` is one word for all of it, `status.reason` the reason that\n\
         keeps it from being ready, and the condition's message the sentence to read. The same words stand in Events and in\n\
         the metric `llm_operator_resources`.\n\n\
         ## Accepted and Applied\n\n",
    );
    page.push_str(&table(TABLE));
    page.push_str("\n## Ready\n\nFrom the gravest to none. Of several Pods the gravest is told first.\n\n");
    page.push_str(&diagnosis::conditions_markdown());
    page.push_str(&crate::nvidia_gpu_llm::reasons::markdown());
    page.push_str(&crate::auto_node_labeler::reasons::markdown());
    page.push_str(&crate::scaling::reasons::markdown());
    page.push_str(&crate::llmd::reasons::markdown());
    page.push_str(&crate::data_science_cluster::reasons::markdown());
    page
}
