//! Faults ordered by a test: orders in, the state that nodes, pulls, Pods and containers look at out.
//! It must not act by itself; whoever runs the thing watches its own part and does what it says.

mod container;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use engine_sim::fault::{Broken, Death, Health};
use parking_lot::Mutex;
use tokio::sync::watch;

pub(crate) use container::{ContainerFaults, PodFaults};

/// Containers that a fault is for: all of the Pods whose name begins so, or one by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    namespace: String,
    pod_prefix: String,
    container: Option<String>,
}

impl Target {
    /// All containers of the Pods in `namespace` whose name begins with `prefix`.
    pub fn pods(namespace: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            pod_prefix: prefix.into(),
            container: None,
        }
    }

    /// Only the container of this name.
    #[must_use]
    pub fn container(mut self, name: impl Into<String>) -> Self {
        self.container = Some(name.into());
        self
    }

    fn covers_pod(&self, namespace: &str, pod: &str) -> bool {
        self.namespace == namespace && pod.starts_with(&self.pod_prefix)
    }

    fn covers(&self, namespace: &str, pod: &str, container: &str) -> bool {
        self.covers_pod(namespace, pod) && self.container.as_deref().is_none_or(|name| name == container)
    }
}

/// A fault that stays until it is taken back, for containers that start later too.
#[derive(Clone, Debug)]
enum Standing {
    AtStart(Option<Death>),
    Unready(bool),
    Health(Health),
    SlowLoad(f64),
    StallLoad(bool),
    Prompts(Option<(String, Broken)>),
    ModelPullFails(Option<String>),
    ModelPullTakes(Option<Duration>),
}

/// What is wrong with a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NodeFault {
    /// `Ready` is `False` with this message.
    pub(crate) not_ready: Option<String>,
    /// No heartbeats, no status of Pods: the node is cut off.
    pub(crate) silent: bool,
    /// `DiskPressure` is `True`.
    pub(crate) disk_pressure: bool,
}

#[derive(Debug)]
struct PullFault {
    reference: String,
    remaining: u32,
    message: String,
}

#[derive(Debug, Default)]
struct State {
    standing: Vec<(Target, Standing)>,
    pods: HashMap<(String, String), Arc<PodFaults>>,
    failing_pulls: Vec<PullFault>,
    slow_pulls: HashMap<String, Duration>,
}

/// Orders faults. Cheap to clone; all clones order for the same nodes.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    state: Arc<Mutex<State>>,
    nodes: Arc<watch::Sender<HashMap<String, NodeFault>>>,
}

impl Faults {
    /// Ends the containers that run now with `code`; `message` is the last line of their log. Returns how many.
    pub fn crash(&self, target: &Target, code: i32, message: &str) -> usize {
        self.kill(
            target,
            &Death::Crash {
                code,
                message: message.to_owned(),
            },
        )
    }

    /// Kills the containers that run now for memory. Returns how many.
    pub fn oom(&self, target: &Target) -> usize {
        self.kill(target, &Death::OutOfMemory)
    }

    /// Every start ends at once with `code` and `message`, until [`Faults::heal`].
    pub fn crash_at_start(&self, target: &Target, code: i32, message: &str) {
        let death = Death::Crash {
            code,
            message: message.to_owned(),
        };
        self.stand(target, Standing::AtStart(Some(death)));
    }

    /// Every start ends in an out-of-memory kill, until [`Faults::heal`].
    pub fn oom_at_start(&self, target: &Target) {
        self.stand(target, Standing::AtStart(Some(Death::OutOfMemory)));
    }

    /// Engines accept connections and never answer, until [`Faults::heal`].
    pub fn hang(&self, target: &Target) {
        self.stand(target, Standing::Health(Health::Hanging));
    }

    /// Engines answer 503 on their health path, until [`Faults::heal`].
    pub fn fail_health(&self, target: &Target) {
        self.stand(target, Standing::Health(Health::Failing));
    }

    /// Readiness probes fail, whatever their kind, until [`Faults::heal`].
    pub fn fail_readiness(&self, target: &Target) {
        self.stand(target, Standing::Unready(true));
    }

    /// Loading takes `factor` times as long for engines that start from now on, until [`Faults::heal`].
    pub fn slow_load(&self, target: &Target, factor: f64) {
        self.stand(target, Standing::SlowLoad(factor));
    }

