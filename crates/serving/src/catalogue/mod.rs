//! The catalogue of models: a short name is enough to serve one.
//!
//! In: a name as people write it, and what a cluster adds (the `ConfigMap` `llm-operator-models`). Out: an [`Entry`] with
//! source, shape and sizes. It must not guess: an unknown name is unknown. Data is in `models.yaml`, the rules in `entry.rs`.

mod entry;
mod names;
mod precision;
mod raw;
mod recognize;
mod version;

use std::{collections::BTreeMap, fmt, sync::LazyLock};

pub use entry::{Attention, Entry, Shape, Variant};
pub use precision::{Precision, UnknownPrecision};
use raw::RawEntry;
pub use recognize::Recognized;
pub use version::Version;

use crate::source::ModelSource;

/// Name of the `ConfigMap` in the operator's namespace whose keys are short names and whose values are entries.
pub const CONFIG_MAP: &str = "llm-operator-models";

/// Models by name.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    entries: BTreeMap<String, Entry>,
    /// How the entries are written, for those that change a field of one.
    raw: BTreeMap<String, RawEntry>,
    /// Keys of names, aliases and repositories, and the entry each leads to.
    index: BTreeMap<String, String>,
    /// Entries that were left out, by the key of their name.
    wrong: BTreeMap<String, EntryError>,
}

/// An entry that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct EntryError {
    /// The entry's key.
    pub entry: String,
    /// The field below it; empty: the entry itself.
    pub field: String,
    /// What is wrong and what to write.
    pub message: String,
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.as_str() {
            "" => write!(f, "{}: {}", self.entry, self.message),
            field => write!(f, "{}.{field}: {}", self.entry, self.message),
        }
    }
}

/// A name that leads to no entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownModel {
    /// The name.
    pub name: String,
    /// Short names that are like it, the nearest first; at most three.
    pub nearest: Vec<String>,
    /// An entry of that name that was left out, and why.
    pub wrong: Option<EntryError>,
}

impl std::error::Error for UnknownModel {}

impl fmt::Display for UnknownModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(wrong) = &self.wrong {
            return write!(
                f,
                "the entry {:?} of the ConfigMap {CONFIG_MAP} is left out, as it cannot be read: {wrong}",
                self.name
            );
        }
        write!(f, "the catalogue has no model {:?}", self.name)?;
        if !self.nearest.is_empty() {
            write!(f, "; it has {}", self.nearest.join(", "))?;
        }
        write!(
            f,
            "; add it to the ConfigMap {CONFIG_MAP} of the operator's namespace, or say in serving.source where its weights come from"
        )
    }
}

/// Why the operator's own entries could not be read; empty, as a test proves.
type Builtin = (Catalogue, Vec<EntryError>);

static BUILTIN: LazyLock<Builtin> = LazyLock::new(|| {
    let text = include_str!("models.yaml");
    let read: Result<BTreeMap<String, RawEntry>, _> = serde_saphyr::from_str(text);
    match read {
        Ok(raw) => Catalogue::default().with(raw),
        Err(error) => {
            let error = EntryError {
                entry: "models.yaml".to_owned(),
                field: String::new(),
                message: error.to_string(),
            };
            (Catalogue::default(), vec![error])
        }
    }
});

