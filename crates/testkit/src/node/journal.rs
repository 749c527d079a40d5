//! What tests ask of the engines' journal: its file in, counts by namespace out. It must not change anything.

use std::path::Path;

use engine_sim::journal;
pub use engine_sim::journal::{Entry, Event};

/// Entries of engines, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records(Vec<Entry>);

impl Records {
    /// None when the file cannot be read: the nodes have gone.
    pub(crate) fn read(file: &Path) -> Self {
        Self(journal::read(file).unwrap_or_else(|error| {
            tracing::warn!(file = %file.display(), %error, "the journal of the engines cannot be read");
            Vec::new()
        }))
    }

    /// All entries.
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// Only those of this namespace.
    #[must_use]
    pub fn of(&self, namespace: &str) -> Self {
        let entries = self.0.iter().filter(|entry| entry.owner.namespace == namespace);
        Self(entries.cloned().collect())
    }

    /// Only those of this Pod's container.
    #[must_use]
    pub fn of_container(&self, namespace: &str, pod: &str, container: &str) -> Self {
        let of = |entry: &&Entry| {
            let owner = &entry.owner;
            owner.namespace == namespace && owner.pod == pod && owner.container == container
        };
        Self(self.0.iter().filter(of).cloned().collect())
    }

    /// Only those of the Pod with this uid: of one incarnation of a name.
    #[must_use]
    pub fn of_uid(&self, uid: &str) -> Self {
        let entries = self.0.iter().filter(|entry| entry.owner.uid == uid);
        Self(entries.cloned().collect())
    }

    /// Prompts in the order in which they came, by whatever path.
    pub fn prompts(&self) -> Vec<&str> {
        let prompts = self.0.iter().filter_map(|entry| match &entry.event {
            Event::Prompt { prompt, .. } => Some(prompt.as_str()),
            Event::Load { .. } | Event::Download { .. } => None,
        });
        prompts.collect()
    }

    /// How many times exactly this prompt was received.
    pub fn times_asked(&self, prompt: &str) -> usize {
        self.prompts()
            .into_iter()
            .filter(|asked| *asked == prompt)
            .count()
    }

    /// How many downloads of this model's weights began; joining one that is under way is none.
    pub fn downloads(&self, model: &str) -> usize {
        let of =
            |entry: &&Entry| matches!(&entry.event, Event::Download { model: name, .. } if name == model);
        self.0.iter().filter(of).count()
    }

    /// How many times this model was put into memory.
    pub fn loads(&self, model: &str) -> usize {
        let of = |entry: &&Entry| matches!(&entry.event, Event::Load { model: name } if name == model);
        self.0.iter().filter(of).count()
    }
}