    /// Loading stands still until [`Faults::heal`].
    pub fn stall_load(&self, target: &Target) {
        self.stand(target, Standing::StallLoad(true));
    }

    /// Ollama answers prompts that contain `part` (all of them: an empty part) with this status and `error`, until
    /// [`Faults::heal`]. The request counts in the journal.
    pub fn fail_prompts(&self, target: &Target, part: &str, status: u16, message: &str) {
        let message = message.to_owned();
        self.break_prompts(target, part, Broken::Fails { status, message });
    }

    /// Ollama never answers prompts that contain `part`, until [`Faults::heal`]; a request under way goes on hanging.
    pub fn hang_prompts(&self, target: &Target, part: &str) {
        self.break_prompts(target, part, Broken::Hangs);
    }

    /// Ollama's answers to prompts that contain `part` are cut in the middle, until [`Faults::heal`].
    pub fn cut_prompts(&self, target: &Target, part: &str) {
        self.break_prompts(target, part, Broken::Cut);
    }

    fn break_prompts(&self, target: &Target, part: &str, how: Broken) {
        self.stand(target, Standing::Prompts(Some((part.to_owned(), how))));
    }

    /// Ollama's pulls of models end with this error, until [`Faults::heal`]. The registry's, for a model that it does not
    /// have: `pull model manifest: file does not exist`.
    pub fn fail_model_pull(&self, target: &Target, error: &str) {
        self.stand(target, Standing::ModelPullFails(Some(error.to_owned())));
    }

    /// Ollama's downloads of models that begin from now on take this long whatever the nodes' speed, until
    /// [`Faults::heal`]. (`stall_load` makes them stand still, also when under way.)
    pub fn slow_model_pull(&self, target: &Target, time: Duration) {
        self.stand(target, Standing::ModelPullTakes(Some(time)));
    }

    /// Takes back every fault that stands for exactly this target.
    pub fn heal(&self, target: &Target) {
        let mut state = self.state.lock();
        state.standing.retain(|(standing, _)| standing != target);
        let healthy = [
            Standing::AtStart(None),
            Standing::Unready(false),
            Standing::Health(Health::Normal),
            Standing::SlowLoad(1.0),
            Standing::StallLoad(false),
            Standing::Prompts(None),
            Standing::ModelPullFails(None),
            Standing::ModelPullTakes(None),
        ];
        for fault in healthy {
            state.apply(target, &fault);
        }
    }

    /// The next `times` pulls of `reference` (as written in the Pod) fail with `message`.
    pub fn fail_pull(&self, reference: &str, times: u32, message: &str) {
        let fault = PullFault {
            reference: reference.to_owned(),
            remaining: times,
            message: message.to_owned(),
        };
        self.state.lock().failing_pulls.push(fault);
    }

    /// Pulls of `reference` take this long from now on.
    pub fn slow_pull(&self, reference: &str, time: Duration) {
        self.state.lock().slow_pulls.insert(reference.to_owned(), time);
    }

    /// Evicts the Pods of the target as kubelet does when the disk fills up. Returns how many.
    pub fn evict(&self, target: &Target) -> usize {
        let message = "The node was low on resource: ephemeral-storage. Threshold quantity: 53687091200, \
                       available: 40532396Ki. ";
        let state = self.state.lock();
        let hit = state
            .pods
            .iter()
            .filter(|((ns, pod), _)| target.covers_pod(ns, pod));
        hit.inspect(|(_, pod)| {
            pod.eviction.send_replace(Some(message.to_owned()));
        })
        .count()
    }

    /// The node reports `Ready=False` with this message; `None` makes it ready again.
    pub fn node_not_ready(&self, node: &str, message: Option<&str>) {
        self.on_node(node, |fault| fault.not_ready = message.map(str::to_owned));
    }

    /// Cuts a node off: no heartbeats and no Pod status until it is joined again. Its containers go on.
    pub fn cut_off(&self, node: &str, cut_off: bool) {
        self.on_node(node, |fault| fault.silent = cut_off);
    }

    /// The node reports `DiskPressure`.
    pub fn disk_pressure(&self, node: &str, pressure: bool) {
        self.on_node(node, |fault| fault.disk_pressure = pressure);
    }

    fn on_node(&self, node: &str, change: impl FnOnce(&mut NodeFault)) {
        self.nodes
            .send_modify(|nodes| change(nodes.entry(node.to_owned()).or_default()));
    }

