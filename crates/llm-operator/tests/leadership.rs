//! Two replicas of the operator: one leads and writes, the other takes over when the first is gone.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

mod common;

use std::time::{Duration, Instant};

use common::{
    Operator, PATIENCE, SYSTEM_NAMESPACE, Space, operator_access, page,
    scrape::scrape,
    spawn_operator,
    stand::{SMALL_MODEL, cluster, small_deployments, writes},
};
use k8s_openapi::api::{apps::v1::Deployment, coordination::v1::Lease, core::v1::Event};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams},
};
use testkit::{
    plane::proxy::{Fault, FaultProxy, Matching},
    process::Signal,
};
use tokio::sync::{Mutex, MutexGuard};

/// There is one lease, the shipped one: one test at a time.
static TURN: Mutex<()> = Mutex::const_new(());

/// Short enough for a test, in the proportions of the defaults.
const SHORT: [&str; 6] = [
    "--lease-duration",
    "4s",
    "--lease-renew-deadline",
    "2500ms",
    "--lease-retry-period",
    "500ms",
];
const SHORT_LEASE: Duration = Duration::from_secs(4);

/// For tests that do not wait for a lease to end: a loaded machine must not end it for them.
const LONG: [&str; 6] = [
    "--lease-duration",
    "120s",
    "--lease-renew-deadline",
    "60s",
    "--lease-retry-period",
    "1s",
];

struct Scene {
    space: Space,
    leases: Api<Lease>,
    _turn: MutexGuard<'static, ()>,
}

impl Scene {
    /// A namespace, a model in it, and no lease.
    async fn new(prefix: &str) -> Self {
        let turn = TURN.lock().await;
        let space = Space::of(cluster().await, prefix).await;
        let leases: Api<Lease> = Api::namespaced(space.client.clone(), SYSTEM_NAMESPACE);
        // Of an earlier test that killed its leader; not there the first time.
        let _ = leases.delete("llm-operator", &DeleteParams::default()).await;
        space.apply(SMALL_MODEL).await;
        Self {
            space,
            leases,
            _turn: turn,
        }
    }

    /// A replica that is ready, as leader or standby.
    async fn replica(&self, name: &str, flags: &[&str]) -> Replica {
        let cluster = cluster().await;
        let proxy = cluster.fault_proxy().await.unwrap();
        let access = operator_access(cluster).await.through(&proxy.url());
        let identity = format!("{}-{name}", self.space.namespace);
        let args = [flags, &["--watch-namespace", &self.space.namespace]].concat();
        let mut operator = spawn_operator(&access, &identity, &args);
        let url = format!("{}/readyz", operator.url);
        operator.process.wait_ready(&url, PATIENCE).await.unwrap();
        Replica {
            identity,
            operator,
            proxy,
        }
    }

    async fn holder(&self) -> String {
        let lease = self.leases.get_opt("llm-operator").await.unwrap();
        let spec = lease.and_then(|lease| lease.spec).unwrap_or_default();
        spec.holder_identity.unwrap_or_default()
    }

    async fn apply_deployments(&self, names: &[String]) {
        let yaml = small_deployments(names.iter().map(String::as_str));
        self.space.apply(&yaml).await;
    }
}

struct Replica {
    identity: String,
    operator: Operator,
    proxy: FaultProxy,
}

impl Replica {
    async fn leads(&self) -> bool {
        scrape(&self.operator).await.sum("llm_operator_leader", &[]) > 0.5
    }

    async fn wait_leads(&self) {
        let what = format!("{} leads", self.identity);
        testkit::until(what, PATIENCE, async || self.leads().await.then_some(()))
            .await
            .unwrap();
    }

    /// Lets it go on after it was frozen for longer than its lease: it ends itself, and tries to write nothing but, once, the lease,
    /// which the API server refuses.
    async fn ends_when_woken(&mut self) {
        let before = writes(&self.proxy);
        self.operator.process.signal(Signal::Continue).unwrap();
        let code = testkit::until("it ends itself", PATIENCE, async || {
            self.operator.process.exit_code()
        })
        .await
        .unwrap();
        assert_eq!(code, 1);
        let tried = writes(&self.proxy) - before;
        assert!(tried <= 1, "{tried} writes after it woke");
    }
}

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}-{number:02}")).collect()
}

