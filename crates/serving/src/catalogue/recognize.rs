//! What a free name probably means.
//!
//! In: the name of any repository, folder or tag. Out: the entry whose network it has, and the precision that the name tells.
//! For advice ([`fit`](crate::fit)) and budgets of time only: nothing may be loaded by it.

use super::{
    Catalogue, Entry, Precision,
    names::{key, shape_key},
};

/// A model that a name is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recognized<'a> {
    /// Its network.
    pub entry: &'a Entry,
    /// How its weights are stored, by the name.
    pub precision: Precision,
}

impl Recognized<'_> {
    /// Bytes of the weights.
    pub fn weights_bytes(&self) -> u64 {
        self.entry.weights_bytes(self.precision)
    }
}

impl Catalogue {
    /// The entry of that name, else the one whose name with a size is the longest that the name contains.
    pub fn recognize(&self, name: &str) -> Option<Recognized<'_>> {
        let entry = self
            .find(name)
            .ok()
            .or_else(|| self.containing(&key(name)))
            .or_else(|| self.containing(&shape_key(name)))?;
        Some(Recognized {
            entry,
            precision: Precision::told_by(name).unwrap_or(entry.published),
        })
    }

    /// [`recognize`](Self::recognize) for Ollama's library, where a name without a precision means four bits.
    pub fn recognize_ollama(&self, name: &str) -> Option<Recognized<'_>> {
        let known = self.recognize(name)?;
        let four_bits = Precision::told_by(name).is_none() && known.entry.published == Precision::Bf16;
        Some(Recognized {
            precision: if four_bits { Precision::Q4 } else { known.precision },
            ..known
        })
    }

    fn containing(&self, name: &str) -> Option<&Entry> {
        // A distilled network has its teacher's name, and not its shape.
        let distilled = name.contains("distill");
        let longest = |entry: &Entry| {
            sized_names(entry)
                .map(key)
                .filter(|known| known.contains("distill") == distilled && name.contains(known.as_str()))
                .map(|known| known.len())
                .max()
        };
        self.entries()
            .filter_map(|entry| Some((longest(entry)?, entry)))
            .max_by_key(|(length, _)| *length)
            .map(|(_, entry)| entry)
    }
}

/// Names that tell the size too: `mistral` alone may be any of a family.
fn sized_names(entry: &Entry) -> impl Iterator<Item = &str> {
    let tagged = entry.aliases.iter().filter(|alias| alias.contains([':', '/']));
    let repository = entry
        .published_variant()
        .and_then(|variant| variant.source.model_name().rsplit('/').next());
    std::iter::once(entry.name.as_str())
        .chain(tagged.map(|alias| alias.rsplit('/').next().unwrap_or(alias)))
        .chain(entry.ollama.as_deref())
        .chain(repository)
}
