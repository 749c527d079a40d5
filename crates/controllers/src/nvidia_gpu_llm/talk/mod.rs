//! Conversations with the Ollama servers in Pods, beside the reconciles: these never wait for one.
//!
//! In: which server is meant, and what is to be asked of it. Out: what was heard last; whoever listens is woken by news.
//! It must not decide what a status says, nor remember anything that has to outlive the process.

pub(super) mod look;
mod prompt;

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use reconcile::{ObjectKey, WorkQueue};
use tokio::task::AbortHandle;
use tracing::Instrument as _;

use super::ledger::Memory;
pub(super) use {look::gigabytes, prompt::Question};

/// A server that serves is looked at again after this time: somebody may have removed its model.
const AGAIN: Duration = Duration::from_mins(1);
/// One that could not be reached, after this time.
const UNREACHED: Duration = Duration::from_secs(3);
/// One that refused, after this time.
const REFUSED: Duration = Duration::from_secs(30);

/// One run of a server, and what is expected of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    /// Uid of the Pod.
    pub pod: Box<str>,
    /// Restarts of the container; with the Pod's uid, one run of the server.
    pub restarts: i32,
    /// Where it listens.
    pub address: SocketAddr,
    /// What is to be there.
    pub model: String,
    /// What it is for.
    pub stage: Stage,
}

/// What a server is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It runs beside the Pod's own pull; how far that is can be heard.
    Pulling,
    /// It serves: the model is to be present and in memory.
    Serving,
}

/// What was heard last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing yet.
    #[default]
    Nothing,
    /// The model is being pulled; how far, in words.
    Pulling(String),
    /// The model is there and is being read into memory.
    Loading,
    /// The model is in memory.
    Loaded {
        /// Bytes in memory, weights and cache.
        bytes: u64,
        /// Bytes of these on GPUs.
        on_gpus: u64,
    },
    /// The server could not be asked; why.
    Unreachable(String),
    /// The server answers, and not as Ollama does when it is well; what it says.
    Unwell(String),
    /// The model cannot be pulled; the server's words.
    NotPulled(String),
    /// The model is there and cannot be loaded; the server's words.
    NotLoaded(String),
}

impl Heard {
    /// Whether the other is no news: of one kind of trouble the first words stay, since they may name an amount or a time.
    fn says(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Unreachable(_), Self::Unreachable(_))
            | (Self::Unwell(_), Self::Unwell(_))
            | (Self::NotPulled(_), Self::NotPulled(_))
            | (Self::NotLoaded(_), Self::NotLoaded(_)) => true,
            _ => self == other,
        }
    }

    /// After this time there is something to ask again.
    pub(super) fn patience(&self) -> Duration {
        match self {
            Self::Unreachable(_) => UNREACHED,
            Self::Unwell(_) | Self::NotPulled(_) | Self::NotLoaded(_) => REFUSED,
            Self::Nothing | Self::Pulling(_) | Self::Loading | Self::Loaded { .. } => AGAIN,
        }
    }
}

/// All conversations. Clones are the same.
#[derive(Clone)]
pub(super) struct Talks {
    talks: Arc<Mutex<HashMap<ObjectKey, Talk>>>,
    queue: WorkQueue,
}

/// Conversations about one resource.
#[derive(Default)]
struct Talk {
    /// Uid of the resource: a successor of its name inherits nothing.
    resource: String,
    subject: Option<Subject>,
    heard: Heard,
    looking: Option<Running>,
    looked: Option<Instant>,
    memory: Memory,
    asking: Option<Running>,
    /// When a prompt did not leave, or the server was told to end.
    tried: Option<Instant>,
}

/// A task that ends when nobody wants its result any more.
struct Running(AbortHandle);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Running {
    fn start(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(work.in_current_span()).abort_handle())
    }

    fn is_over(&self) -> bool {
        self.0.is_finished()
    }
}

impl Talks {
    /// Conversations whose news wake by `queue`.
    pub(super) fn new(queue: WorkQueue) -> Self {
        Self {
            talks: Arc::default(),
            queue,
        }
    }

    /// What was heard of this server; it is asked now, or again, when that is due.
    pub(super) fn listen(&self, key: &ObjectKey, resource: &str, subject: &Subject) -> Heard {
        let mut talks = self.talks.lock();
        let talk = of(&mut talks, key, resource);
        if talk.subject.as_ref() != Some(subject) {
            talk.looking = None;
            talk.looked = None;
            talk.heard = Heard::Nothing;
            talk.subject = Some(subject.clone());
        }
        let over = talk.looking.as_ref().is_none_or(Running::is_over);
        let due = talk
            .looked
            .is_none_or(|looked| looked.elapsed() >= talk.heard.patience());
        if over && due {
            talk.looked = Some(Instant::now());
            let (talks, key, subject) = (self.clone(), key.clone(), subject.clone());
            talk.looking = Some(Running::start(
                async move { look::look(&talks, &key, &subject).await },
            ));
        }
        talk.heard.clone()
    }

    /// Nobody is there to be asked.
    pub(super) fn silence(&self, key: &ObjectKey) {
        if let Some(talk) = self.talks.lock().get_mut(key) {
            talk.subject = None;
            talk.looking = None;
            talk.looked = None;
            talk.heard = Heard::Nothing;
        }
    }

    /// Forgets a resource that is gone.
    pub(super) fn forget(&self, key: &ObjectKey) {
        self.talks.lock().remove(key);
    }

    /// Whether somebody else's time has come: `subject` is still the one that is meant.
    fn hear(&self, key: &ObjectKey, subject: &Subject, heard: Heard) {
        let mut talks = self.talks.lock();
        let Some(talk) = talks.get_mut(key) else { return };
        if talk.subject.as_ref() != Some(subject) {
            return;
        }
        // Whether a server that has served goes on serving is the Pod's probes' to say.
        if matches!(
            (&talk.heard, &heard),
            (Heard::Loaded { .. }, Heard::Unreachable(_))
        ) {
            return;
        }
        // Another try is no news until it comes further than the last one.
        let again = matches!(
            (&talk.heard, &heard),
            (Heard::NotLoaded(_), Heard::Loading) | (Heard::NotPulled(_), Heard::Pulling(_))
        );
        if again {
            return;
        }
        // The pause before the next question begins when this one has its answer.
        talk.looked = Some(Instant::now());
        if !talk.heard.says(&heard) {
            talk.heard = heard;
            drop(talks);
            self.queue.add(key.clone());
        }
    }
}

fn of<'a>(talks: &'a mut HashMap<ObjectKey, Talk>, key: &ObjectKey, resource: &str) -> &'a mut Talk {
    let talk = talks.entry(key.clone()).or_default();
    if talk.resource != resource {
        *talk = Talk {
            resource: resource.to_owned(),
            ..Talk::default()
        };
    }
    talk
}
