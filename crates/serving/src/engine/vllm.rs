//! vLLM's OpenAI-compatible server.
//!
//! Started as `vllm serve MODEL` explicitly, because the image's entry point changed over time. It loads `hf://` by itself into `HF_HOME` on
//! the volume; `s3://` is copied to the volume when there is one and streamed otherwise; the rest is mounted or loaded.
//! uid 1000 with `HOME` on its volume. Ready and alive: `GET /health`; the port opens when the weights are loaded.

use k8s_openapi::api::core::v1::{EmptyDirVolumeSource, EnvVar, Volume, VolumeMount};

use super::{
    EnginePlan, Input, env, loader,
    prem::Extras,
    probe::{Question, probes},
};
use crate::{
    ServingRequest,
    catalogue::Version,
    field_error::FieldError,
    plan::{
        ContainerPlan,
        ending::finishing_seconds,
        security::User,
        weights::{Weights, named},
    },
    quantity::Quantity,
    sizing::host::SHM_MIB_PER_GPU,
    source::ModelSource,
};

/// Where `HOME` is when the volume cannot be written.
const HOME: &str = "/home/engine";

pub(super) fn plan(input: &Input<'_>) -> Result<EnginePlan, Vec<FieldError>> {
    let wrong = port_in_args(input);
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let startup_seconds = input.startup_seconds();
    let secret = input.request.model.credentials_secret.as_deref();
    let weights = input.weights.clone().or_scratch();
    let model = model(input, &weights, secret)?;
    let gpus = input.request.gpu.as_ref().map_or(0, |gpu| gpu.count);
    let mut args = vec![model.argument];
    args.extend(["--port".into(), input.port.to_string()]);
    args.extend([
        "--served-model-name".into(),
        env::literal(&input.request.model.name),
    ]);
    if gpus > 1 {
        args.extend(["--tensor-parallel-size".into(), gpus.to_string()]);
    }
    args.extend(model.args);
    args.extend(finishes(input.request));
    let (home, home_volume, home_mount) = home(&weights);
    let (shm_volume, shm_mount) = shared_memory(gpus);
    let mut env = vec![
        env::value("HOME", &home),
        env::value("HF_HOME", &format!("{home}/huggingface")),
        // Usage statistics would go to somebody else's server.
        env::value("VLLM_NO_USAGE_STATS", "1"),
    ];
    env.extend(model.env);
    Ok(EnginePlan {
        command: vec!["vllm".into(), "serve".into()],
        args,
        env,
        env_from: model
            .env_from_secret
            .iter()
            .map(|secret| env::all_of_secret(secret))
            .collect(),
        probes: probes(
            Question::Http("/health"),
            Some(Question::Http("/health")),
            startup_seconds,
        ),
        init: model.init,
        volumes: home_volume.into_iter().chain(shm_volume).collect(),
        mounts: home_mount.into_iter().chain(shm_mount).collect(),
        user: User::Fixed,
        weights,
        extras: Extras::default(),
    })
}

/// Told to stop, vLLM cuts what is under way unless it is given time. Models of the catalogue and fleets that shrink by themselves
/// are; images before 0.18 do not know the option and would not start. Of a tag that is no version of vLLM's own (a digest, a date such
/// as `25.09`) nothing is known.
pub(super) fn finishes(request: &ServingRequest) -> Option<String> {
    let shrinks = request.scaling.is_some() || request.sizing.is_some();
    let version = Version::of_image(&request.container.image);
    let knows = version.is_some_and(|version| (Version(0, 18, 0)..Version(20, 0, 0)).contains(&version));
    (shrinks && knows).then(|| format!("--shutdown-timeout={}", finishing_seconds(request)))
}

/// What `vllm serve` is given as the model.
#[derive(Default)]
struct Model {
    argument: String,
    args: Vec<String>,
    env: Vec<EnvVar>,
    env_from_secret: Option<String>,
    init: Vec<ContainerPlan>,
}

