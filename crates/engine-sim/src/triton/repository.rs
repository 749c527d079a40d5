//! A model repository: folders of the container in, models that can be loaded or the real reasons why not out.
//! The configuration is completed from what lies in the version folder, unless that is switched off. It loads nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::proto::{self, Fields};

/// Backends of the image, the file that each wants, and its platform's name.
const BACKENDS: &[(&str, &str, &str)] = &[
    ("tensorrt", "model.plan", "tensorrt_plan"),
    ("onnxruntime", "model.onnx", "onnxruntime_onnx"),
    ("openvino", "model.xml", ""),
    ("pytorch", "model.pt", "pytorch_libtorch"),
    ("python", "model.py", ""),
    ("tensorflow", "model.savedmodel", "tensorflow_savedmodel"),
    ("tensorflow", "model.graphdef", "tensorflow_graphdef"),
    ("dali", "model.dali", ""),
    ("fil", "xgboost.model", ""),
];
/// Backends that want no file.
const WITHOUT_FILE: &[&str] = &["identity", "repeat", "square"];

/// A tensor of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    /// As requests name it: `FP32`.
    pub(crate) datatype: String,
    pub(crate) shape: Vec<i64>,
}

/// A model that passed the poll.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) name: String,
    pub(crate) backend: String,
    pub(crate) platform: String,
    pub(crate) file: String,
    /// The container's path.
    pub(crate) path: PathBuf,
    /// This machine's.
    host: PathBuf,
    pub(crate) max_batch_size: i64,
    pub(crate) inputs: Vec<Tensor>,
    pub(crate) outputs: Vec<Tensor>,
    policy: Policy,
}

#[derive(Clone, Debug, PartialEq)]
enum Policy {
    Latest(usize),
    All,
    Specific(BTreeSet<u64>),
}

/// Folders of the repository, or why it cannot be read.
pub(crate) fn models(host: &Path, path: &Path) -> Result<Vec<String>, String> {
    folders(host).map_err(|_| format!("failed to open directory {}", path.display()))
}

/// Reads one model's configuration, completed where it may be.
pub(crate) fn candidate(host: &Path, path: &Path, name: &str, complete: bool) -> Result<Candidate, String> {
    let config_path = path.join("config.pbtxt");
    let text = std::fs::read_to_string(host.join("config.pbtxt"));
    let fields = match text {
        Ok(text) => proto::parse(&text)
            .map_err(|_| format!("failed to read text proto from {}", config_path.display()))?,
        Err(_) if complete => Fields::new(),
        Err(_) => {
            return Err(format!(
                "failed to open text file for read {}: No such file or directory",
                config_path.display()
            ));
        }
    };
    let told = proto::plain(&fields, "name").unwrap_or(name);
    let (backend, platform, file) = backend(host, name, &fields)?;
    if told != name {
        return Err(format!(
            "unexpected directory name '{name}' for model '{told}', directory name must equal model name"
        ));
    }
    let number = |field| proto::plain(&fields, field).and_then(|text| text.parse().ok());
    let candidate = Candidate {
        name: name.to_owned(),
        backend,
        platform,
        file,
        path: path.to_owned(),
        host: host.to_owned(),
        max_batch_size: number("max_batch_size").unwrap_or(0),
        inputs: proto::messages(&fields, "input").map(tensor).collect(),
        outputs: proto::messages(&fields, "output").map(tensor).collect(),
        policy: policy(&fields),
    };
    if !complete && (candidate.inputs.is_empty() || candidate.outputs.is_empty()) {
        let which = if candidate.inputs.is_empty() {
            "input"
        } else {
            "output"
        };
        return Err(format!(
            "model configuration must specify at least one {which} for {name}"
        ));
    }
    Ok(candidate)
}

impl Candidate {
    /// Versions that the policy chooses among the folders with positive numbers.
    pub(crate) fn versions(&self) -> Result<Vec<u64>, String> {
        let is_version = |name: &String| !name.starts_with('0') && name.chars().all(|c| c.is_ascii_digit());
        let folders = folders(&self.host).unwrap_or_default();
        let mut all: Vec<u64> = folders
            .iter()
            .filter(|n| is_version(n))
            .filter_map(|n| n.parse().ok())
            .collect();
        all.sort_unstable();
        let chosen = match &self.policy {
            Policy::All => all,
            Policy::Latest(count) => all.split_off(all.len().saturating_sub(*count)),
            Policy::Specific(wanted) => all
                .into_iter()
                .filter(|version| wanted.contains(version))
                .collect(),
        };
        if chosen.is_empty() {
            return Err(format!(
                "at least one version must be available under the version policy of model '{}'",
                self.name
            ));
        }
        Ok(chosen)
    }

