//! NVIDIA Triton: a model repository that init containers fill from http URLs.
//!
//! An archive (`.tar` in the URL) holds the repository's directories; any other file becomes version 1 of a model named as its map.

use k8s_openapi::api::core::v1::Probe;

use super::{
    EnginePlan, Extras, Input, MODELS, MODELS_VOLUME, PremModel, PremSource, ProbeOverrides,
    download::{self, Names},
    mount, nothing, probes, scratch,
};
use crate::{
    field_error::FieldError,
    plan::{ContainerPlan, ProbesPlan},
};

/// gRPC and metrics.
const OTHER_PORTS: [u16; 2] = [8001, 8002];
const DOWNLOAD: &str = "curl --create-dirs -O --output-dir /models/$MODEL_NAME/1 $MODEL_PATH";
/// The same, but redirects are followed and an error page is no model.
const DOWNLOAD_OR_FAIL: &str = "curl -f -L --create-dirs -O --output-dir /models/$MODEL_NAME/1 $MODEL_PATH";

pub(super) fn plan(
    input: &Input<'_>,
    models: &[PremModel],
    overrides: &ProbeOverrides,
) -> Result<EnginePlan, Vec<FieldError>> {
    let plan = nothing(input);
    let extras = Extras {
        open_ports: Some(OTHER_PORTS.to_vec()),
        ..plan.extras
    };
    let mut plan = EnginePlan {
        args: vec!["tritonserver".into(), format!("--model-repository={MODELS}")],
        probes: overrides.onto(probes(input.port), input.port),
        volumes: vec![scratch(MODELS_VOLUME, None)],
        mounts: vec![mount(MODELS_VOLUME, MODELS)],
        extras,
        ..plan
    };
    let (mut names, mut directories) = (Names::default(), Names::default());
    let mut errors = Vec::new();
    for (index, model) in models.iter().enumerate() {
        match &model.source {
            PremSource::Uri(url) if url.starts_with("http") => {
                let directory = directories.unique(&[&model.name, &model.host_name]);
                let name = names.unique_container(&format!("init-{}", model.name));
                plan.init.push(downloading(input, name, &directory, url));
            }
            PremSource::Uri(_) | PremSource::File { .. } => errors.push(FieldError::new(
                format!("models[{index}].uri"),
                "invalid model URI, requires valid model url with \"http\" for downloading models",
            )),
        }
    }
    if errors.is_empty() { Ok(plan) } else { Err(errors) }
}

fn probes(port: u16) -> ProbesPlan {
    let ready = probes::http("/v2/health/ready", port);
    ProbesPlan {
        startup: Some(Probe {
            period_seconds: Some(10),
            failure_threshold: Some(30),
            ..ready.clone()
        }),
        readiness: Some(Probe {
            initial_delay_seconds: Some(5),
            period_seconds: Some(5),
            failure_threshold: Some(3),
            ..ready
        }),
        liveness: Some(Probe {
            initial_delay_seconds: Some(15),
            period_seconds: Some(10),
            timeout_seconds: Some(25),
            failure_threshold: Some(3),
            ..probes::http("/v2/health/live", port)
        }),
    }
}

fn downloading(input: &Input<'_>, name: String, directory: &str, url: &str) -> ContainerPlan {
    let script = if url.contains(".tar") {
        unpacking(url)
    } else if input.request.form.adds() {
        DOWNLOAD_OR_FAIL.to_owned()
    } else {
        DOWNLOAD.to_owned()
    };
    let variables = [("MODEL_NAME", directory), ("MODEL_PATH", url)];
    download::container(
        input,
        name,
        &script,
        &variables,
        vec![mount(MODELS_VOLUME, MODELS)],
    )
}

/// prem-operator's `tar xvz - -C /models` took `-` for a member's name and unpacked nothing. From a pipe tar cannot tell the
/// compression by itself, so the URL does. An answer that is cut off or an error page is no archive: tar fails, and so does the pipe.
fn unpacking(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let flags = [
        (".tar", "-xv"),
        (".tar.bz2", "-xvj"),
        (".tar.xz", "-xvJ"),
        (".tar.zst", "-xv --zstd"),
    ];
    let found = flags.into_iter().find(|(ending, _)| path.ends_with(ending));
    let flags = found.map_or("-xvz", |(_, flags)| flags);
    format!("curl -f -s -S -L $MODEL_PATH | tar {flags} -f - -C /models")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Regression of prem-operator's bug 7: archives never unpacked.
    #[test]
    fn an_archive_is_read_from_the_pipe_by_its_compression() {
        for (url, tar) in [
            ("https://h/m.tar.gz", "tar -xvz -f - -C /models"),
            ("https://h/m.tar.gz?download=true", "tar -xvz -f - -C /models"),
            ("https://h/m.tar", "tar -xv -f - -C /models"),
            ("https://h/m.tar.bz2", "tar -xvj -f - -C /models"),
            ("https://h/m.tar.xz", "tar -xvJ -f - -C /models"),
            ("https://h/m.tar.zst", "tar -xv --zstd -f - -C /models"),
        ] {
            let script = unpacking(url);
            assert_eq!(script, format!("curl -f -s -S -L $MODEL_PATH | {tar}"), "{url}");
        }
    }
}
