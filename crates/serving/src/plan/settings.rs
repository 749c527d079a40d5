//! The engine's settings as a file in a ConfigMap.
//!
//! In: what an engine decided. Out: the same, told by a file that everybody can read, whose hash stands at the Pods: an edit makes new ones.
//! It must not change what the engine is told.
//!
//! vLLM reads `--config FILE`, YAML with the long names of its options; what stands on the command line wins, so a person's arguments
//! stay there, and so does the model, which is no option.

use std::collections::BTreeMap;

use api::shared::Engine;
use k8s_openapi::api::core::v1::{ConfigMapVolumeSource, Volume, VolumeMount};

use super::{ConfigPlan, weights::named};
use crate::{
    digest,
    engine::{EnginePlan, env},
    request::{EngineRequest, ServingRequest, Settings},
};

/// Name of the volume in the Pod.
const VOLUME: &str = "settings";
/// Where it is mounted.
const FOLDER: &str = "/etc/llm-operator";
/// The file.
const FILE: &str = "engine.yaml";
/// On Pods: the hash of the file.
const HASH: &str = "llm-operator.io/settings";

/// Moves the engine's options into a file where the request asks for that and the engine reads one.
pub(super) fn settings(request: &ServingRequest, engine: EnginePlan) -> (EnginePlan, Option<ConfigPlan>) {
    let reads = request.engine == EngineRequest::Own(Engine::Vllm) && request.container.command.is_empty();
    if request.settings == Settings::Arguments || !reads {
        return (engine, None);
    }
    let (positional, options) = split(engine.args);
    let text = yaml(&options);
    let name = format!("{}-settings", request.child_name());
    let mut args = positional;
    args.extend(["--config".into(), format!("{FOLDER}/{FILE}")]);
    let mut engine = EnginePlan { args, ..engine };
    engine.volumes.push(Volume {
        config_map: Some(ConfigMapVolumeSource {
            name: name.clone(),
            ..ConfigMapVolumeSource::default()
        }),
        ..named(VOLUME)
    });
    engine.mounts.push(VolumeMount {
        name: VOLUME.into(),
        mount_path: FOLDER.into(),
        read_only: Some(true),
        ..VolumeMount::default()
    });
    let hash = digest::short_of(&text);
    engine.extras.annotations.insert(HASH.into(), hash);
    let data = BTreeMap::from([(FILE.to_owned(), text)]);
    (engine, Some(ConfigPlan { name, data }))
}

/// What comes before the first option, and the options with their values.
fn split(args: impl IntoIterator<Item = String>) -> (Vec<String>, Vec<(String, Option<String>)>) {
    let mut positional = Vec::new();
    let mut options: Vec<(String, Option<String>)> = Vec::new();
    for arg in args {
        match (arg.strip_prefix("--"), options.last_mut()) {
            (Some(option), _) => options.push(match option.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (option.to_owned(), None),
            }),
            (None, Some((_, value @ None))) => *value = Some(arg),
            (None, _) => positional.push(arg),
        }
    }
    (positional, options)
}

/// Values are quoted as JSON does it, which is YAML too; numbers stay numbers.
fn yaml(options: &[(String, Option<String>)]) -> String {
    let line = |(name, value): &(String, Option<String>)| match value.as_deref().map(env::plain) {
        None => format!("{name}: true\n"),
        Some(value) if value.parse::<u64>().is_ok() => format!("{name}: {value}\n"),
        Some(value) => format!("{name}: {}\n", serde_json::Value::from(value)),
    };
    options.iter().map(line).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_become_lines_and_the_model_stays() {
        let args = [
            "org/name",
            "--port",
            "8000",
            "--served-model-name",
            "a $$(b)",
            "--enable-x",
            "--max-model-len=8192",
        ];
        let (positional, options) = split(args.map(str::to_owned));
        assert_eq!(positional, ["org/name"]);
        assert_eq!(
            yaml(&options),
            "port: 8000\nserved-model-name: \"a $(b)\"\nenable-x: true\nmax-model-len: 8192\n"
        );
    }
}