fn model(input: &Input<'_>, weights: &Weights, secret: Option<&str>) -> Result<Model, Vec<FieldError>> {
    let own_command = input.request.container.command.is_empty();
    let name = &input.request.model.name;
    let model = match input.source {
        None if name.contains('/') => hugging_face(name, None, secret),
        None if own_command => {
            let message = format!(
                "engine vllm needs to know what to load, and {name:?} is no org/name of the Hugging Face hub; set source.uri, for example hf://org/name"
            );
            return Err(vec![FieldError::new("source", message)]);
        }
        None => Model::default(),
        Some(ModelSource::HuggingFace { repository, revision }) => {
            hugging_face(repository, revision.as_deref(), secret)
        }
        Some(ModelSource::Claim { path, .. }) => at(weights.path(path)),
        Some(ModelSource::Oci { .. }) => at(weights.path("")),
        Some(ModelSource::S3 { bucket, prefix }) if input.weights.volume.is_none() => Model {
            argument: format!("s3://{}", loader::s3_directory(bucket, prefix)),
            args: vec!["--load-format".into(), "runai_streamer".into()],
            env_from_secret: secret.map(Into::into),
            ..Model::default()
        },
        Some(ModelSource::S3 { bucket, prefix }) => {
            writable(weights)?;
            Model {
                init: vec![loader::s3(weights, bucket, prefix, secret)],
                ..at(weights.path(&loader::s3_directory(bucket, prefix)))
            }
        }
        Some(ModelSource::Http { url, file }) => {
            writable(weights)?;
            Model {
                init: vec![loader::http(weights, url, file, secret)],
                ..at(weights.path(file))
            }
        }
        Some(ModelSource::Ollama { .. }) => {
            return Err(vec![FieldError::new(
                "source.uri",
                "an ollama:// source needs engine: ollama",
            )]);
        }
    };
    Ok(model)
}

fn hugging_face(repository: &str, revision: Option<&str>, secret: Option<&str>) -> Model {
    Model {
        argument: repository.into(),
        args: revision
            .map(|revision| vec!["--revision".into(), revision.into()])
            .unwrap_or_default(),
        env: secret
            .map(|secret| env::secret("HF_TOKEN", secret))
            .into_iter()
            .collect(),
        ..Model::default()
    }
}

fn at(path: String) -> Model {
    Model {
        env: vec![env::value("MODEL_PATH", &path)],
        argument: path,
        ..Model::default()
    }
}

fn writable(weights: &Weights) -> Result<(), Vec<FieldError>> {
    let wrong = weights.check_writable("the model");
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// Probes, Service and NetworkPolicy go by the port that we know of.
fn port_in_args(input: &Input<'_>) -> Vec<FieldError> {
    let container = &input.request.container;
    let given = |arg: &String| arg == "--port" || arg.starts_with("--port=");
    if container.command.is_empty() && container.args.iter().any(given) {
        vec![FieldError::new(
            "args",
            "--port is set by the operator; set port instead",
        )]
    } else {
        Vec::new()
    }
}

/// `HOME` on the volume; on space of its own when the volume cannot be written.
pub(super) fn home(weights: &Weights) -> (String, Option<Volume>, Option<VolumeMount>) {
    if weights.writable {
        return (weights.path(""), None, None);
    }
    let volume = Volume {
        empty_dir: Some(EmptyDirVolumeSource::default()),
        ..named("home")
    };
    let mount = VolumeMount {
        name: "home".into(),
        mount_path: HOME.into(),
        ..VolumeMount::default()
    };
    (HOME.into(), Some(volume), Some(mount))
}

/// The 64 MiB that a container has by default are too little for several GPUs.
fn shared_memory(gpus: u32) -> (Option<Volume>, Option<VolumeMount>) {
    if gpus < 2 {
        return (None, None);
    }
    let memory = EmptyDirVolumeSource {
        medium: Some("Memory".into()),
        size_limit: Some(Quantity::from_mebibytes(SHM_MIB_PER_GPU.saturating_mul(gpus)).to_api()),
    };
    let volume = Volume {
        empty_dir: Some(memory),
        ..named("shm")
    };
    let mount = VolumeMount {
        name: "shm".into(),
        mount_path: "/dev/shm".into(),
        ..VolumeMount::default()
    };
    (Some(volume), Some(mount))
}
