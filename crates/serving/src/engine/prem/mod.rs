//! Engines as prem-operator runs them: image, port, arguments, variables, volumes, probes and pull secret to the letter, so that
//! its manifests keep their meaning and Pods that it made need no restart.
//!
//! In: models that are resolved already, and changes to probes. Out: an [`EnginePlan`], from one file per engine.
//! It must not read a map or know a custom resource.

mod deepspeed_mii;
mod download;
mod generic;
mod local_ai;
mod probes;
mod triton;
mod vllm;

use std::collections::BTreeMap;

use api::shared::ImagePullPolicy;
use k8s_openapi::api::core::v1::{Container, EmptyDirVolumeSource, Volume, VolumeMount};

pub use self::probes::{ProbeOverride, ProbeOverrides};
use super::{EnginePlan, Input};
use crate::{
    field_error::FieldError,
    plan::{security::User, weights::named},
};

/// Where models are in `LocalAI` and Triton.
const MODELS: &str = "/models";
/// The name of the volume with models.
pub const MODELS_VOLUME: &str = "models";

/// An engine with what it serves.
#[derive(Clone, Debug, PartialEq)]
pub struct PremRequest {
    /// The engine.
    pub engine: PremEngine,
    /// Changes to its probes.
    pub probes: ProbeOverrides,
}

/// The engines, each with what only it needs to know.
#[derive(Clone, Debug, PartialEq)]
pub enum PremEngine {
    /// `LocalAI` with any number of models.
    LocalAi {
        /// In the order in which they are given.
        models: Vec<PremModel>,
    },
    /// vLLM's OpenAI-compatible server.
    Vllm {
        /// Name on the Hugging Face hub, or a path in the image.
        uri: String,
        /// `--dtype`, letters and digits.
        dtype: Option<String>,
        /// `--quantization`, letters and digits.
        quantization: Option<String>,
    },
    /// DeepSpeed-MII behind its REST server.
    DeepspeedMii {
        /// Name on the Hugging Face hub, or a path in the image.
        uri: String,
    },
    /// NVIDIA Triton with any number of models that are downloaded.
    Triton {
        /// In the order in which they are given.
        models: Vec<PremModel>,
    },
    /// Any container.
    Generic {
        /// The container of the template that serves, with neither variables nor ports.
        container: Box<Container>,
        /// Ports that it declares; empty when none is said.
        ports: Vec<u16>,
    },
}

/// A model that is resolved: inline fields and the map's are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PremModel {
    /// Name of the map, or of the resource for an inline model; not unique.
    pub name: String,
    /// Name of map and variant as a host name; not unique.
    pub host_name: String,
    /// Where it is.
    pub source: PremSource,
}

/// Where a model is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PremSource {
    /// In the engine's own notation, or an http URL to download.
    Uri(String),
    /// In a configuration file for the engine.
    File {
        /// The ConfigMap that has it.
        config_map: String,
        /// Under this key.
        key: String,
        /// What is in it; Pods are replaced when it changes.
        content: String,
    },
}

/// What an engine's image is called when nothing else is said, and where it listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Without a tag.
    pub repository: &'static str,
    /// The tag.
    pub tag: &'static str,
    /// The port of the container and of the Service.
    pub port: u16,
}

/// `LocalAI`.
pub const LOCAL_AI: Facts = Facts {
    repository: "quay.io/go-skynet/local-ai",
    tag: "latest",
    port: 8080,
};
/// vLLM.
pub const VLLM: Facts = Facts {
    repository: "vllm/vllm-openai",
    tag: "latest",
    port: 8000,
};
/// DeepSpeed-MII.
pub const DEEPSPEED_MII: Facts = Facts {
    repository: "premai/deepspeed-mii",
    tag: "latest",
    port: 8080,
};
/// Triton.
pub const TRITON: Facts = Facts {
    repository: "nvcr.io/nvidia/tritonserver",
    tag: "24.01-py3",
    port: 8000,
};

impl PremEngine {
    /// The name in `engine.name`, and of the label `app.kubernetes.io/name`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::LocalAi { .. } => "localai",
            Self::Vllm { .. } => "vllm",
            Self::DeepspeedMii { .. } => "deepspeed-mii",
            Self::Triton { .. } => "triton",
            Self::Generic { .. } => "generic",
        }
    }
}

/// What these engines decide beside what every engine does.
#[derive(Clone, Debug, PartialEq)]
pub struct Extras {
    /// When the image is pulled.
    pub(crate) pull_policy: Option<ImagePullPolicy>,
    /// Ports that the container declares.
    pub(crate) declared_ports: Vec<u16>,
    /// Ports beside the serving one on which the engine is reached; `None`: nobody knows.
    pub(crate) open_ports: Option<Vec<u16>>,
    /// The pull secret when the template names none.
    pub(crate) pull_secret: Option<&'static str>,
    /// Annotations of the Pods.
    pub(crate) annotations: BTreeMap<String, String>,
    /// The container of the template that becomes the engine's.
    pub(crate) container: Option<Box<Container>>,
}

impl Default for Extras {
    fn default() -> Self {
        Self {
            pull_policy: None,
            declared_ports: Vec::new(),
            open_ports: Some(Vec::new()),
            pull_secret: None,
            annotations: BTreeMap::new(),
            container: None,
        }
    }
}

/// Asks the engine of the request.
pub(super) fn plan(input: &Input<'_>, request: &PremRequest) -> Result<EnginePlan, Vec<FieldError>> {
    match &request.engine {
        PremEngine::LocalAi { models } => Ok(local_ai::plan(input, models, &request.probes)),
        PremEngine::Vllm {
            uri,
            dtype,
            quantization,
        } => Ok(vllm::plan(
            input,
            uri,
            dtype.as_deref(),
            quantization.as_deref(),
            &request.probes,
        )),
        PremEngine::DeepspeedMii { uri } => Ok(deepspeed_mii::plan(input, uri, &request.probes)),
        PremEngine::Triton { models } => triton::plan(input, models, &request.probes),
        PremEngine::Generic { container, ports } => {
            Ok(generic::plan(input, container, ports, &request.probes))
        }
    }
}

/// A plan that says nothing yet, but that the image is always pulled.
fn nothing(input: &Input<'_>) -> EnginePlan {
    EnginePlan {
        weights: input.weights.clone(),
        command: Vec::new(),
        args: Vec::new(),
        env: Vec::new(),
        env_from: Vec::new(),
        probes: crate::plan::ProbesPlan::default(),
        init: Vec::new(),
        volumes: Vec::new(),
        mounts: Vec::new(),
        user: User::Image,
        extras: Extras {
            pull_policy: Some(ImagePullPolicy::Always),
            ..Extras::default()
        },
    }
}

/// Space as long as the Pod lives; `medium` as in `emptyDir`.
fn scratch(name: &str, medium: Option<&str>) -> Volume {
    Volume {
        empty_dir: Some(EmptyDirVolumeSource {
            medium: medium.map(Into::into),
            size_limit: None,
        }),
        ..named(name)
    }
}

fn mount(name: &str, path: &str) -> VolumeMount {
    VolumeMount {
        name: name.into(),
        mount_path: path.into(),
        ..VolumeMount::default()
    }
}
