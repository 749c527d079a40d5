//! Watches the Pods of a test's namespace from the outside and remembers the lowest number that served.

use std::collections::BTreeMap;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt,
    runtime::watcher::{self, Event},
};
use tokio::sync::{oneshot, watch};

/// A watch on the Pods of one deployment, from its start until it is asked.
pub struct Watching {
    ask: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<usize>,
}

impl Watching {
    /// Starts to watch, and returns when the Pods that exist are known.
    pub async fn start(api: Api<Pod>, name: &str) -> Self {
        let config = watcher::Config::default().labels(&format!("llm-operator.io/name={name}"));
        let (ask, asked) = oneshot::channel();
        let (known, mut is_known) = watch::channel(false);
        let task = tokio::spawn(lowest(watcher::watcher(api, config).boxed(), asked, known));
        is_known.wait_for(|known| *known).await.unwrap();
        Self { ask, task }
    }

    /// The lowest number of Pods that were ready and not ending, over all moments since the start.
    pub async fn lowest(self) -> usize {
        self.ask.send(()).unwrap();
        self.task.await.unwrap()
    }
}

async fn lowest(
    mut stream: futures::stream::BoxStream<'static, watcher::Result<Event<Pod>>>,
    mut asked: oneshot::Receiver<()>,
    known: watch::Sender<bool>,
) -> usize {
    let mut serving: BTreeMap<String, bool> = BTreeMap::new();
    let mut lowest = usize::MAX;
    loop {
        let event = tokio::select! {
            biased;
            event = stream.next() => event.unwrap().unwrap(),
            _ = &mut asked => return lowest,
        };
        match event {
            Event::Init => assert!(!*known.borrow(), "the watch had to start again"),
            Event::InitApply(pod) | Event::Apply(pod) => {
                serving.insert(pod.name_any(), serves(&pod));
            }
            Event::Delete(pod) => {
                serving.remove(&pod.name_any());
            }
            Event::InitDone => {
                known.send(true).unwrap();
            }
        }
        if *known.borrow() {
            lowest = lowest.min(serving.values().filter(|serves| **serves).count());
        }
    }
}

fn serves(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    pod.metadata.deletion_timestamp.is_none()
        && conditions
            .into_iter()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
