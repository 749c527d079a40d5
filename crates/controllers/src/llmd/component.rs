//! llm-d's three charts: their names, the versions that the documents name, and where their projects publish them.

use helm::{Source, Version};

/// One of llm-d's charts. The order is that of their installation: what others refer to comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// The gateway.
    Infra,
    /// The pool of model servers, and what picks one of them per request.
    GatewayApi,
    /// The model servers.
    ModelService,
}

impl Component {
    /// All of them, in the order of their installation.
    pub const ALL: [Self; 3] = [Self::Infra, Self::GatewayApi, Self::ModelService];

    /// Its field of the spec.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Infra => "spec.infra",
            Self::GatewayApi => "spec.gatewayAPI",
            Self::ModelService => "spec.modelService",
        }
    }

    /// Name of its chart.
    pub const fn chart(self) -> &'static str {
        match self {
            Self::Infra => "llm-d-infra",
            Self::GatewayApi => "inferencepool",
            Self::ModelService => "llm-d-modelservice",
        }
    }

    /// Name of its release: that of its chart.
    pub const fn release(self) -> &'static str {
        self.chart()
    }

    /// The version that the documents name.
    pub fn default_version(self) -> Version {
        Version::new(match self {
            Self::Infra => "1.3.3",
            Self::GatewayApi => "1.0.1",
            Self::ModelService => "0.2.11",
        })
    }

    /// Where its project publishes it.
    pub fn default_source(self) -> Source {
        let repository = |url: &str| Source::Repository {
            url: url.to_owned(),
            name: self.chart().to_owned(),
        };
        match self {
            Self::Infra => repository("https://llm-d-incubation.github.io/llm-d-infra/"),
            Self::ModelService => repository("https://llm-d-incubation.github.io/llm-d-modelservice/"),
            Self::GatewayApi => Source::Registry {
                reference: "oci://registry.k8s.io/gateway-api-inference-extension/charts/inferencepool"
                    .to_owned(),
            },
        }
    }
}
