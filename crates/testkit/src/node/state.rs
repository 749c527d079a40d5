//! What a simulated node remembers: GPUs in use, images pulled, since when its conditions hold.
//! It must not know a client.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use engine_sim::GpuSpec;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::spec::NodeSpec;

/// One simulated node.
#[derive(Debug)]
pub(crate) struct NodeState {
    pub(crate) spec: NodeSpec,
    free_gpus: Mutex<BTreeSet<u32>>,
    gpus_freed: Notify,
    images: Mutex<HashSet<String>>,
    conditions: Mutex<HashMap<&'static str, (bool, Timestamp)>>,
}

impl NodeState {
    pub(crate) fn new(spec: NodeSpec) -> Arc<Self> {
        let gpus = if spec.gpu.is_some() { spec.gpu_count } else { 0 };
        Arc::new(Self {
            spec,
            free_gpus: Mutex::new((0..gpus).collect()),
            gpus_freed: Notify::new(),
            images: Mutex::default(),
            conditions: Mutex::default(),
        })
    }

    /// Takes `count` GPUs, or tells how many are free.
    pub(crate) fn take_gpus(self: &Arc<Self>, count: usize) -> Result<Gpus, usize> {
        let mut free = self.free_gpus.lock();
        if free.len() < count {
            return Err(free.len());
        }
        let ids = std::iter::from_fn(|| free.pop_first()).take(count).collect();
        Ok(Gpus {
            node: Arc::clone(self),
            ids,
        })
    }

    /// Resolves when GPUs came back after this call.
    pub(crate) fn gpus_freed(&self) -> impl Future<Output = ()> + '_ {
        self.gpus_freed.notified()
    }

    pub(crate) fn has_image(&self, reference: &str) -> bool {
        self.images.lock().contains(reference)
    }

    pub(crate) fn add_image(&self, reference: &str) {
        self.images.lock().insert(reference.to_owned());
    }

    /// Since when the condition has this status; now, if it changed.
    pub(crate) fn since(&self, condition: &'static str, status: bool) -> Timestamp {
        let mut conditions = self.conditions.lock();
        let entry = conditions
            .entry(condition)
            .or_insert_with(|| (status, Timestamp::now()));
        if entry.0 != status {
            *entry = (status, Timestamp::now());
        }
        entry.1
    }
}

/// GPUs held by a Pod; free again when dropped.
#[derive(Debug)]
pub(crate) struct Gpus {
    node: Arc<NodeState>,
    ids: Vec<u32>,
}

impl Gpus {
    /// `count` devices as a container sees them.
    pub(crate) fn devices(&self, count: usize) -> Vec<GpuSpec> {
        self.node
            .spec
            .device()
            .into_iter()
            .cycle()
            .take(count.min(self.ids.len()))
            .collect()
    }
}

impl Drop for Gpus {
    fn drop(&mut self) {
        self.node.free_gpus.lock().extend(self.ids.drain(..));
        self.node.gpus_freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_are_counted_and_come_back() {
        let node = NodeState::new(NodeSpec::h100("n", 4));
        let held = node.take_gpus(3).unwrap();
        assert_eq!(held.devices(3).len(), 3);
        assert_eq!(node.take_gpus(2).unwrap_err(), 1);
        drop(held);
        assert!(node.take_gpus(4).is_ok());
    }
}