    /// Bytes to read for a version, or why its backend refuses it.
    pub(crate) fn size(&self, version: u64, gpus: usize) -> Result<u64, String> {
        let version_path = self.path.join(version.to_string());
        let known = BACKENDS.iter().any(|(backend, _, _)| *backend == self.backend);
        if WITHOUT_FILE.contains(&self.backend.as_str()) {
            return Ok(0);
        }
        if !known {
            return Err(format!(
                "Invalid argument: unable to find 'libtriton_{backend}.so' or '{backend}/model.py' for model '{model}', \
                 searched: {version}, {path}, /opt/tritonserver/backends/{backend}",
                backend = self.backend,
                model = self.name,
                version = version_path.display(),
                path = self.path.display(),
            ));
        }
        let file = version_path.join(&self.file);
        let host = self.host.join(version.to_string()).join(&self.file);
        if !host.exists() {
            return Err(format!(
                "Internal: unable to find '{}' for model '{}'",
                file.display(),
                self.name
            ));
        }
        if self.backend == "tensorrt" && gpus == 0 {
            return Err(
                "Internal: unable to load plan file to auto complete config: no CUDA device".to_owned(),
            );
        }
        let bytes = if host.is_dir() {
            crate::filesystem::used(&host)
        } else {
            std::fs::metadata(&host).map_or(0, |metadata| metadata.len())
        };
        if bytes == 0 || is_page(&host) {
            return Err(format!(
                "Internal: failed to load model '{}': '{}' is no file of this backend",
                self.name,
                file.display()
            ));
        }
        Ok(bytes)
    }
}

/// An error page that somebody saved as a model.
fn is_page(path: &Path) -> bool {
    use std::io::Read as _;
    let mut first = [0; 1];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut first));
    read.is_ok() && first == *b"<" && path.extension().is_none_or(|end| end != "xml")
}

/// Backend, platform and file: as configured, then by the file in the first version folder, then by the model's name.
fn backend(host: &Path, name: &str, fields: &Fields) -> Result<(String, String, String), String> {
    let given = |field| proto::plain(fields, field).unwrap_or_default().to_owned();
    let (mut backend, mut platform, mut file) = (
        given("backend"),
        given("platform"),
        given("default_model_filename"),
    );
    if platform == "ensemble" {
        return Err(format!(
            "unexpected platform type 'ensemble' for {name}: ensembles are not simulated"
        ));
    }
    let bare = backend.is_empty() && platform.is_empty() && file.is_empty();
    let first = folders(host).unwrap_or_default().into_iter().next();
    let holds = |wanted: &str| {
        first
            .as_ref()
            .is_some_and(|version| host.join(version).join(wanted).exists())
    };
    let fits = |row: &&(&str, &str, &str)| {
        let (known, wanted, its_platform) = **row;
        let by_platform = !platform.is_empty() && platform == its_platform;
        let by_file = platform.is_empty() && file == wanted;
        if backend.is_empty() {
            by_platform || by_file || (bare && known != "dali" && known != "fil" && holds(wanted))
        } else {
            backend == known && (platform.is_empty() || by_platform)
        }
    };
    if let Some((known, wanted, its_platform)) = BACKENDS.iter().find(fits) {
        (*known).clone_into(&mut backend);
        if platform.is_empty() {
            (*its_platform).clone_into(&mut platform);
        }
        if file.is_empty() {
            (*wanted).clone_into(&mut file);
        }
        return Ok((backend, platform, file));
    }
    if bare {
        // `model.identity` is a model of the backend `identity`.
        let Some((_, told)) = name.split_once('.') else {
            return Err(format!(
                "Invalid model name: Could not determine backend for model '{name}' with no backend in model \
                 configuration. Expected model name of the form 'model.<backend_name>'."
            ));
        };
        return Ok((told.to_owned(), String::new(), format!("model.{told}")));
    }
    if backend.is_empty() {
        return Err(format!("unexpected platform type '{platform}' for {name}"));
    }
    Ok((backend, platform, file))
}

fn policy(fields: &Fields) -> Policy {
    let Some(policy) = proto::messages(fields, "version_policy").next() else {
        return Policy::Latest(1);
    };
    if proto::messages(policy, "all").next().is_some() {
        return Policy::All;
    }
    if let Some(specific) = proto::messages(policy, "specific").next() {
        return Policy::Specific(
            proto::plains(specific, "versions")
                .filter_map(|v| v.parse().ok())
                .collect(),
        );
    }
    let latest = proto::messages(policy, "latest").next();
    let count = latest.and_then(|latest| proto::plain(latest, "num_versions")?.parse().ok());
    Policy::Latest(count.unwrap_or(1))
}

fn tensor(fields: &Fields) -> Tensor {
    let datatype = proto::plain(fields, "data_type").unwrap_or_default();
    let datatype = datatype.trim_start_matches("TYPE_");
    Tensor {
        name: proto::plain(fields, "name").unwrap_or_default().to_owned(),
        datatype: if datatype == "STRING" { "BYTES" } else { datatype }.to_owned(),
        shape: proto::plains(fields, "dims")
            .filter_map(|dim| dim.parse().ok())
            .collect(),
    }
}

/// Names of the folders in a folder, sorted.
fn folders(host: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(host)? {
        let entry = entry?;
        if entry.path().is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}
