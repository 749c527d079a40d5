//! Models in memory: candidates of a repository in, loaded versions and the reasons of those that failed out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::journal::Journal;
use super::repository::{self, Candidate};
use crate::latency::{self, Profile};
use crate::models::Model;
use crate::process::{Context, Exit};
use crate::scheduler::{Limits, Scheduler};

/// What the server takes of the container's memory without models.
const SERVER: u64 = 800 << 20;
/// Starting the process and opening the GPUs.
const START: Duration = Duration::from_secs(4);

/// One version of a model, loaded or not.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) candidate: Candidate,
    pub(crate) number: u64,
    /// Why it is not ready; `None`: it is.
    pub(crate) failed: Option<String>,
    pub(crate) scheduler: Arc<Scheduler>,
    bytes: u64,
}

impl Version {
    /// Bytes in memory.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

fn numbers(versions: &[Version]) -> Vec<u64> {
    versions.iter().map(|version| version.number).collect()
}

/// All models by name, their versions in ascending order.
pub(crate) struct Registry {
    context: Context,
    journal: Journal,
    repositories: Vec<PathBuf>,
    complete: bool,
    models: Mutex<BTreeMap<String, Vec<Version>>>,
}

impl Registry {
    pub(crate) fn new(
        context: Context,
        journal: Journal,
        repositories: Vec<PathBuf>,
        complete: bool,
    ) -> Self {
        Self {
            context,
            journal,
            repositories,
            complete,
            models: Mutex::default(),
        }
    }

    /// Loads all models, or those that are named. `Ok(false)`: not all of them are there.
    pub(crate) async fn load_all(&self, only: Option<&[String]>) -> Result<bool, Exit> {
        self.context.use_memory(SERVER)?;
        self.wait(START).await;
        let (candidates, mut whole) = self.poll(only);
        for candidate in candidates {
            whole &= self.load(candidate).await?;
        }
        Ok(whole)
    }