    fn stand(&self, target: &Target, fault: Standing) {
        let mut state = self.state.lock();
        state.apply(target, &fault);
        state.standing.push((target.clone(), fault));
    }

    fn kill(&self, target: &Target, death: &Death) -> usize {
        self.state
            .lock()
            .containers(target)
            .filter(|container| container.kill(death))
            .count()
    }

    pub(crate) fn node_faults(&self) -> watch::Receiver<HashMap<String, NodeFault>> {
        self.nodes.subscribe()
    }

    pub(crate) fn of_node(&self, node: &str) -> NodeFault {
        self.nodes.borrow().get(node).cloned().unwrap_or_default()
    }

    /// The message of the fault that this pull meets, and how long it takes.
    pub(crate) fn pull(&self, reference: &str) -> (Option<String>, Duration) {
        let mut state = self.state.lock();
        let time = state.slow_pulls.get(reference).copied().unwrap_or_default();
        let fault = state
            .failing_pulls
            .iter_mut()
            .find(|f| f.reference == reference && f.remaining > 0);
        let message = fault.map(|fault| {
            fault.remaining -= 1;
            fault.message.clone()
        });
        (message, time)
    }

    /// The faults of a new Pod with these containers.
    pub(crate) fn register(&self, namespace: &str, pod: &str, containers: &[&str]) -> Arc<PodFaults> {
        let mut state = self.state.lock();
        let faults = Arc::new(PodFaults::of(containers));
        for (name, container) in &faults.containers {
            let standing = state
                .standing
                .iter()
                .filter(|(target, _)| target.covers(namespace, pod, name));
            standing.for_each(|(_, fault)| container.apply(fault));
        }
        state
            .pods
            .insert((namespace.to_owned(), pod.to_owned()), Arc::clone(&faults));
        faults
    }

    /// Forgets a Pod, unless another one has taken its name.
    pub(crate) fn forget(&self, namespace: &str, pod: &str, faults: &Arc<PodFaults>) {
        let key = (namespace.to_owned(), pod.to_owned());
        let mut state = self.state.lock();
        if state.pods.get(&key).is_some_and(|kept| Arc::ptr_eq(kept, faults)) {
            state.pods.remove(&key);
        }
    }
}

impl State {
    fn containers<'a>(&'a self, target: &'a Target) -> impl Iterator<Item = &'a ContainerFaults> {
        self.pods.iter().flat_map(move |((namespace, pod), faults)| {
            let of_pod = faults.containers.iter();
            of_pod
                .filter(move |(name, _)| target.covers(namespace, pod, name))
                .map(|(_, faults)| faults)
        })
    }

    fn apply(&self, target: &Target, fault: &Standing) {
        self.containers(target)
            .for_each(|container| container.apply(fault));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn standing_faults_reach_later_pods_and_heal() {
        let faults = Faults::default();
        let target = Target::pods("ns", "chat-").container("engine");
        faults.crash_at_start(&target, 3, "boom");
        let pod = faults.register("ns", "chat-1", &["engine", "other"]);
        let death = pod.container("engine").death_of_run().await;
        assert_eq!(
            death,
            Death::Crash {
                code: 3,
                message: "boom".into()
            }
        );
        let other = tokio::time::timeout(Duration::from_millis(5), pod.container("other").death_of_run());
        assert!(other.await.is_err());
        faults.heal(&target);
        let healed = tokio::time::timeout(Duration::from_millis(5), pod.container("engine").death_of_run());
        assert!(healed.await.is_err());
    }

    #[tokio::test]
    async fn a_crash_hits_only_what_runs_now() {
        let faults = Faults::default();
        let pod = faults.register("ns", "chat-1", &["engine"]);
        let target = Target::pods("ns", "chat");
        assert_eq!(faults.oom(&target), 0);
        let death = pod.container("engine").death_of_run();
        assert_eq!(faults.oom(&target), 1);
        assert_eq!(death.await, Death::OutOfMemory);
    }

    #[test]
    fn failing_pulls_are_counted() {
        let faults = Faults::default();
        faults.fail_pull("a/b:v1", 1, "no route");
        assert_eq!(faults.pull("a/b:v1").0.as_deref(), Some("no route"));
        assert_eq!(faults.pull("a/b:v1").0, None);
    }
}
