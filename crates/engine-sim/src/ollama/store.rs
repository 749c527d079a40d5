//! Ollama's models folder: names in, manifests and blobs on the container's volume out.
//! The layout is the real one (`manifests/HOST/NAMESPACE/MODEL/TAG`, `blobs/sha256-…`, and beside it `-partial` and
//! `-partial-N` while it is being downloaded); blobs are sparse files.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::library::{self, Layer};
use super::name::Name;
use crate::filesystem::{FileError, Filesystem};

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
    /// Bytes of all layers.
    pub(crate) bytes: u64,
    /// Of the manifest: copies have the same.
    pub(crate) digest: String,
    /// Of the weights.
    pub(crate) blob: String,
    pub(crate) modified: SystemTime,
}

/// A piece of a blob that is downloaded on its own, as its file says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Part {
    n: u64,
    offset: u64,
    pub(crate) size: u64,
    pub(crate) completed: u64,
}

/// Ollama's bounds of a part's size, and how many parts it wants.
const SMALLEST_PART: u64 = 100_000_000;
const LARGEST_PART: u64 = 1_000_000_000;
const PARTS: u64 = 16;

fn parts_of(bytes: u64) -> Vec<Part> {
    let size = (bytes / PARTS).clamp(SMALLEST_PART, LARGEST_PART);
    let part = |n: u64| Part {
        n,
        offset: n * size,
        size: size.min(bytes - n * size),
        completed: 0,
    };
    (0..bytes.div_ceil(size)).map(part).collect()
}

impl Store {
    /// Opens the folder, making what is missing.
    pub(crate) fn open(files: Filesystem, dir: PathBuf) -> Result<Self, FileError> {
        files.make_dir(&dir.join("blobs"))?;
        files.make_dir(&dir.join("manifests"))?;
        Ok(Self { files, dir })
    }

    /// The folder.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Names a model whose layers are all there.
    pub(crate) fn add(&self, name: &Name) -> Result<(), FileError> {
        let layer = |layer: &Layer| json!({"mediaType": layer.media_type, "digest": format!("sha256:{}", layer.digest), "size": layer.bytes});
        let layers = library::layers(name);
        let manifest = json!({
            "schemaVersion": 2,
            "annotations": {"origin": name.short()},
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "layers": layers.iter().map(layer).collect::<Vec<_>>(),
        });
        self.files
            .write(&self.manifest(name), manifest.to_string().as_bytes())
    }

    /// Whether the whole layer is there.
    pub(crate) fn has(&self, layer: &Layer) -> bool {
        let found = std::fs::metadata(self.files.resolve(&self.blob(&layer.digest)));
        found.is_ok_and(|found| found.len() == layer.bytes)
    }

    /// Begins a download or goes on with one: its parts and how far they are.
    pub(crate) fn begin(&self, layer: &Layer) -> Result<Vec<Part>, FileError> {
        let read = |n: usize| {
            let bytes = std::fs::read(self.files.resolve(&self.part(layer, n))).ok()?;
            serde_json::from_slice(&bytes).ok()
        };
        let mut parts: Vec<Part> = (0..).map_while(read).collect();
        if parts.iter().map(|part| part.size).sum::<u64>() != layer.bytes {
            parts = parts_of(layer.bytes);
            self.save(layer, &parts)?;
        }
        let partial = self.partial(layer);
        let whole = std::fs::metadata(self.files.resolve(&partial)).is_ok_and(|m| m.len() == layer.bytes);
        if !whole {
            self.files.write_sparse(&partial, layer.bytes)?;
        }
        Ok(parts)
    }

    /// Keeps how far the parts are.
    pub(crate) fn save(&self, layer: &Layer, parts: &[Part]) -> Result<(), FileError> {
        for (n, part) in parts.iter().enumerate() {
            // Plain data always has a JSON form.
            let json = serde_json::to_vec(part).unwrap_or_default();
            self.files.write(&self.part(layer, n), &json)?;
        }
        Ok(())
    }

    /// Makes a downloaded layer the blob.
    pub(crate) fn finish(&self, layer: &Layer, parts: &[Part]) -> Result<(), FileError> {
        for n in 0..parts.len() {
            self.delete(&self.part(layer, n))?;
        }
        let (from, to) = (self.partial(layer), self.blob(&layer.digest));
        std::fs::rename(self.files.resolve(&from), self.files.resolve(&to))
            .map_err(|source| FileError::Io { path: from, source })
    }