    /// Loads one model again; the error is the real answer's.
    pub(crate) async fn reload(&self, name: &str) -> Result<(), String> {
        let (candidates, _) = self.poll(Some(&[name.to_owned()]));
        let Some(candidate) = candidates.into_iter().next() else {
            return Err(format!(
                "failed to load '{name}', failed to poll from model repository"
            ));
        };
        match self.load(candidate).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("load failed for model '{name}'")),
            Err(_) => Err("CUDA or host memory exhausted".to_owned()),
        }
    }

    /// Poll mode: looks at the repositories for ever, loads what is new or has other versions, drops what has gone.
    pub(crate) async fn watch(&self, seconds: u64) {
        loop {
            self.wait(Duration::from_secs(seconds.max(1))).await;
            // Loading of nothing takes no time when time runs without end.
            tokio::time::sleep(Duration::from_millis(10)).await;
            let (candidates, _) = self.poll(None);
            self.models
                .lock()
                .retain(|name, _| candidates.iter().any(|candidate| candidate.name == *name));
            for candidate in candidates {
                let wanted = candidate.versions().unwrap_or_default();
                let loaded = self.models.lock().get(&candidate.name).map(|all| numbers(all));
                if loaded.is_none_or(|loaded| loaded != wanted) {
                    // Out of memory ends a model here, not the server; the log has said why.
                    let _ = self.load(candidate).await;
                }
            }
        }
    }

    /// Takes a model out of memory.
    pub(crate) fn unload(&self, name: &str) -> bool {
        self.models.lock().remove(name).is_some()
    }

    /// The version that a request means: the one named, else the latest that is ready.
    pub(crate) fn find(&self, name: &str, version: Option<u64>) -> Result<Version, String> {
        let models = self.models.lock();
        let versions = models.get(name);
        let versions = versions.ok_or_else(|| format!("Request for unknown model: '{name}' is not found"))?;
        let found = match version {
            Some(wanted) => versions.iter().find(|known| known.number == wanted),
            None => versions.iter().rev().find(|known| known.failed.is_none()),
        };
        match (found, version) {
            (Some(found), _) if found.failed.is_none() => Ok(found.clone()),
            (Some(found), _) => Err(format!(
                "Request for unknown model: '{name}' version {} is not at ready state",
                found.number
            )),
            (None, Some(wanted)) => Err(format!(
                "Request for unknown model: '{name}' version {wanted} is not found"
            )),
            (None, None) => Err(format!(
                "Request for unknown model: '{name}' has no available versions"
            )),
        }
    }

    /// Every version of every model.
    pub(crate) fn list(&self) -> Vec<Version> {
        self.models.lock().values().flatten().cloned().collect()
    }

    /// Whether everything that was found is ready.
    pub(crate) fn is_whole(&self) -> bool {
        let models = self.models.lock();
        models
            .values()
            .all(|versions| !versions.is_empty() && versions.iter().all(|v| v.failed.is_none()))
    }

    /// Reads the repositories; `false` beside the candidates: something in them was refused.
    fn poll(&self, only: Option<&[String]>) -> (Vec<Candidate>, bool) {
        let (mut found, mut whole) = (BTreeMap::new(), true);
        for repository in &self.repositories {
            let host = self.context.spec.files.resolve(repository);
            let names = match repository::models(&host, repository) {
                Ok(names) => names,
                Err(error) => {
                    let message = format!(
                        "failed to poll model repository '{}': {error}",
                        repository.display()
                    );
                    self.journal.error("model_repository_manager.cc:1223", &message);
                    whole = false;
                    continue;
                }
            };
            for name in names
                .into_iter()
                .filter(|name| only.is_none_or(|only| only.contains(name)))
            {
                match self.candidate(repository, &name) {
                    Ok(candidate) => {
                        found.insert(name, candidate);
                    }
                    Err(error) => {
                        let message = format!("Poll failed for model directory '{name}': {error}");
                        self.journal.error("model_repository_manager.cc:1325", &message);
                        whole = false;
                    }
                }
            }
        }
        let missing = only
            .into_iter()
            .flatten()
            .filter(|name| !found.contains_key(*name));
        for name in missing {
            let message = format!("failed to poll model '{name}': not found in any model repository");
            self.journal.error("model_repository_manager.cc:1237", &message);
            whole = false;
        }
        (found.into_values().collect(), whole)
    }

    fn candidate(&self, repository: &Path, name: &str) -> Result<Candidate, String> {
        let path = repository.join(name);
        let host = self.context.spec.files.resolve(&path);
        repository::candidate(&host, &path, name, self.complete)
    }

    /// `Ok(false)`: a version failed, and its log says why.
    async fn load(&self, candidate: Candidate) -> Result<bool, Exit> {
        let name = candidate.name.clone();
        let versions = match candidate.versions() {
            Ok(versions) => versions,
            Err(error) => {
                let message = format!("failed to load model '{name}': {error}");
                self.journal.error("model_repository_manager.cc:580", &message);
                self.models.lock().insert(name, Vec::new());
                return Ok(false);
            }
        };
        let mut loaded = Vec::new();
        for version in versions {
            self.journal
                .info("model_lifecycle.cc:461", &format!("loading: {name}:{version}"));
            let one = self.load_version(&candidate, version).await?;
            if let Some(error) = &one.failed {
                let message = format!("failed to load '{name}' version {version}: {error}");
                self.journal.error("model_lifecycle.cc:621", &message);
            }
            loaded.push(one);
        }
        let whole = loaded.iter().all(|version| version.failed.is_none());
        let message = if whole {
            format!("successfully loaded '{name}'")
        } else {
            format!("failed to load '{name}'")
        };
        self.journal.info("model_lifecycle.cc:818", &message);
        self.models.lock().insert(name, loaded);
        Ok(whole)
    }

    async fn load_version(&self, candidate: &Candidate, version: u64) -> Result<Version, Exit> {
        let spec = &self.context.spec;
        let sized = candidate.size(version, spec.gpus.len());
        let bytes = sized.as_ref().copied().unwrap_or(0);
        let others: u64 = self.list().iter().map(|other| other.bytes).sum();
        let gpu = spec.gpus.first();
        let mut failed = sized.err();
        match gpu {
            Some(gpu) if others + bytes > gpu.memory => {
                failed = Some("Internal: CUDA error: out of memory".to_owned());
            }
            Some(_) => {}
            None => self.context.use_memory(SERVER + others + bytes)?,
        }
        if failed.is_none() {
            self.wait(latency::weight_loading(bytes)).await;
        }
        let shape = Model::by_name(&candidate.name);
        let gpus = spec.gpus.get(..1).unwrap_or_default();
        let limits = Limits {
            sequences: u64::try_from(candidate.max_batch_size.max(1)).unwrap_or(1),
            kv_tokens: 1 << 18,
        };
        Ok(Version {
            candidate: candidate.clone(),
            number: version,
            bytes: if failed.is_none() { bytes } else { 0 },
            failed,
            scheduler: Scheduler::new(Profile::of(&shape, gpus), limits, spec.speed),
        })
    }

    async fn wait(&self, real: Duration) {
        let time = self.context.spec.speed.load_time(real);
        self.context.faults.load_for(time).await;
    }
}
