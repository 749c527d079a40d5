//! Model configuration files: a folder in, the models that it configures and the loose files in it out.
//! A file that cannot be read is logged and passed over, as the real one does. It must not download.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::journal::Journal;
use crate::models::Model;

/// One model's configuration, as far as it matters here; everything else is accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct ModelConfig {
    name: Option<String>,
    backend: Option<String>,
    parameters: Option<Parameters>,
    context_size: Option<u64>,
    mmap: Option<bool>,
    download_files: Option<Vec<Download>>,
    /// The address that the model was fetched from.
    #[serde(skip)]
    origin: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Parameters {
    model: Option<String>,
}

/// A file that the configuration wants beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Download {
    pub(crate) filename: String,
    pub(crate) uri: String,
}

impl ModelConfig {
    /// What a name without a configuration means: the file of that name.
    pub(crate) fn of_file(name: &str) -> Self {
        let mut config = Self {
            name: Some(name.to_owned()),
            ..Self::default()
        };
        config.set_model(name);
        config
    }

    /// The model now lies in a file of this name.
    pub(crate) fn downloaded_as(&mut self, file: &str) {
        self.origin = Some(self.model().to_owned());
        self.set_model(file);
    }

    /// What tells most about the model's size: the address it came from, its file's name, its own name.
    pub(crate) fn telling_name(&self) -> &str {
        let model = self.origin.as_deref().unwrap_or_else(|| self.model());
        if Model::is_known(model) || self.name().is_empty() {
            model
        } else {
            self.name()
        }
    }

    /// The configuration in a file's text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        serde_saphyr::from_str(text).map_err(|error| error.to_string())
    }

    pub(crate) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    pub(crate) fn backend(&self) -> &str {
        self.backend.as_deref().unwrap_or_default()
    }

    /// A file's name, a repository, or the address of a file.
    pub(crate) fn model(&self) -> &str {
        let parameters = self.parameters.as_ref();
        parameters.and_then(|p| p.model.as_deref()).unwrap_or_default()
    }

    fn set_model(&mut self, model: &str) {
        self.parameters = Some(Parameters {
            model: Some(model.to_owned()),
        });
    }

    pub(crate) fn context_size(&self) -> Option<u64> {
        self.context_size.filter(|size| *size > 0)
    }

    /// Weights are mapped instead of read: the kernel may drop their pages.
    pub(crate) fn mmap(&self) -> bool {
        self.mmap.unwrap_or(false)
    }

    pub(crate) fn downloads(&self) -> &[Download] {
        self.download_files.as_deref().unwrap_or_default()
    }
}

/// Configured models by name.
pub(crate) type Configs = BTreeMap<String, ModelConfig>;

/// Reads every configuration in the folder; `folder` is its place on this machine.
pub(crate) fn read_folder(folder: &Path, journal: &Journal) -> std::io::Result<Configs> {
    let mut configs = Configs::new();
    for file in names(folder)? {
        let yaml = file.contains(".yaml") || file.contains(".yml");
        if !yaml || file.starts_with('.') {
            continue;
        }
        let read = std::fs::read_to_string(folder.join(&file)).map_err(|error| error.to_string());
        match read.and_then(|text| ModelConfig::parse(&text)) {
            Ok(config) if config.name().is_empty() => {
                journal.error("config is not valid", &format!("no name in {file}"));
            }
            Ok(config) => {
                configs.insert(config.name().to_owned(), config);
            }
            Err(error) => {
                let first = error.lines().next().unwrap_or_default();
                journal.error(
                    "LoadModelConfigsFromPath cannot read config file",
                    &format!("cannot unmarshal config file {file}: {first}"),
                );
            }
        }
    }
    Ok(configs)
}

/// Files that are models by themselves: neither configurations nor templates nor hidden.
pub(crate) fn loose_files(folder: &Path) -> Vec<String> {
    let other = [".tmpl", ".keep", ".yaml", ".yml", ".json", ".DS_Store"];
    let mut files = names(folder).unwrap_or_default();
    files.retain(|name| !name.starts_with('.') && !other.iter().any(|end| name.ends_with(end)));
    files
}

fn names(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::LogSink;

    #[test]
    fn real_configurations_are_read_and_nulls_are_nothing() {
        let text = "name: llama-3-8b-gguf\nmmap: true\nbackend:\nparameters:\n  model: huggingface://b/r/f.gguf\n\
                    context_size: 8196\nstopwords:\n- <|im_end|>\n- \"<|eot_id|>\"\ntemplate:\n  chat: |\n    {{ .Input }}\n";
        let config = ModelConfig::parse(text).unwrap();
        assert_eq!((config.name(), config.backend()), ("llama-3-8b-gguf", ""));
        assert_eq!(config.model(), "huggingface://b/r/f.gguf");
        assert_eq!((config.context_size(), config.mmap()), (Some(8196), true));
        assert!(ModelConfig::parse("name: [broken").is_err());
    }

    #[test]
    fn broken_files_are_passed_over_and_loose_files_are_models() {
        let folder = std::env::temp_dir().join(format!("localai-configs-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for (name, text) in [
            ("good.yaml", "name: good\nparameters: {model: file.gguf}\n"),
            ("bad.yaml", "name: [broken\n"),
            ("nameless.yml", "backend: llama\n"),
            ("file.gguf", "GGUF"),
            ("prompt.tmpl", "x"),
            (".hidden", "x"),
        ] {
            std::fs::write(folder.join(name), text).unwrap();
        }
        let (log, lines) = LogSink::collect();
        let configs = read_folder(&folder, &Journal { log, debug: false }).unwrap();
        assert_eq!(configs.keys().collect::<Vec<_>>(), ["good"]);
        assert_eq!(loose_files(&folder), ["file.gguf"]);
        let lines = lines.lock().join("\n");
        assert!(
            lines.contains("cannot unmarshal config file bad.yaml")
                && lines.contains("no name in nameless.yml")
        );
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
