//! `--config FILE`: words and the container's files in, the words with the file's options put in their place out.
//! Options given on the command line come later and so win, as in the real parser.

use std::path::Path;

use serde_json::{Map, Value};

use super::flags::{self, Takes};
use crate::filesystem::Filesystem;

/// Puts the options of the file that `--config` names before the others; other words are as they were.
pub(crate) fn expand(words: &[String], files: &Filesystem) -> Result<Vec<String>, String> {
    let Some(at) = words.iter().position(|word| word == "--config") else {
        return Ok(words.to_vec());
    };
    let Some(path) = words.get(at + 1) else {
        return Err("ValueError: No config file specified! Please check your command-line arguments.".into());
    };
    let (model, options) = options(path, files)?;
    let mut rest: Vec<String> = words[..at].iter().chain(&words[at + 2..]).cloned().collect();
    let on_line = rest.first().is_some_and(|word| !word.starts_with('-'));
    let model = if on_line { Some(rest.remove(0)) } else { model };
    let named = rest
        .iter()
        .any(|word| word == "--model" || word.starts_with("--model="));
    if model.is_none() && !named {
        let words =
            "No model specified! Please specify model either as a positional argument or in a config file.";
        return Err(format!("ValueError: {words}"));
    }
    Ok(model
        .filter(|_| !named || on_line)
        .into_iter()
        .chain(options)
        .chain(rest)
        .collect())
}

/// The file's model and its other options as words.
fn options(path: &str, files: &Filesystem) -> Result<(Option<String>, Vec<String>), String> {
    let extension = path.rsplit('.').next().unwrap_or_default();
    if !matches!(extension, "yaml" | "yml") {
        return Err(format!(
            "ValueError: Config file must be of a yaml/yml type. {extension} supplied"
        ));
    }
    let text = std::fs::read_to_string(files.resolve(Path::new(path)))
        .map_err(|_| format!("FileNotFoundError: [Errno 2] No such file or directory: '{path}'"))?;
    let map: Map<String, Value> =
        serde_saphyr::from_str(&text).map_err(|error| format!("yaml.scanner.ScannerError: {error}"))?;
    let mut model = None;
    let mut words = Vec::new();
    for (key, value) in map {
        match value {
            Value::String(name) if key == "model" => model = Some(name),
            Value::Bool(true) => words.push(format!("--{key}")),
            // Only a toggle has a word for no; what else is false is passed over.
            Value::Bool(false) if flags::takes(&key) == Some(Takes::Toggle) => {
                words.push(format!("--no-{key}"));
            }
            Value::Bool(false) => {}
            Value::Array(items) if items.is_empty() => {}
            Value::Array(items) => {
                words.push(format!("--{key}"));
                words.extend(items.iter().map(plain));
            }
            other => words.extend([format!("--{key}"), plain(&other)]),
        }
    }
    Ok((model, words))
}

/// As Python writes it.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
