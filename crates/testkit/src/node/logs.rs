//! Container output kept in memory: lines in, what `kubectl logs` asks for out.
//! Bounded per container, as a log file that rotates. It must not format what a reader did not ask for.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use engine_sim::LogSink;
use jiff::Timestamp;
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

/// Most bytes of text kept per container run.
const CAPACITY: usize = 64 * 1024;

/// One line of output.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) at: Timestamp,
    pub(crate) text: Arc<str>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<Line>,
    bytes: usize,
    /// Number of the first kept line since the start.
    first: u64,
}

/// Output of one run of a container.
#[derive(Debug)]
pub(crate) struct LogBuffer {
    kept: Mutex<Kept>,
    /// Number of lines written so far, and whether no more will come.
    progress: watch::Sender<(u64, bool)>,
}

impl Default for LogBuffer {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            progress: watch::Sender::new((0, false)),
        }
    }
}

impl LogBuffer {
    pub(crate) fn push(&self, text: &str) {
        let mut kept = self.kept.lock();
        kept.bytes += text.len();
        kept.lines.push_back(Line {
            at: Timestamp::now(),
            text: text.into(),
        });
        while kept.bytes > CAPACITY && kept.lines.len() > 1 {
            if let Some(old) = kept.lines.pop_front() {
                kept.bytes -= old.text.len();
                kept.first += 1;
            }
        }
        drop(kept);
        self.progress.send_modify(|(count, _)| *count += 1);
    }

    /// No more lines will come.
    pub(crate) fn close(&self) {
        self.progress.send_modify(|(_, closed)| *closed = true);
    }

    /// Wakes on new lines and on the end.
    pub(crate) fn subscribe(&self) -> watch::Receiver<(u64, bool)> {
        self.progress.subscribe()
    }

    /// Kept lines from number `from` on, and the number after the last of them.
    pub(crate) fn since(&self, from: u64) -> (Vec<Line>, u64) {
        let kept = self.kept.lock();
        let skip = usize::try_from(from.saturating_sub(kept.first)).unwrap_or(usize::MAX);
        let next = kept.first + kept.lines.len() as u64;
        (kept.lines.iter().skip(skip).cloned().collect(), next)
    }

    /// The end of the output, as kubelet takes a termination message from a log: at most `lines` lines, `bytes` bytes.
    pub(crate) fn tail(&self, lines: usize, bytes: usize) -> String {
        let kept = self.kept.lock();
        let skip = kept.lines.len().saturating_sub(lines);
        let mut text = String::new();
        for line in kept.lines.iter().skip(skip) {
            text.push_str(&line.text);
            text.push('\n');
        }
        let mut start = text.len().saturating_sub(bytes);
        while !text.is_char_boundary(start) {
            start += 1;
        }
        text.split_off(start)
    }
}

/// A sink that writes into the buffer.
pub(crate) fn sink(buffer: &Arc<LogBuffer>) -> LogSink {
    let buffer = Arc::clone(buffer);
    LogSink::new(move |_, line| buffer.push(line))
}

#[derive(Clone, Debug, Default)]
struct Runs {
    current: Option<Arc<LogBuffer>>,
    previous: Option<Arc<LogBuffer>>,
}

type PodKey = (String, String);

/// Output of all containers of all Pods, by (namespace, Pod) and container name.
#[derive(Debug, Default)]
pub(crate) struct LogStore(RwLock<HashMap<PodKey, HashMap<String, Runs>>>);

impl LogStore {
    /// A buffer for a new run; the run before becomes the previous one.
    pub(crate) fn new_run(&self, namespace: &str, pod: &str, container: &str) -> Arc<LogBuffer> {
        let buffer = Arc::new(LogBuffer::default());
        let mut pods = self.0.write();
        let runs = pods
            .entry((namespace.to_owned(), pod.to_owned()))
            .or_default()
            .entry(container.to_owned())
            .or_default();
        runs.previous = runs.current.replace(Arc::clone(&buffer));
        buffer
    }

    /// The buffer of the current or the previous run.
    pub(crate) fn find(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        previous: bool,
    ) -> Option<Arc<LogBuffer>> {
        let pods = self.0.read();
        let runs = pods
            .get(&(namespace.to_owned(), pod.to_owned()))?
            .get(container)?;
        if previous {
            runs.previous.clone()
        } else {
            runs.current.clone()
        }
    }

    /// Forgets a Pod.
    pub(crate) fn remove(&self, namespace: &str, pod: &str) {
        self.0.write().remove(&(namespace.to_owned(), pod.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_lines_give_way_and_the_tail_is_bounded() {
        let buffer = LogBuffer::default();
        for number in 0..10_000 {
            buffer.push(&format!("line {number:06}"));
        }
        let (lines, next) = buffer.since(0);
        assert_eq!(next, 10_000);
        assert!(lines.len() < 10_000 && &*lines[lines.len() - 1].text == "line 009999");
        assert_eq!(buffer.tail(2, 2048), "line 009998\nline 009999\n");
        assert_eq!(buffer.tail(80, 6), "09999\n");
        assert_eq!(buffer.since(9_999).0.len(), 1);
    }

    #[test]
    fn a_new_run_keeps_the_one_before() {
        let store = LogStore::default();
        store.new_run("ns", "p", "c").push("first");
        store.new_run("ns", "p", "c").push("second");
        assert_eq!(store.find("ns", "p", "c", true).unwrap().tail(9, 99), "first\n");
        assert_eq!(store.find("ns", "p", "c", false).unwrap().tail(9, 99), "second\n");
        store.remove("ns", "p");
        assert!(store.find("ns", "p", "c", false).is_none());
    }
}
