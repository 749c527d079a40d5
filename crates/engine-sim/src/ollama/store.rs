//! Ollama's models folder: names in, manifests and blobs on the container's volume out.
//! The layout is the real one (`manifests/HOST/NAMESPACE/MODEL/TAG`, `blobs/sha256-…`); blobs are sparse files.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Value, json};

use super::name::Name;
use crate::filesystem::{FileError, Filesystem};
use crate::models::Model;

/// The folder.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    files: Filesystem,
    dir: PathBuf,
}

/// A model that is there.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) name: Name,
    /// The published model that it is (a copy of).
    pub(crate) origin: Name,
    pub(crate) bytes: u64,
    pub(crate) digest: String,
    pub(crate) modified: SystemTime,
}

impl Store {
    /// Opens the folder, making what is missing.
    pub(crate) fn open(files: Filesystem, dir: PathBuf) -> Result<Self, FileError> {
        files.make_dir(&dir.join("blobs"))?;
        files.make_dir(&dir.join("manifests"))?;
        Ok(Self { files, dir })
    }

    /// Stores a pulled model.
    pub(crate) fn add(&self, name: &Name) -> Result<(), FileError> {
        let (digest, bytes) = (name.digest("model"), size(name));
        let blob = self.blob(&digest);
        if std::fs::metadata(self.files.resolve(&blob))
            .map(|found| found.len())
            .ok()
            != Some(bytes)
        {
            self.files.write_sparse(&blob, bytes)?;
        }
        let manifest = json!({
            "schemaVersion": 2,
            "annotations": {"origin": name.short()},
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": format!("sha256:{digest}"), "size": bytes}],
        });
        self.files
            .write(&self.manifest(name), manifest.to_string().as_bytes())
    }

    /// The model, when manifest and blob are there.
    pub(crate) fn find(&self, name: &Name) -> Option<Stored> {
        let path = self.files.resolve(&self.manifest(name));
        let manifest: Value = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
        let layer = manifest.get("layers")?.get(0)?;
        let digest = layer.get("digest")?.as_str()?.strip_prefix("sha256:")?.to_owned();
        let bytes = layer.get("size")?.as_u64()?;
        let origin = manifest
            .pointer("/annotations/origin")
            .and_then(Value::as_str)
            .and_then(Name::parse);
        let found = std::fs::metadata(self.files.resolve(&self.blob(&digest))).ok()?;
        let modified = std::fs::metadata(&path)
            .and_then(|m| m.modified())
            .unwrap_or(SystemTime::UNIX_EPOCH);
        (found.len() == bytes).then(|| Stored {
            origin: origin.unwrap_or_else(|| name.clone()),
            name: name.clone(),
            bytes,
            digest,
            modified,
        })
    }

    /// Gives a model another name; `false` when there is none.
    pub(crate) fn copy(&self, from: &Name, to: &Name) -> Result<bool, FileError> {
        if self.find(from).is_none() {
            return Ok(false);
        }
        let path = self.manifest(from);
        let content =
            std::fs::read(self.files.resolve(&path)).map_err(|source| FileError::Io { path, source })?;
        self.files.write(&self.manifest(to), &content).map(|()| true)
    }

    /// All models, the youngest first.
    pub(crate) fn list(&self) -> Vec<Stored> {
        let root = self.files.resolve(&self.dir.join("manifests"));
        let mut names = Vec::new();
        collect(&root, &mut Vec::new(), &mut names);
        let mut all: Vec<_> = names.iter().filter_map(|name| self.find(name)).collect();
        all.sort_by(|a, b| b.modified.cmp(&a.modified).then_with(|| a.name.cmp(&b.name)));
        all
    }

    /// Removes a model, and its blob when no other name needs it; `false` when there is none.
    pub(crate) fn remove(&self, name: &Name) -> Result<bool, FileError> {
        let Some(stored) = self.find(name) else {
            return Ok(false);
        };
        let shared = self
            .list()
            .iter()
            .any(|other| other.name != *name && other.digest == stored.digest);
        let blob = (!shared).then(|| self.blob(&stored.digest));
        for path in [Some(self.manifest(name)), blob].into_iter().flatten() {
            self.files.may_write(&path)?;
            std::fs::remove_file(self.files.resolve(&path))
                .map_err(|source| FileError::Io { path, source })?;
        }
        Ok(true)
    }

    fn blob(&self, digest: &str) -> PathBuf {
        self.dir.join("blobs").join(format!("sha256-{digest}"))
    }

    fn manifest(&self, name: &Name) -> PathBuf {
        self.dir.join("manifests").join(name.path())
    }
}

/// Walks host, namespace, model and tag.
fn collect(dir: &Path, above: &mut Vec<String>, names: &mut Vec<Name>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        above.push(entry.file_name().to_string_lossy().into_owned());
        match above.as_slice() {
            [host, namespace, model, tag] => names.push(Name {
                host: host.clone(),
                namespace: namespace.clone(),
                model: model.clone(),
                tag: tag.clone(),
            }),
            _ => collect(&entry.path(), above, names),
        }
        above.pop();
    }
}

/// The architecture behind a name, at the precision that its tag says (4 bits by default).
pub(crate) fn shape(name: &Name) -> Model {
    let mut shape = Model::by_name(&format!("{}:{}", name.model, name.tag));
    let tag = name.tag.to_lowercase();
    shape.bytes_per_parameter = match () {
        () if tag.contains("fp16") || tag.contains("f16") || tag.contains("bf16") => 2.0,
        () if tag.contains("q8") => 1.06,
        () => 0.58,
    };
    shape
}

/// Bytes of a model's weights.
pub(crate) fn size(name: &Name) -> u64 {
    shape(name).weight_bytes()
}