    /// The file that a download writes to.
    pub(crate) fn partial(&self, layer: &Layer) -> PathBuf {
        let mut path = self.blob(&layer.digest).into_os_string();
        path.push("-partial");
        path.into()
    }

    fn part(&self, layer: &Layer, n: usize) -> PathBuf {
        let mut path = self.partial(layer).into_os_string();
        path.push(format!("-{n}"));
        path.into()
    }

    /// Removes what no model needs, unfinished downloads included, as a server does when it starts: how many blobs there
    /// were and how many of them have gone.
    pub(crate) fn prune(&self) -> Result<(usize, usize), FileError> {
        let needed: Vec<String> = self
            .list()
            .iter()
            .flat_map(|stored| self.blobs_of(&stored.name))
            .collect();
        let folder = self.dir.join("blobs");
        let (mut all, mut gone) = (0, 0);
        for entry in std::fs::read_dir(self.files.resolve(&folder))
            .into_iter()
            .flatten()
            .flatten()
        {
            let file = entry.file_name().to_string_lossy().into_owned();
            let digest = file
                .strip_prefix("sha256-")
                .filter(|digest| !digest.contains('-'));
            if digest.is_some_and(|digest| needed.iter().any(|needed| needed == digest)) {
                all += 1;
                continue;
            }
            if digest.is_some() {
                all += 1;
                gone += 1;
            }
            self.delete(&folder.join(file))?;
        }
        Ok((all, gone))
    }

    fn read_manifest(&self, name: &Name) -> Option<Value> {
        let path = self.files.resolve(&self.manifest(name));
        serde_json::from_slice(&std::fs::read(&path).ok()?).ok()
    }

    /// Digests of all layers of a model.
    fn blobs_of(&self, name: &Name) -> Vec<String> {
        let manifest = self.read_manifest(name).unwrap_or_default();
        let digest = |layer: &Value| Some(layer["digest"].as_str()?.strip_prefix("sha256:")?.to_owned());
        let layers = manifest["layers"].as_array();
        layers.into_iter().flatten().filter_map(digest).collect()
    }

    fn delete(&self, path: &Path) -> Result<(), FileError> {
        self.files.may_write(path)?;
        std::fs::remove_file(self.files.resolve(path)).map_err(|source| FileError::Io {
            path: path.to_owned(),
            source,
        })
    }

    /// The model, when manifest and blobs are there.
    pub(crate) fn find(&self, name: &Name) -> Option<Stored> {
        let manifest = self.read_manifest(name)?;
        let origin = manifest
            .pointer("/annotations/origin")
            .and_then(Value::as_str)
            .and_then(Name::parse);
        let mut bytes = 0;
        for layer in manifest.get("layers")?.as_array()? {
            let digest = layer.get("digest")?.as_str()?.strip_prefix("sha256:")?;
            let size = layer.get("size")?.as_u64()?;
            let found = std::fs::metadata(self.files.resolve(&self.blob(digest))).ok()?;
            if found.len() != size {
                return None;
            }
            bytes += size;
        }
        let modified = std::fs::metadata(self.files.resolve(&self.manifest(name)))
            .and_then(|m| m.modified())
            .unwrap_or(SystemTime::UNIX_EPOCH);
        let origin = origin.unwrap_or_else(|| name.clone());
        Some(Stored {
            digest: library::digest(&origin, "manifest"),
            blob: self.blobs_of(name).into_iter().next()?,
            origin,
            name: name.clone(),
            bytes,
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

    /// Removes a model, and those of its blobs that no other name needs; `false` when there is none.
    pub(crate) fn remove(&self, name: &Name) -> Result<bool, FileError> {
        if self.find(name).is_none() {
            return Ok(false);
        }
        let own = self.blobs_of(name);
        self.delete(&self.manifest(name))?;
        let needed: Vec<String> = self
            .list()
            .iter()
            .flat_map(|stored| self.blobs_of(&stored.name))
            .collect();
        for digest in own.iter().filter(|digest| !needed.contains(digest)) {
            self.delete(&self.blob(digest))?;
        }
        Ok(true)
    }

    fn blob(&self, digest: &str) -> PathBuf {
        self.dir.join("blobs").join(format!("sha256-{digest}"))
    }

    pub(crate) fn manifest(&self, name: &Name) -> PathBuf {
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
