//! The kinds that are declared, and what the API server calls them. Pure.

use std::fmt;

/// A kind of the operator's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `LLMModel` of `llm.example.com`.
    Model,
    /// `LLMDeployment`.
    Deployment,
    /// `AIModelMap`.
    ModelMap,
    /// `AIDeployment`.
    AiDeployment,
    /// `AutoNodeLabeler`.
    Labeler,
    /// `NvidiaGpuLlm`.
    GpuLlm,
    /// `LLMModel` of `ai.example.com`.
    NamedModel,
    /// `ModelDeployment`.
    ModelDeployment,
    /// `DynamoGraphDeployment`.
    Graph,
}

impl Kind {
    /// All of them; what others refer to comes first.
    pub const ALL: [Self; 9] = [
        Self::Model,
        Self::ModelMap,
        Self::Labeler,
        Self::Deployment,
        Self::AiDeployment,
        Self::GpuLlm,
        Self::NamedModel,
        Self::ModelDeployment,
        Self::Graph,
    ];

    /// Group and version, kind, plural.
    pub fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Model => ("llm.example.com/v1alpha1", "LLMModel", "llmmodels"),
            Self::Deployment => ("llm.example.com/v1alpha1", "LLMDeployment", "llmdeployments"),
            Self::ModelMap => ("premlabs.io/v1alpha1", "AIModelMap", "aimodelmaps"),
            Self::AiDeployment => ("premlabs.io/v1alpha1", "AIDeployment", "aideployments"),
            Self::Labeler => ("premlabs.io/v1alpha1", "AutoNodeLabeler", "autonodelabelers"),
            Self::GpuLlm => ("infra.example.com/v1", "NvidiaGpuLlm", "nvidiagpullms"),
            Self::NamedModel => ("ai.example.com/v1", "LLMModel", "llmmodels"),
            Self::ModelDeployment => ("ai.example.com/v1", "ModelDeployment", "modeldeployments"),
            Self::Graph => ("nvidia.com/v1", "DynamoGraphDeployment", "dynamographdeployments"),
        }
    }

    /// Path of the collection in all namespaces.
    pub fn collection(self) -> String {
        let (version, _, plural) = self.names();
        format!("/apis/{version}/{plural}")
    }

    /// Path of one namespace's collection.
    pub fn path(self, namespace: &str) -> String {
        let (version, _, plural) = self.names();
        format!("/apis/{version}/namespaces/{namespace}/{plural}")
    }

    /// How many of a hundred resources are of this kind.
    pub fn share(self) -> u32 {
        match self {
            Self::Model => 8,
            Self::ModelMap | Self::Labeler => 4,
            Self::Deployment => 30,
            Self::AiDeployment => 20,
            Self::GpuLlm => 10,
            Self::NamedModel | Self::ModelDeployment => 9,
            Self::Graph => 6,
        }
    }

    /// The beginning of names of this kind.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Model => "mod",
            Self::ModelMap => "map",
            Self::Labeler => "lab",
            Self::Deployment => "llm",
            Self::AiDeployment => "aid",
            Self::GpuLlm => "gpu",
            Self::NamedModel => "nam",
            Self::ModelDeployment => "set",
            Self::Graph => "dyn",
        }
    }

    /// Whether it has a number of replicas.
    pub fn scales(self) -> bool {
        matches!(
            self,
            Self::Deployment | Self::AiDeployment | Self::NamedModel | Self::ModelDeployment | Self::Graph
        )
    }

    /// Whether it has Pods.
    pub fn serves(self) -> bool {
        self.scales() || self == Self::GpuLlm
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (version, kind, _) = self.names();
        match self {
            Self::NamedModel => write!(
                formatter,
                "{kind}({})",
                version.split('/').next().unwrap_or_default()
            ),
            _ => formatter.write_str(kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn shares_are_of_a_hundred_and_prefixes_differ() {
        assert_eq!(Kind::ALL.iter().map(|kind| kind.share()).sum::<u32>(), 100);
        let mut prefixes: Vec<_> = Kind::ALL.iter().map(|kind| kind.prefix()).collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        assert_eq!(prefixes.len(), Kind::ALL.len());
    }
}