impl Catalogue {
    /// The models that the operator knows without being told.
    pub fn builtin() -> &'static Self {
        &BUILTIN.0
    }

    /// This catalogue with what a cluster adds: each key a short name, each value an entry as YAML or JSON. A key that exists
    /// already changes only the fields that it names. Entries that are wrong are told, and the others hold.
    #[must_use]
    pub fn overridden_by(&self, data: &BTreeMap<String, String>) -> (Self, Vec<EntryError>) {
        let mut errors = Vec::new();
        let mut raw = BTreeMap::new();
        for (name, text) in data {
            match RawEntry::parse(name, text) {
                Ok(own) => {
                    let base = self.raw.get(name).cloned().unwrap_or_default();
                    raw.insert(name.clone(), own.over(base));
                }
                Err(error) => errors.push(error),
            }
        }
        let unreadable = errors.clone();
        let (mut catalogue, more) = self.clone().with(raw);
        errors.extend(more);
        for error in unreadable {
            catalogue.leave_out(error);
        }
        (catalogue, errors)
    }

    /// Every model, by short name.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// The model of that name: a short name or an alias, in any case and punctuation, or the repository it comes from
    /// (`org/name`, or only `name`). Another repository of the same family is another model.
    pub fn find(&self, name: &str) -> Result<&Entry, UnknownModel> {
        let found = self.index.get(&names::key(name));
        found
            .and_then(|name| self.entries.get(name))
            .ok_or_else(|| self.unknown(name))
    }

    fn with(mut self, raw: BTreeMap<String, RawEntry>) -> (Self, Vec<EntryError>) {
        let mut errors = Vec::new();
        let mut added = BTreeMap::new();
        for (name, raw) in raw {
            match Entry::parse(&name, raw.clone()) {
                Ok(entry) => {
                    added.insert(name.clone(), entry);
                    self.raw.insert(name, raw);
                }
                Err(error) => {
                    self.leave_out(error.clone());
                    errors.push(error);
                }
            }
        }
        for name in added.keys() {
            self.index.retain(|_, entry| entry != name);
        }
        // Whoever comes later may take an alias from what was there, but nobody takes another's short name.
        let mut taken: BTreeMap<String, String> = BTreeMap::new();
        for name in self.entries.keys().chain(added.keys()) {
            taken.insert(names::key(name), name.clone());
        }
        for (name, entry) in added {
            for (field, alias) in aliases(&entry) {
                let key = names::key(&alias);
                match taken.get(&key) {
                    Some(owner) if *owner != name => {
                        if field == "aliases" {
                            errors.push(EntryError {
                                entry: name.clone(),
                                field: field.to_owned(),
                                message: format!("{alias:?} is {owner}; the alias is left out"),
                            });
                        }
                    }
                    _ => {
                        taken.insert(key.clone(), name.clone());
                        self.index.insert(key, name.clone());
                    }
                }
            }
            self.index.insert(names::key(&name), name.clone());
            self.entries.insert(name, entry);
        }
        (self, errors)
    }

    fn leave_out(&mut self, error: EntryError) {
        self.wrong.insert(names::key(&error.entry), error);
    }

    fn unknown(&self, name: &str) -> UnknownModel {
        let last = name.rsplit('/').next().unwrap_or(name);
        let wanted: String = names::key(last).chars().take(128).collect();
        let mut nearest: Vec<(usize, &String)> = self
            .index
            .iter()
            .map(|(key, entry)| {
                let related = !wanted.is_empty() && (key.contains(&wanted) || wanted.contains(key.as_str()));
                let distance = names::distance(key, &wanted);
                (if related { distance / 3 } else { distance }, entry)
            })
            .filter(|(distance, _)| *distance <= (wanted.len() / 3).max(2))
            .collect();
        nearest.sort_unstable();
        let mut words: Vec<String> = Vec::new();
        for (_, entry) in nearest {
            if words.len() < 3 && !words.contains(entry) {
                words.push(entry.clone());
            }
        }
        UnknownModel {
            name: name.chars().take(256).collect(),
            nearest: words,
            wrong: self.wrong.get(&names::key(name)).cloned(),
        }
    }
}

/// The field and the name of everything by which an entry is found beside its short name.
fn aliases(entry: &Entry) -> Vec<(&'static str, String)> {
    let written = entry.aliases.iter().map(|alias| ("aliases", alias.clone()));
    let ollama = entry.ollama.iter().map(|name| ("ollama", name.clone()));
    let repository = entry
        .published_variant()
        .and_then(|variant| match &variant.source {
            ModelSource::HuggingFace { repository, .. } => Some(repository.as_str()),
            _ => None,
        });
    let repositories = repository.into_iter().flat_map(|repository| {
        let last = repository.rsplit('/').next().unwrap_or(repository);
        [("source", repository.to_owned()), ("source", last.to_owned())]
    });
    written.chain(ollama).chain(repositories).collect()
}

#[cfg(test)]
mod tests;
