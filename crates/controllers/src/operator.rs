//! Everything together: caches, reconcilers and workers, as long as this replica leads.
//!
//! In: a client and options. Out: a running operator, until it is stopped.

use std::{sync::Arc, time::Duration};

use api::{
    ai_example_com::v1::{self as ai, ModelDeployment},
    llm_example_com::v1alpha1::LLMDeployment,
    nvidia_com::v1::DynamoGraphDeployment,
    opendatahub_io::datasciencecluster::v2::DataScienceCluster,
    premlabs_io::v1alpha1::AIDeployment,
};
use kube::{Client, CustomResourceExt as _};
use reconcile::{
    Applier, EventRecorder, Metrics, Runner, StatusWriter, Watches, WorkQueue,
    cache::{Namespaces, WatchState},
};
use scraper::Scraper;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    ai_model_map::reconcile::AIModelMapReconciler,
    auto_node_labeler::{
        labelling::Labelling, manager::LabelManager, node_reconcile::NodeReconciler,
        reconcile::AutoNodeLabelerReconciler,
    },
    caches::Caches,
    context::Context,
    data_science_cluster::reconcile::DataScienceClusterReconciler,
    families::{Families, Family},
    llm_model::reconcile::LLMModelReconciler,
    llmd::{
        desk::{Desk, HelmSetup},
        reconcile::LlmdReconciler,
    },
    nvidia_gpu_llm::reconcile::NvidiaGpuLlmReconciler,
    scaling::{CostWriter, Figures, MetricsApi, Pace, Scaling, Subjects, Tolerance, scale::ScaleWriter},
    serving_kind::{promised::Promises, reconcile::ServingReconciler},
};

/// What may be said about how the operator runs.
#[derive(Clone)]
pub struct Options {
    /// Which namespaces are watched.
    pub namespaces: Namespaces,
    /// Which families of kinds are served.
    pub families: Families,
    /// Reconciles at the same time.
    pub workers: usize,
    /// Every resource is looked at again after this time.
    pub resync_period: Duration,
    /// The namespace in which the operator runs.
    pub operator_namespace: String,
    /// Name of the Lease for which the replicas of this installation compete.
    pub lease_name: String,
    /// Whether `AutoNodeLabeler`s may set labels that Kubernetes keeps for itself.
    pub allow_protected_node_labels: bool,
    /// Name of this replica, the reporting instance of its Events.
    pub identity: String,
    /// Where the external metrics API stands.
    pub metrics_api: watch::Receiver<MetricsApi>,
    /// Whether the cluster's version does not rule out that autoscalers keep a tolerance of their own.
    pub autoscaler_tolerance: bool,
    /// What installs charts; none where the operator may not touch what is outside its namespaces.
    pub helm: Option<HelmSetup>,
}

/// The operator of one leadership.
pub struct Operator {
    client: Client,
    watches: Watches,
    context: Arc<Context>,
    labelling: Arc<Labelling>,
    charts: Option<Arc<Desk>>,
    queue: WorkQueue,
    options: Options,
    /// The scraper ends with the operator.
    _scraping: DropGuard,
}

impl Operator {
    /// Starts to fill the caches. Needs a tokio runtime.
    pub fn start(client: &Client, metrics: &Metrics, options: Options) -> Self {
        let queue = WorkQueue::new();
        let mut watches = Watches::new(
            client.clone(),
            options.namespaces.clone(),
            queue.clone(),
            metrics.clone(),
        );
        let manager = LabelManager::of_lease(&options.operator_namespace, &options.lease_name);
        let caches = Caches::start(
            &mut watches,
            options.families,
            manager.clone(),
            &options.operator_namespace,
        );
        let scraping = CancellationToken::new();
        let scraper = Scraper::start(scraper::Options::default(), scraping.clone());
        let promises = Promises {
            subjects: Subjects::new(scraper, Figures::registered(metrics), Pace::default()),
            metrics_api: options.metrics_api.clone(),
            scale: ScaleWriter::new(client.clone()),
            tolerance: Tolerance::new(options.autoscaler_tolerance),
        };
        let context = Arc::new(Context {
            applier: Applier::new(client.clone(), caches.children()),
            status: StatusWriter::new(client.clone()),
            recorder: EventRecorder::start(
                client.clone(),
                "llm-operator",
                &options.identity,
                metrics.clone(),
            ),
            metrics: metrics.clone(),
            queue: queue.clone(),
            promises,
            operator_namespace: options.operator_namespace.clone(),
            caches,
        });
        let labelling = Arc::new(Labelling::new(
            client,
            context.clone(),
            queue.clone(),
            manager,
            options.allow_protected_node_labels,
        ));
        let charts = options.helm.clone();
        let charts = charts.map(|setup| Arc::new(Desk::new(client, setup, &queue, metrics)));
        Self {
            client: client.clone(),
            watches,
            context,
            labelling,
            charts,
            queue,
            options,
            _scraping: scraping.drop_guard(),
        }
    }

