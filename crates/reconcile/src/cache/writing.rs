//! Our own writes, as the cache of what is written sees them.
//!
//! In: a write begins; it ended with this answer. Out: the answer is in the cache at once, its echo wakes nobody, and
//! what somebody else changed meanwhile still wakes whom it concerns. It sends nothing itself.

use super::{raw::RawObject, store::WatchCache};

/// How a write of ours ended.
#[derive(Clone, Copy, Debug)]
pub enum WriteEnd<'a> {
    /// Nothing was stored, as far as we know.
    Failed,
    /// The object as it was stored. Whoever wrote it looks at it next.
    Stored(&'a RawObject),
    /// As `Stored`, and the answer holds a change of somebody else that the writer has not looked at.
    StoredOverChange(&'a RawObject),
}

impl<'a> WriteEnd<'a> {
    fn answer(self) -> Option<&'a RawObject> {
        match self {
            Self::Failed => None,
            Self::Stored(raw) | Self::StoredOverChange(raw) => Some(raw),
        }
    }
}

/// Where the answers of our writes go: the cache of the resource.
pub trait WriteSink: Send + Sync {
    /// A write of ours to `namespace`/`name` is about to be sent; wake-ups for it are held back until it ended.
    fn write_begins(&self, namespace: &str, name: &str);
    /// The write ended.
    fn write_ended(&self, namespace: &str, name: &str, end: WriteEnd<'_>);
}

impl<T: Send + Sync> WriteSink for WatchCache<T> {
    fn write_begins(&self, namespace: &str, name: &str) {
        let epoch = self.epoch_of(namespace);
        self.echoes.begin(namespace, name, epoch);
    }

    fn write_ended(&self, namespace: &str, name: &str, end: WriteEnd<'_>) {
        let answer = end.answer();
        let begun = self.echoes.begun(namespace, name);
        let entered = answer.and_then(|raw| self.enter(raw, begun));
        let mut woken = self.echoes.end(namespace, name, answer.map(RawObject::version));
        if let (WriteEnd::StoredOverChange(_), Some((old, new))) = (end, entered) {
            woken.extend(self.wake(namespace, name, old, Some(new)));
        }
        self.queue.add_all(woken, self.spec().delay);
    }
}

/// One write under way. Dropping it says that the write failed.
pub struct Writing<'a> {
    sink: &'a dyn WriteSink,
    name: (&'a str, &'a str),
    ended: bool,
}

impl std::fmt::Debug for Writing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writing")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl<'a> Writing<'a> {
    /// Begins a write to `namespace`/`name`.
    pub fn begin(sink: &'a dyn WriteSink, namespace: &'a str, name: &'a str) -> Self {
        sink.write_begins(namespace, name);
        Self {
            sink,
            name: (namespace, name),
            ended: false,
        }
    }

    /// The write succeeded.
    pub fn succeeded(self, answer: &RawObject) {
        self.end(WriteEnd::Stored(answer));
    }

    /// The write succeeded, and the answer holds a change of somebody else that we have not looked at.
    pub fn succeeded_over_change(self, answer: &RawObject) {
        self.end(WriteEnd::StoredOverChange(answer));
    }

    fn end(mut self, end: WriteEnd<'_>) {
        self.ended = true;
        self.sink.write_ended(self.name.0, self.name.1, end);
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.sink.write_ended(self.name.0, self.name.1, WriteEnd::Failed);
        }
    }
}

#[cfg(test)]
#[path = "writing_tests.rs"]
mod tests;
