//! Leader election: one at a time, released on a graceful stop, taken over after a crash, lost in time.

use std::time::{Duration, Instant};

use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{Api, api::PostParams};
use reconcile::{
    ApplyError, Fence, Metrics,
    lease::{Elector, HoldEnd, LeaseConfig},
};
use tokio_util::sync::CancellationToken;

use crate::bed::{LIMIT, counted_client, fenced_client, namespace, plane};

fn config(namespace: &str, identity: &str) -> LeaseConfig {
    LeaseConfig {
        duration: Duration::from_secs(3),
        renew_deadline: Duration::from_secs(2),
        retry: Duration::from_millis(200),
        ..LeaseConfig::new(namespace, "llm-operator", identity)
    }
}

#[tokio::test]
async fn a_released_lease_is_taken_at_once_and_an_abandoned_one_after_its_time() {
    let admin = plane().await.admin_client().await.unwrap();
    namespace(&admin, "lease").await;
    let (never, metrics) = (CancellationToken::new(), Metrics::new());
    let mut first = Elector::new(admin.clone(), config("lease", "first"), metrics.clone());
    let mut second = Elector::new(admin.clone(), config("lease", "second"), Metrics::new());
    assert!(first.acquire(&never).await);
    assert!(metrics.leads());
    let waiting = tokio::time::timeout(Duration::from_secs(4), second.acquire(&never));
    let stop = CancellationToken::new();
    // Four seconds are longer than the lease: it must have been renewed meanwhile.
    let (ended, won) = tokio::join!(
        async {
            let hold = first.hold(&stop);
            tokio::select! { end = hold => end, () = tokio::time::sleep(Duration::from_millis(4500)) => HoldEnd::Stopped }
        },
        waiting
    );
    assert_eq!(ended, HoldEnd::Stopped);
    assert!(won.is_err(), "only one leads");
    stop.cancel();
    assert_eq!(first.hold(&stop).await, HoldEnd::Stopped);
    assert!(!metrics.leads());
    let begun = Instant::now();
    assert!(second.acquire(&never).await);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    // `second` vanishes without a word.
    let begun = Instant::now();
    let mut third = Elector::new(admin, config("lease", "third"), Metrics::new());
    assert!(third.acquire(&never).await);
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_millis(2900) && took < Duration::from_secs(5),
        "{took:?}"
    );
}

#[tokio::test]
async fn a_leader_that_cannot_renew_gives_up_before_its_lease_ends() {
    let cluster = plane().await;
    namespace(&cluster.admin_client().await.unwrap(), "lease-lost").await;
    let (proxy, metrics) = (cluster.fault_proxy().await.unwrap(), Metrics::new());
    let client = counted_client(&proxy, &metrics).await;
    let never = CancellationToken::new();
    let mut elector = Elector::new(client, config("lease-lost", "only"), metrics.clone());
    assert!(elector.acquire(&never).await);
    proxy.order_always(
        testkit::plane::proxy::Matching::any().path("/leases/"),
        testkit::plane::proxy::Fault::Delay(Duration::from_mins(1)),
    );
    let begun = Instant::now();
    let end = tokio::time::timeout(LIMIT, elector.hold(&never)).await.unwrap();
    assert!(
        matches!(&end, HoldEnd::Lost(why) if why.contains("not renewed")),
        "{end:?}"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "before the lease ends: {:?}",
        begun.elapsed()
    );
    assert!(!metrics.leads());
}

#[tokio::test]
async fn a_long_pause_between_attempts_does_not_outlast_the_lease() {
    let cluster = plane().await;
    namespace(&cluster.admin_client().await.unwrap(), "lease-pause").await;
    let (proxy, metrics) = (cluster.fault_proxy().await.unwrap(), Metrics::new());
    let client = counted_client(&proxy, &metrics).await;
    let never = CancellationToken::new();
    let config = LeaseConfig {
        retry: Duration::from_millis(1_600),
        ..config("lease-pause", "only")
    };
    let mut elector = Elector::new(client, config, metrics);
    assert!(elector.acquire(&never).await);
    let begun = Instant::now();
    proxy.set_unreachable(true);
    // The attempt after 1.6 s fails at once; the next would come after 3.2 s, when the lease of 3 s is over.
    let end = tokio::time::timeout(LIMIT, elector.hold(&never)).await.unwrap();
    assert!(matches!(end, HoldEnd::Lost(_)), "{end:?}");
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(2_500), "{took:?}");
}

#[tokio::test]
async fn one_renewal_that_hangs_does_not_cost_the_lease() {
    let cluster = plane().await;
    namespace(&cluster.admin_client().await.unwrap(), "lease-hang").await;
    let (proxy, metrics) = (cluster.fault_proxy().await.unwrap(), Metrics::new());
    let client = counted_client(&proxy, &metrics).await;
    let never = CancellationToken::new();
    let mut elector = Elector::new(client, config("lease-hang", "only"), metrics);
    assert!(elector.acquire(&never).await);
    proxy.order(
        1,
        testkit::plane::proxy::Matching::any().path("/leases/"),
        testkit::plane::proxy::Fault::Delay(Duration::from_mins(1)),
    );
    let held = tokio::time::timeout(Duration::from_secs(4), elector.hold(&never));
    assert!(held.await.is_err(), "still held after four seconds");
    assert_eq!(proxy.pending(), 0);
}

/// Whoever does not get to renew, writes no more; what it asks, and the lease itself, go on.
#[tokio::test]
async fn nothing_is_written_when_the_lease_has_run_out() {
    let admin = plane().await.admin_client().await.unwrap();
    namespace(&admin, "lease-fence").await;
    let fence = Fence::default();
    let client = fenced_client(&fence).await;
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "lease-fence");
    let map = |name: &str| ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        ..ConfigMap::default()
    };
    let write = async |name: &str| maps.create(&PostParams::default(), &map(name)).await;
    let never = CancellationToken::new();
    let config = config("lease-fence", "only");
    let deadline = config.renew_deadline;
    let mut elector = Elector::new(client, config, Metrics::new()).fencing(fence);
    write("before").await.unwrap();
    assert!(elector.acquire(&never).await);
    write("leading").await.unwrap();
    // As if frozen: nobody renews.
    tokio::time::sleep(deadline).await;
    let refused = ApplyError::classify(
        "ConfigMap",
        "lease-fence",
        "late",
        write("late").await.unwrap_err(),
    );
    assert!(
        refused.passes() && refused.to_string().contains("another replica may lead"),
        "{refused}"
    );
    assert_eq!(maps.get_opt("late").await.unwrap(), None, "it may still ask");
    let end = elector.hold(&never).await;
    assert!(matches!(end, HoldEnd::Lost(_)), "{end:?}");
    assert!(
        elector.acquire(&never).await,
        "the lease is no secret of the leader's"
    );
    write("again").await.unwrap();
}