/// Of two replicas under the shipped service account and role only the holder of the lease works: the other sends nothing
/// but questions for the lease, and is ready to take over.
#[tokio::test]
async fn only_the_leader_writes() {
    let scene = Scene::new("two").await;
    let leader = scene.replica("a", &LONG).await;
    leader.wait_leads().await;
    let standby = scene.replica("b", &LONG).await;

    let names = names("chat", 5);
    scene.apply_deployments(&names).await;
    for name in &names {
        scene.space.wait_state(name, "Ready").await;
    }
    assert!(leader.leads().await && !standby.leads().await);
    assert_eq!(scene.holder().await, leader.identity);
    let counts = standby.proxy.counts();
    assert_eq!(
        counts.keys().collect::<Vec<_>>(),
        ["get"],
        "the standby only asks for the lease: {counts:?}"
    );
    let (code, text) = page(&format!("{}/readyz", standby.operator.url)).await;
    assert_eq!((code, text.as_str()), (200, "ok\nrole: standby\n"));
    let (_, text) = page(&format!("{}/readyz", leader.operator.url)).await;
    assert!(text.contains("role: leader"), "{text}");
    let events = testkit::until("an Event of ours", PATIENCE, async || {
        let events = scene.space.events("chat-00").await;
        let ours = |event: &Event| event.involved_object.kind.as_deref() == Some("LLMDeployment");
        let ours: Vec<Event> = events.into_values().flatten().filter(ours).collect();
        (!ours.is_empty()).then_some(ours)
    })
    .await
    .unwrap();
    for event in &events {
        assert_eq!(
            event.reporting_instance.as_deref(),
            Some(leader.identity.as_str()),
            "{event:?}"
        );
    }
}

/// `kill -9` of the leader in the middle of its work: the other leads within the lease's time and finishes it.
#[tokio::test]
async fn the_standby_takes_over_after_a_kill() {
    let scene = Scene::new("kill").await;
    let mut leader = scene.replica("a", &SHORT).await;
    leader.wait_leads().await;
    let standby = scene.replica("b", &SHORT).await;
    let slow = Fault::Delay(Duration::from_millis(200));
    leader.proxy.order_always(Matching::method("PATCH"), slow);

    let names = names("chat", 20);
    scene.apply_deployments(&names).await;
    let deployments = scene.space.api::<Deployment>();
    testkit::until("the first Deployments", PATIENCE, async || {
        let made = deployments
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .len();
        (made >= 2).then_some(()).ok_or(format!("{made} made"))
    })
    .await
    .unwrap();
    leader.operator.process.kill9();
    let killed = Instant::now();
    let made = deployments
        .list(&ListParams::default())
        .await
        .unwrap()
        .items
        .len();
    assert!(made < names.len(), "killed in the middle: {made}");

    standby.wait_leads().await;
    let vacant = killed.elapsed();
    assert!(
        vacant < SHORT_LEASE + Duration::from_secs(2),
        "nobody led for {vacant:?}"
    );
    assert_eq!(scene.holder().await, standby.identity);
    for name in &names {
        scene.space.wait_state(name, "Ready").await;
    }
    for deployment in deployments.list(&ListParams::default()).await.unwrap().items {
        assert_eq!(
            deployment.metadata.generation,
            Some(1),
            "{} was changed after it was made",
            deployment.name_any()
        );
    }
}

