//! vLLM, started by the image's own entry point, its cache on the node's disk.

use k8s_openapi::api::core::v1::Probe;

use super::{EnginePlan, Input, MODELS_VOLUME, ProbeOverrides, mount, nothing, probes, scratch};
use crate::engine::vllm::finishes;

/// Where the Hugging Face libraries keep what they load, of the image's user.
const CACHE: &str = "/root/.cache/huggingface";

pub(super) fn plan(
    input: &Input<'_>,
    uri: &str,
    dtype: Option<&str>,
    quantization: Option<&str>,
    overrides: &ProbeOverrides,
) -> EnginePlan {
    let startup = Probe {
        initial_delay_seconds: Some(3),
        period_seconds: Some(1),
        failure_threshold: Some(120),
        ..probes::http("/health", input.port)
    };
    let mut args = vec!["--model".to_owned(), uri.to_owned()];
    for (flag, value) in [("--dtype", dtype), ("--quantization", quantization)] {
        args.extend(
            value
                .into_iter()
                .flat_map(|value| [flag.to_owned(), value.to_owned()]),
        );
    }
    args.extend(finishes(input.request));
    EnginePlan {
        args,
        probes: overrides.onto(probes::patient(startup, "/health", input.port), input.port),
        volumes: vec![scratch(MODELS_VOLUME, None)],
        mounts: vec![mount(MODELS_VOLUME, CACHE)],
        ..nothing(input)
    }
}
