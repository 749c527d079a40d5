//! All parts together: objects in, children out, through an outage, beside an object that always fails.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::{
    Resource,
    api::{DeleteParams, PostParams},
};
use reconcile::{
    Applier, CacheSpec, Failure, Metrics, Namespaces, ObjectKey, Outcome, Reconciler, Runner, WatchCache,
    Watches, WorkQueue,
};
use serde_json::json;
use testkit::until;
use tokio_util::sync::CancellationToken;

use crate::bed::{Bed, LIMIT, bed, desired};

/// Gives every ConfigMap a Service of its name.
struct ServicePerConfigMap {
    owners: Arc<WatchCache<ConfigMap>>,
    applier: Arc<Applier>,
}

impl Reconciler for ServicePerConfigMap {
    fn kind(&self) -> &'static str {
        "ConfigMap"
    }

    async fn reconcile(&self, key: &ObjectKey) -> Result<Outcome, Failure> {
        let Some(owner) = self.owners.get(&key.namespace, &key.name) else {
            return Ok(Outcome::Done);
        };
        if &*key.name == "broken" {
            tokio::time::sleep(Duration::from_millis(50)).await;
            return Err(Failure::retry("Broken", "never works"));
        }
        let service: Service = serde_json::from_value(json!({
            "metadata": {
                "name": &*key.name, "namespace": &*key.namespace,
                "labels": {"app.kubernetes.io/managed-by": "llm-operator"},
                "ownerReferences": [owner.controller_owner_ref(&())],
            },
            "spec": {"ports": [{"port": 80}]},
        }))
        .unwrap();
        match self.applier.apply(&desired(service)).await {
            Ok(_) => Ok(Outcome::Done),
            Err(error) if error.retryable() => Err(Failure::retry(error.reason(), error.to_string())),
            Err(error) => Err(Failure::terminal(error.reason(), error.to_string())),
        }
    }
}

struct Machine {
    queue: WorkQueue,
    owners: Arc<WatchCache<ConfigMap>>,
    stop: CancellationToken,
    _watches: Watches,
}

async fn start(bed: &Bed) -> Machine {
    let (queue, stop, metrics) = (WorkQueue::new(), CancellationToken::new(), Metrics::new());
    let only = Namespaces::Only(vec![bed.namespace.clone()]);
    let mut watches = Watches::new(bed.client.clone(), only, queue.clone(), metrics.clone());
    let wake = |change: &reconcile::Change<'_, ConfigMap>| {
        vec![ObjectKey::new("ConfigMap", change.namespace, change.name)]
    };
    let owners = watches.start(CacheSpec::typed(|object: ConfigMap| object).on_change(wake));
    let services = watches.start(
        CacheSpec::children::<Service>(|_| Ok(())).on_change(|change| change.owner_key(&["ConfigMap"])),
    );
    tokio::time::timeout(LIMIT, watches.wait_settled()).await.unwrap();
    let applier = Arc::new(Applier::new(bed.client.clone(), vec![services]));
    let runner = Runner::new(queue.clone(), metrics)
        .with(ServicePerConfigMap {
            owners: owners.clone(),
            applier,
        })
        .concurrency(4);
    let token = stop.clone();
    tokio::spawn(async move { runner.run(token).await });
    Machine {
        queue,
        owners,
        stop,
        _watches: watches,
    }
}

async fn create(bed: &Bed, names: &[String]) {
    let api = bed.api::<ConfigMap>();
    for name in names {
        let object: ConfigMap = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
        api.create(&PostParams::default(), &object).await.unwrap();
    }
}

async fn services(bed: &Bed, expected: usize) {
    let look = async || {
        if bed.services.len() == expected {
            Ok(())
        } else {
            Err(bed.services.len().to_string())
        }
    };
    until(format!("{expected} services"), LIMIT, look).await.unwrap();
}

#[tokio::test]
async fn it_recovers_alone_and_rests_when_all_is_done() {
    let bed = bed("machine").await;
    let machine = start(&bed).await;
    create(&bed, &["broken".to_owned()]).await;
    let first: Vec<_> = (0..20).map(|i| format!("a{i}")).collect();
    create(&bed, &first).await;
    // Twenty and the owner that every bed has; the broken one has none and holds nobody up.
    services(&bed, 21).await;
    bed.proxy.set_unreachable(true);
    let second: Vec<_> = (0..5).map(|i| format!("b{i}")).collect();
    create(&bed, &second).await;
    bed.proxy.fail_next(3, "PATCH", "services", 503, None);
    bed.proxy.set_unreachable(false);
    services(&bed, 26).await;
    bed.api::<ConfigMap>()
        .delete("broken", &DeleteParams::default())
        .await
        .unwrap();
    let idle = async || machine.queue.is_idle().then_some(());
    until("nothing to be left of what is done or gone", LIMIT, idle)
        .await
        .unwrap();
    // A forced resync of an unchanged cluster neither writes nor reads.
    let before = (bed.writes(), bed.reads());
    let all = machine
        .owners
        .names()
        .into_iter()
        .map(|(namespace, name)| ObjectKey::new("ConfigMap", namespace, name));
    machine.queue.add_all(all, Duration::ZERO);
    assert!(!machine.queue.is_idle());
    until("the resync to end", LIMIT, idle).await.unwrap();
    assert_eq!((bed.writes(), bed.reads()), before);
    machine.stop.cancel();
}
