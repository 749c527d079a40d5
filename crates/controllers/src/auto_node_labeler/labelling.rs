//! What both reconcilers share. In: caches and writers, made once. Out: nothing by itself.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::Node;
use kube::{Client, core::ApiResource};
use reconcile::{LabelWriter, ObjectKey, WatchCache, WorkQueue, finalizer::FinalizerWriter};

use super::{board::Board, labeler::Labeler, manager::LabelManager, node::NodeRecord, view::View};
use crate::{
    context::Context,
    kinds::{AUTO_NODE_LABELER, NODE},
};

/// After a change of nodes the statuses are brought up to date after this time, and a little more for every node: a look
/// at all nodes is not for free, and a thousand changes are to cost a few looks.
const STATUS_BURST: Duration = Duration::from_millis(100);
const STATUS_BURST_PER_NODE: Duration = Duration::from_millis(1);
/// But not later.
const STATUS_BURST_LIMIT: Duration = Duration::from_secs(2);

/// See the module.
pub struct Labelling {
    /// Caches, statuses, Events.
    pub context: Arc<Context>,
    /// Writes labels.
    pub writer: LabelWriter,
    /// Writes finalizers.
    pub finalizers: FinalizerWriter,
    /// As whom labels are set.
    pub manager: LabelManager,
    /// Who tells whom what.
    pub board: Board,
    /// Type of what is labelled.
    pub node_resource: ApiResource,
    queue: WorkQueue,
    allow_protected: bool,
}

impl Labelling {
    /// Wired.
    pub fn new(
        client: &Client,
        context: Arc<Context>,
        queue: WorkQueue,
        manager: LabelManager,
        allow_protected: bool,
    ) -> Self {
        Self {
            context,
            writer: LabelWriter::new(client.clone(), manager.name()),
            finalizers: FinalizerWriter::new(client.clone()),
            manager,
            board: Board::default(),
            node_resource: ApiResource::erase::<Node>(&()),
            queue,
            allow_protected,
        }
    }

    /// All nodes.
    pub fn nodes(&self) -> &WatchCache<NodeRecord> {
        &self.context.caches.nodes
    }

    /// All labelers.
    pub fn labelers(&self) -> &WatchCache<Labeler> {
        &self.context.caches.labelers
    }

    /// Whether labels that Kubernetes keeps for itself may be set.
    pub fn allow_protected(&self) -> bool {
        self.allow_protected
    }

    /// The labelers at work, if that is known.
    pub fn view(&self) -> Option<View> {
        View::of(self.labelers(), self.allow_protected)
    }

    /// As [`Labelling::view`]; when it is not known, the nodes are looked at again as soon as it is.
    pub fn view_or_skip(&self) -> Option<View> {
        self.view().or_else(|| {
            self.board.skip();
            // It may have become known just before that was noted, and nobody would tell us.
            self.view()
        })
    }

    /// Whether what the cache holds of nodes can be relied on.
    pub fn nodes_known(&self) -> bool {
        self.nodes().is_listed()
    }

    /// Makes up for nodes that were left alone while labelers could not be seen, whenever they can be seen again. Never
    /// returns.
    pub async fn make_up(&self) {
        loop {
            self.labelers().wait_listed(true).await;
            if self.board.take_skipped() {
                self.tell_nodes(self.nodes().names().into_iter().map(|(_, name)| name));
                self.tell_labelers();
            }
            self.labelers().wait_listed(false).await;
        }
    }

    /// Wakes these nodes, now.
    pub fn tell_nodes<N: AsRef<str>>(&self, names: impl IntoIterator<Item = N>) {
        let names = names.into_iter();
        let keys = names.map(|name| ObjectKey::new(NODE, "", name.as_ref()));
        self.queue.add_all(keys, Duration::ZERO);
    }

    /// How long statuses are held back while nodes change: the more nodes, the longer.
    pub fn status_burst(&self) -> Duration {
        let nodes = u32::try_from(self.nodes().len()).unwrap_or(u32::MAX);
        let delay = STATUS_BURST.saturating_add(STATUS_BURST_PER_NODE.saturating_mul(nodes));
        delay.min(STATUS_BURST_LIMIT)
    }

    /// Wakes every labeler, soon.
    pub fn tell_labelers(&self) {
        let names = self.labelers().names().into_iter();
        let keys = names.map(|(namespace, name)| ObjectKey::new(AUTO_NODE_LABELER, namespace, name));
        self.queue.add_all(keys, self.status_burst());
    }
}
