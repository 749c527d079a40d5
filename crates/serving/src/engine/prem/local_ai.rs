//! `LocalAI`: models by name of its gallery, by URL, or by a configuration file each.
//!
//! A configuration file is copied to the models, a URL is downloaded, and any other name is an argument. Models are kept in
//! memory, and gone with the Pod.

use k8s_openapi::api::core::v1::{
    ConfigMapProjection, KeyToPath, Probe, ProjectedVolumeSource, Volume, VolumeProjection,
};
use sha2::{Digest as _, Sha256};

use super::{
    EnginePlan, Input, MODELS, MODELS_VOLUME, PremModel, PremSource, ProbeOverrides,
    download::{self, Names},
    mount, nothing, probes, scratch,
};
use crate::{
    digest,
    engine::env,
    plan::{ContainerPlan, weights::named},
};

/// Annotation of the Pods with a hash of all configuration files, so that Pods are replaced when one changes. Pods that
/// prem-operator made do not have it.
pub const CONFIG_HASH: &str = "llm-operator.io/engine-config-hash";
/// The volume with configuration files, mounted under its name.
const CONFIGS: &str = "configs";
const COPY: &str = "ls /configs/engine && cp -v /configs/engine/* /models";
const DOWNLOAD: &str = "curl -L -v -o /models/$MODEL_NAME $MODEL_PATH";
/// The same, but an error page is no model.
const DOWNLOAD_OR_FAIL: &str = "curl -f -L -v -o /models/$MODEL_NAME $MODEL_PATH";

pub(super) fn plan(input: &Input<'_>, models: &[PremModel], overrides: &ProbeOverrides) -> EnginePlan {
    let startup = Probe {
        initial_delay_seconds: Some(1),
        period_seconds: Some(10),
        failure_threshold: Some(120),
        ..probes::http("/readyz", input.port)
    };
    let mut plan = EnginePlan {
        env: vec![env::value("MODELS_PATH", MODELS)],
        probes: overrides.onto(probes::patient(startup, "/healthz", input.port), input.port),
        volumes: vec![scratch(MODELS_VOLUME, Some("Memory")), scratch("cache", None)],
        mounts: vec![mount(MODELS_VOLUME, MODELS)],
        ..nothing(input)
    };
    let mut names = Names::default();
    let mut files = Names::default();
    let mut configs = Configs::default();
    for model in models {
        match &model.source {
            PremSource::File {
                config_map,
                key,
                content,
            } => configs.add(&model.host_name, config_map, key, content),
            PremSource::Uri(uri) if uri.starts_with("http") => {
                let file = files.unique(&[&model.name, &model.host_name]);
                plan.init.push(downloading(input, &mut names, &file, uri));
            }
            PremSource::Uri(uri) => plan.args.push(uri.clone()),
        }
    }
    if let Some(digest) = configs.digest() {
        if input.request.form.adds() {
            plan.extras.annotations.insert(CONFIG_HASH.into(), digest);
        }
        plan.volumes.push(configs.volume());
        plan.init.push(copying(input, &mut names));
    }
    plan
}

fn downloading(input: &Input<'_>, names: &mut Names, file: &str, url: &str) -> ContainerPlan {
    let name = names.unique_container(&format!("init-models-{}", input.request.identity.name));
    let script = if input.request.form.adds() {
        DOWNLOAD_OR_FAIL
    } else {
        DOWNLOAD
    };
    let variables = [("MODEL_NAME", file), ("MODEL_PATH", url)];
    download::container(
        input,
        name,
        script,
        &variables,
        vec![mount(MODELS_VOLUME, MODELS)],
    )
}

fn copying(input: &Input<'_>, names: &mut Names) -> ContainerPlan {
    let name = names.unique_container(&format!("init-{CONFIGS}-{}", input.request.identity.name));
    let mounts = vec![
        mount(CONFIGS, &format!("/{CONFIGS}")),
        mount(MODELS_VOLUME, MODELS),
    ];
    download::container(input, name, COPY, &[], mounts)
}

/// The configuration files of all models.
#[derive(Default)]
struct Configs {
    sources: Vec<VolumeProjection>,
    names: Names,
    hash: Sha256,
}

impl Configs {
    fn add(&mut self, host_name: &str, config_map: &str, key: &str, content: &str) {
        let file = self.names.unique(&[host_name]);
        for part in [&file, content] {
            self.hash.update(part.len().to_le_bytes());
            self.hash.update(part);
        }
        self.sources.push(VolumeProjection {
            config_map: Some(ConfigMapProjection {
                name: config_map.into(),
                items: Some(vec![KeyToPath {
                    key: key.into(),
                    path: format!("engine/{file}.yaml"),
                    mode: None,
                }]),
                optional: None,
            }),
            ..VolumeProjection::default()
        });
    }

    /// `None` without files.
    fn digest(&self) -> Option<String> {
        (!self.sources.is_empty()).then(|| digest::short(self.hash.clone()))
    }

    fn volume(self) -> Volume {
        Volume {
            projected: Some(ProjectedVolumeSource {
                sources: Some(self.sources),
                default_mode: None,
            }),
            ..named(CONFIGS)
        }
    }
}
