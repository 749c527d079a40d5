//! Any HTTP server.
//!
//! The image's own entry point and user are kept; it is told `PORT`, `MODEL_NAME`, and where its weights are: `MODEL_PATH` for a source that is
//! loaded or mounted for it, `MODEL_ID` (with `HF_HOME` on the volume and `HF_TOKEN`) for `hf://`, which an image loads by itself, as
//! Text Generation Inference does. Ready means that the port accepts connections, unless told otherwise.

use super::{
    EnginePlan, Input, env, loader,
    prem::Extras,
    probe::{Question, probes},
};
use crate::{field_error::FieldError, plan::security::User, source::ModelSource};

pub(super) fn plan(input: &Input<'_>) -> Result<EnginePlan, Vec<FieldError>> {
    let secret = input.request.model.credentials_secret.as_deref();
    let mut plan = EnginePlan {
        probes: probes(Question::Tcp, None, input.startup_seconds()),
        command: Vec::new(),
        args: Vec::new(),
        env: Vec::new(),
        env_from: Vec::new(),
        init: Vec::new(),
        volumes: Vec::new(),
        mounts: Vec::new(),
        user: User::Image,
        weights: input.weights.clone(),
        extras: Extras::default(),
    };
    if plan.weights.volume.is_some() && plan.weights.writable {
        plan.user = User::ImageWithSharedFiles;
    }
    match input.source {
        None => {}
        Some(ModelSource::HuggingFace { repository, revision }) => {
            plan.env.push(env::value("MODEL_ID", repository));
            plan.env.extend(
                revision
                    .as_deref()
                    .map(|revision| env::value("REVISION", revision)),
            );
            if plan.weights.volume.is_some() {
                plan.env
                    .push(env::value("HF_HOME", &plan.weights.path("huggingface")));
            }
            plan.env
                .extend(secret.map(|secret| env::secret("HF_TOKEN", secret)));
        }
        Some(ModelSource::Claim { path, .. }) => {
            plan.env.push(env::value("MODEL_PATH", &plan.weights.path(path)));
        }
        Some(ModelSource::Oci { .. }) => plan.env.push(env::value("MODEL_PATH", &plan.weights.path(""))),
        Some(ModelSource::S3 { bucket, prefix }) => {
            plan = loaded(plan)?;
            plan.init.push(loader::s3(&plan.weights, bucket, prefix, secret));
            let directory = loader::s3_directory(bucket, prefix);
            plan.env
                .push(env::value("MODEL_PATH", &plan.weights.path(&directory)));
        }
        Some(ModelSource::Http { url, file }) => {
            plan = loaded(plan)?;
            plan.init.push(loader::http(&plan.weights, url, file, secret));
            plan.env.push(env::value("MODEL_PATH", &plan.weights.path(file)));
        }
        Some(ModelSource::Ollama { .. }) => {
            return Err(vec![FieldError::new(
                "source.uri",
                "an ollama:// source needs engine: ollama",
            )]);
        }
    }
    Ok(plan)
}

/// Prepares the volume for a loader.
fn loaded(plan: EnginePlan) -> Result<EnginePlan, Vec<FieldError>> {
    let wrong = plan.weights.check_writable("the model");
    if !wrong.is_empty() {
        return Err(wrong);
    }
    Ok(EnginePlan {
        weights: plan.weights.or_scratch(),
        user: User::ImageWithSharedFiles,
        ..plan
    })
}
