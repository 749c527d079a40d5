//! What is known of a Pod's containers right now: changes by whoever runs them in, a snapshot and a wake-up out.
//! It must not know how any of it is written to the API.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, PodSpec};
use parking_lot::Mutex;
use tokio::sync::watch;

/// How a container's run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) started: Timestamp,
    pub(crate) finished: Timestamp,
    pub(crate) container_id: String,
}

/// A container's state as in its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Waiting { reason: String, message: String },
    Running { since: Timestamp },
    Ended(Ended),
}

/// What kind of container it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Runs to its end before the next one.
    Init,
    /// An init container with `restartPolicy: Always`.
    Sidecar,
    /// One of `spec.containers`.
    Main,
}

/// One container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) image: String,
    pub(crate) image_id: String,
    pub(crate) container_id: String,
    pub(crate) state: State,
    pub(crate) last: Option<Ended>,
    pub(crate) restarts: i32,
    /// The startup probe has succeeded, or there is none.
    pub(crate) started: bool,
    /// The readiness probe says so, or there is none.
    pub(crate) ready: bool,
}

impl Record {
    fn new(container: &Container, role: Role, waiting: &str) -> Self {
        Self {
            name: container.name.clone(),
            role,
            image: container.image.clone().unwrap_or_default(),
            image_id: String::new(),
            container_id: String::new(),
            state: State::Waiting {
                reason: waiting.to_owned(),
                message: String::new(),
            },
            last: None,
            restarts: 0,
            started: false,
            ready: false,
        }
    }

    pub(crate) fn running(&self) -> bool {
        matches!(self.state, State::Running { .. })
    }

    /// Counts as ready for the Pod's conditions and its own status.
    pub(crate) fn is_ready(&self) -> bool {
        match (&self.state, self.role) {
            (State::Ended(ended), Role::Init) => ended.code == 0,
            (State::Running { .. }, Role::Sidecar | Role::Main) => self.started && self.ready,
            _ => false,
        }
    }

    /// How the last run ended, whether or not the container waits for its next one.
    pub(crate) fn last_end(&self) -> Option<&Ended> {
        match &self.state {
            State::Ended(ended) => Some(ended),
            State::Waiting { .. } => self.last.as_ref(),
            State::Running { .. } => None,
        }
    }
}

/// A decision over the whole Pod: eviction or a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) reason: String,
    pub(crate) message: String,
}

impl Verdict {
    /// The Pod fails for this reason.
    pub(crate) fn failed(reason: &str, message: String) -> Self {
        Self {
            reason: reason.to_owned(),
            message,
        }
    }
}

/// All of a Pod's containers and what is decided over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) containers: Vec<Record>,
    /// Volumes are mounted and the network is up.
    pub(crate) sandbox: bool,
    /// Deletion has begun.
    pub(crate) terminating: bool,
    /// No container will run any more.
    pub(crate) finished: bool,
    pub(crate) verdict: Option<Verdict>,
}

/// The board that all parts of a Pod write on.
#[derive(Debug)]
pub(crate) struct Board {
    now: Mutex<Snapshot>,
    version: watch::Sender<u64>,
}

impl Board {
    pub(crate) fn new(spec: &PodSpec) -> Self {
        let inits: Vec<Record> = spec.init_containers.iter().flatten().map(init_record).collect();
        let waiting = if inits.is_empty() {
            "ContainerCreating"
        } else {
            "PodInitializing"
        };
        let mains = spec
            .containers
            .iter()
            .map(|c| Record::new(c, Role::Main, waiting));
        let now = Snapshot {
            containers: inits.into_iter().chain(mains).collect(),
            sandbox: false,
            terminating: false,
            finished: false,
            verdict: None,
        };
        Self {
            now: Mutex::new(now),
            version: watch::Sender::new(0),
        }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.now.lock().clone()
    }

    /// Wakes on every change after this call.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    pub(crate) fn container(&self, name: &str) -> Option<Record> {
        self.now
            .lock()
            .containers
            .iter()
            .find(|record| record.name == name)
            .cloned()
    }

    pub(crate) fn update(&self, name: &str, change: impl FnOnce(&mut Record)) {
        self.write(|now| {
            if let Some(record) = now.containers.iter_mut().find(|record| record.name == name) {
                change(record);
            }
        });
    }

    pub(crate) fn waiting(&self, name: &str, reason: &str, message: impl Into<String>) {
        let message = message.into();
        self.update(name, |record| {
            if let State::Ended(ended) = &record.state {
                record.last = Some(ended.clone());
            }
            record.state = State::Waiting {
                reason: reason.to_owned(),
                message,
            };
        });
    }

    pub(crate) fn sandbox_ready(&self) {
        self.write(|now| now.sandbox = true);
    }

    pub(crate) fn terminating(&self) {
        self.write(|now| now.terminating = true);
    }

    pub(crate) fn judge(&self, verdict: Verdict) {
        self.write(|now| now.verdict = Some(verdict));
    }

    /// Nothing runs and nothing will.
    pub(crate) fn finish(&self) {
        self.write(|now| now.finished = true);
    }

    fn write(&self, change: impl FnOnce(&mut Snapshot)) {
        let mut now = self.now.lock();
        let before = now.clone();
        change(&mut now);
        let differs = *now != before;
        drop(now);
        if differs {
            self.version.send_modify(|version| *version += 1);
        }
    }
}

fn init_record(container: &Container) -> Record {
    let sidecar = container.restart_policy.as_deref() == Some("Always");
    let role = if sidecar { Role::Sidecar } else { Role::Init };
    Record::new(container, role, "PodInitializing")
}
