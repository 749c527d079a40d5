//! Faults of one Pod and of each of its containers: orders in, what is to become of the present run out.
//! It must not know whom an order was for.

use std::collections::HashMap;
use std::sync::Arc;

use engine_sim::FaultHandle;
use engine_sim::fault::Death;
use tokio::sync::watch;

use super::Standing;

/// Faults of one Pod.
#[derive(Debug)]
pub(crate) struct PodFaults {
    pub(super) eviction: watch::Sender<Option<String>>,
    pub(super) containers: HashMap<String, ContainerFaults>,
}

impl PodFaults {
    /// None for containers of these names.
    pub(super) fn of(containers: &[&str]) -> Self {
        let of = |name: &&str| ((*name).to_owned(), ContainerFaults::default());
        Self {
            eviction: watch::Sender::new(None),
            containers: containers.iter().map(of).collect(),
        }
    }

    /// Resolves with kubelet's message once the Pod is to be evicted.
    pub(crate) async fn evicted(&self) -> String {
        let mut eviction = self.eviction.subscribe();
        let ordered = eviction.wait_for(Option::is_some).await;
        match ordered.ok().and_then(|message| message.clone()) {
            Some(message) => message,
            None => std::future::pending().await,
        }
    }

    pub(crate) fn container(&self, name: &str) -> ContainerFaults {
        self.containers.get(name).cloned().unwrap_or_default()
    }
}

#[derive(Debug, Default)]
struct Orders {
    running: bool,
    deaths: u64,
    death: Option<Death>,
    at_start: Option<Death>,
    unready: bool,
}

/// Faults of one container, over its restarts.
#[derive(Clone, Debug, Default)]
pub(crate) struct ContainerFaults {
    /// What the engine itself acts on.
    pub(crate) engine: FaultHandle,
    orders: Arc<watch::Sender<Orders>>,
}

impl ContainerFaults {
    pub(super) fn apply(&self, fault: &Standing) {
        match fault {
            Standing::AtStart(death) => self.orders.send_modify(|o| o.at_start.clone_from(death)),
            Standing::Unready(unready) => self.orders.send_modify(|o| o.unready = *unready),
            Standing::Health(health) => self.engine.health(*health),
            Standing::SlowLoad(factor) => self.engine.slow_load(*factor),
            Standing::StallLoad(stalled) => self.engine.stall_load(*stalled),
            Standing::Prompts(Some((part, how))) => self.engine.break_prompts(part, how.clone()),
            Standing::Prompts(None) => self.engine.heal_prompts(),
            Standing::ModelPullFails(error) => self.engine.fail_model_pulls(error.clone()),
            Standing::ModelPullTakes(time) => self.engine.slow_model_pulls(*time),
        }
    }

    pub(super) fn kill(&self, death: &Death) -> bool {
        let running = self.orders.borrow().running;
        if running {
            self.orders.send_modify(|o| {
                o.deaths += 1;
                o.death = Some(death.clone());
            });
        }
        running
    }

    /// Readiness probes must fail.
    pub(crate) fn unready(&self) -> bool {
        self.orders.borrow().unready
    }

    /// Marks the container as running and resolves with the death ordered for this run.
    pub(crate) fn death_of_run(&self) -> impl Future<Output = Death> + Send + use<> {
        self.orders.send_modify(|o| o.running = true);
        let sender = Arc::clone(&self.orders);
        let mut orders = self.orders.subscribe();
        let seen = orders.borrow_and_update().deaths;
        async move {
            let due = orders.wait_for(|o| o.at_start.is_some() || o.deaths > seen).await;
            let death = due
                .ok()
                .and_then(|o| o.at_start.clone().or_else(|| o.death.clone()));
            drop(sender);
            match death {
                Some(death) => death,
                None => std::future::pending().await,
            }
        }
    }

    /// The run is over.
    pub(crate) fn run_ended(&self) {
        self.orders.send_modify(|o| o.running = false);
    }
}