/// SIGTERM hands over at once, however long the lease lasts, and is no failure.
#[tokio::test]
async fn sigterm_gives_the_lease_back() {
    let scene = Scene::new("term").await;
    let mut leader = scene.replica("a", &LONG).await;
    leader.wait_leads().await;
    let mut standby = scene.replica("b", &LONG).await;

    let start = Instant::now();
    let code = leader.operator.process.terminate(PATIENCE).await.unwrap();
    assert_eq!(code, 0, "{}", leader.operator.process.log());
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "ended after {:?}",
        start.elapsed()
    );
    standby.wait_leads().await;
    assert!(
        start.elapsed() < Duration::from_secs(8),
        "handed over after {:?}",
        start.elapsed()
    );
    assert!(leader.operator.process.log().contains("lease released"));

    // A standby that is told to go leaves the lease alone.
    let mut third = scene.replica("c", &LONG).await;
    assert_eq!(third.operator.process.terminate(PATIENCE).await.unwrap(), 0);
    assert_eq!(scene.holder().await, standby.identity);
    let names = names("after", 1);
    scene.apply_deployments(&names).await;
    scene.space.wait_state("after-00", "Ready").await;
    assert_eq!(standby.operator.process.terminate(PATIENCE).await.unwrap(), 0);
    assert_eq!(scene.holder().await, "", "nobody is left");
}

/// A leader that cannot reach the API server ends itself before its lease does, and so before anybody else leads.
#[tokio::test]
async fn a_leader_without_the_api_ends_itself() {
    let scene = Scene::new("cutoff").await;
    let mut leader = scene.replica("a", &SHORT).await;
    leader.wait_leads().await;
    let standby = scene.replica("b", &SHORT).await;

    leader.proxy.set_unreachable(true);
    let start = Instant::now();
    let code = testkit::until("the leader ends itself", PATIENCE, async || {
        leader.operator.process.exit_code()
    })
    .await
    .unwrap();
    let alone = start.elapsed();
    assert!(!standby.leads().await, "it ended before anybody else led");
    assert_eq!(code, 1);
    assert!(alone < SHORT_LEASE, "it ended after {alone:?}");
    let log = leader.operator.process.last_lines(5);
    assert!(log.contains("the lease was lost"), "{log}");
    standby.wait_leads().await;
    scene.apply_deployments(&names("next", 1)).await;
    scene.space.wait_state("next-00", "Ready").await;
}

/// A leader that slept through the end of its lease finds another in its place, and ends without writing.
#[tokio::test]
async fn a_leader_that_was_frozen_does_not_come_back() {
    let scene = Scene::new("frozen").await;
    let mut leader = scene.replica("a", &SHORT).await;
    leader.wait_leads().await;
    let standby = scene.replica("b", &SHORT).await;
    let names = names("chat", 3);
    scene.apply_deployments(&names).await;
    for name in &names {
        scene.space.wait_state(name, "Ready").await;
        // A leader that is frozen before would have it to write when it wakes.
        scene.space.wait_event(name, "AllReplicasReady").await;
    }

    leader.operator.process.signal(Signal::Stop).unwrap();
    standby.wait_leads().await;
    leader.ends_when_woken().await;
    assert_eq!(scene.holder().await, standby.identity);
    assert!(standby.leads().await);
}

/// A leader that is frozen with half of its work before it, for longer than its lease, sends nothing of that when it wakes: the
/// other has done it.
#[tokio::test]
async fn one_frozen_in_the_middle_of_its_work_sends_no_more_of_it() {
    let scene = Scene::new("midway").await;
    let mut leader = scene.replica("a", &SHORT).await;
    leader.wait_leads().await;
    let standby = scene.replica("b", &SHORT).await;
    // All its workers wait for an answer most of the time, with the next write to follow.
    let slow = Fault::Delay(Duration::from_millis(300));
    leader.proxy.order_always(Matching::method("PATCH"), slow);
    let before = writes(&leader.proxy);
    let names = names("chat", 40);
    scene.apply_deployments(&names).await;
    testkit::until("it is at work", PATIENCE, async || {
        (writes(&leader.proxy) > before + 20).then_some(())
    })
    .await
    .unwrap();

    leader.operator.process.signal(Signal::Stop).unwrap();
    standby.wait_leads().await;
    for name in &names {
        scene.space.wait_state(name, "Ready").await;
    }
    leader.ends_when_woken().await;
}