    /// Waits for the caches, then reconciles until `stop`; what is under way is finished first, Events included.
    pub async fn run(&self, stop: CancellationToken) {
        tokio::select! {
            () = self.watches.wait_settled() => {}
            () = stop.cancelled() => return,
        }
        let runner = self.runner();
        let scaling = Arc::new(Scaling::new(
            self.context.promises.subjects.clone(),
            self.context.clone(),
            (
                CostWriter::new(self.client.clone()),
                ScaleWriter::new(self.client.clone()),
            ),
            self.queue.clone(),
        ));
        let work = async {
            tokio::join!(
                runner.run(stop.clone()),
                scaling.run(stop.clone()),
                self.follow_carriers(stop.clone()),
                self.resync(stop)
            )
        };
        tokio::select! {
            _ = work => {}
            () = self.labelling.make_up() => {}
        }
        if let Some(charts) = &self.charts {
            charts.stop();
            charts.helm.settled().await;
        }
        self.context.recorder.flush().await;
    }

    /// The reconcilers of the families that are served.
    fn runner(&self) -> Runner {
        let context = || self.context.clone();
        let families = self.options.families;
        let known = context();
        let mut runner = Runner::new(self.queue.clone(), self.context.metrics.clone())
            .generations(move |key| known.caches.generation(key))
            .concurrency(self.options.workers);
        if families.has(Family::Llm) {
            runner = runner
                .with(ServingReconciler::<LLMDeployment>::new(context()))
                .with(LLMModelReconciler::new(context()));
        }
        if families.has(Family::Prem) {
            runner = runner
                .with(ServingReconciler::<AIDeployment>::new(context()))
                .with(AIModelMapReconciler::new(context()))
                .with(AutoNodeLabelerReconciler::new(self.labelling.clone()))
                .with(NodeReconciler::new(self.labelling.clone()));
        }
        if families.has(Family::Infra) {
            runner = runner.with(NvidiaGpuLlmReconciler::new(&self.client, context()));
        }
        if families.has(Family::Ai) {
            runner = runner
                .with(ServingReconciler::<ai::LLMModel>::new(context()))
                .with(ServingReconciler::<ModelDeployment>::new(context()))
                .with(ServingReconciler::<DynamoGraphDeployment>::new(context()));
        }
        if let Some(charts) = &self.charts {
            runner = runner.with(LlmdReconciler::new(context(), charts.clone()));
        }
        if let Some(watched) = &self.context.caches.data_science {
            let watched = watched.clone();
            runner = runner.with(DataScienceClusterReconciler::new(
                &self.client,
                context(),
                watched,
            ));
        }
        runner
    }

    /// Whether every cache may be relied on.
    pub fn settled(&self) -> bool {
        self.watches.settled()
    }

    /// One line for each resource that cannot be watched, and why.
    pub fn notes(&self) -> Vec<String> {
        let optional = [DynamoGraphDeployment::crd_name(), DataScienceCluster::crd_name()];
        let troubles = self.watches.states().into_iter().flat_map(|(resource, states)| {
            states.into_iter().filter_map(move |state| match state {
                WatchState::Starting => Some(format!("{resource}: first list is under way")),
                WatchState::Watching => None,
                // Nobody misses what is installed only when asked for.
                WatchState::NotServed if optional.contains(&resource.as_str()) => None,
                WatchState::NotServed => Some(format!(
                    "{resource}: not served by this cluster; install the definition with `llm-operator crds | kubectl apply -f -`"
                )),
                WatchState::Foreign(message) => Some(format!("{resource}: {message}")),
                WatchState::Forbidden(message) => Some(format!("{resource}: may not be watched: {message}")),
                WatchState::Withheld(message) => Some(format!("{resource}: left out: {message}")),
                WatchState::Retrying(message) => Some(format!("{resource}: watch failed and is tried again: {message}")),
            })
        });
        troubles.collect()
    }

    /// Wakes whoever scales when another way has to carry the numbers. Where the metrics API is unusable for good there is no
    /// other way, and nothing to follow.
    async fn follow_carriers(&self, stop: CancellationToken) {
        let mut metrics_api = self.options.metrics_api.clone();
        let mut tolerance = self.context.promises.tolerance.follow();
        loop {
            tokio::select! {
                changed = metrics_api.changed() => if changed.is_err() { return },
                changed = tolerance.changed() => if changed.is_err() { return },
                () = stop.cancelled() => return,
            }
            self.queue
                .add_all(self.context.promises.subjects.keys(), Duration::ZERO);
        }
    }

    async fn resync(&self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(self.options.resync_period) => {}
                () = stop.cancelled() => return,
            }
            self.queue.add_all(self.context.caches.roots(), Duration::ZERO);
        }
    }
}
