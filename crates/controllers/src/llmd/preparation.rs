//! Fetching and rendering: from what is asked for to what each release should be.
//!
//! In: charts with the user's values. Out: each chart on our disk, its values wired to the others', and the objects that come of
//! it; or why one of them cannot be had, and then nothing of any. Touches no release.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::future::{join_all, try_join_all};
use helm::{
    Helm, HelmError, LocalChart, ReleaseName, ReleaseSpec, Source, Wanted, chart_defaults,
    manifest::{self, KindId, Object},
};

use super::{
    component::Component,
    object_labels, release_labels,
    request::AskedChart,
    wiring::{Given, Surroundings, wired},
};

/// What is prepared: the charts asked for, the namespace of their releases, what the cluster has.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// Namespace.
    pub namespace: String,
    /// Charts.
    pub charts: BTreeMap<Component, AskedChart>,
    /// What the cluster has.
    pub around: Surroundings,
}

/// A chart that is ready to be installed.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// The chart on our disk.
    pub chart: LocalChart,
    /// What the release should be.
    pub spec: ReleaseSpec,
    /// The same, to compare with what is recorded.
    pub wanted: Wanted,
    /// All its objects, hooks included.
    pub objects: Vec<Object>,
}

impl Prepared {
    /// The kinds of its objects.
    pub fn kinds(&self) -> BTreeSet<KindId> {
        manifest::kinds(&self.objects).into_iter().collect()
    }
}

/// Why a chart cannot be had or rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {error}", component.chart())]
pub struct Unprepared {
    /// Which.
    pub component: Component,
    /// Why.
    pub error: HelmError,
}

/// All charts of an order, ready.
pub type Preparation = Result<BTreeMap<Component, Prepared>, Unprepared>;

/// Where a chart is had from, for a status.
pub fn source_text(source: &Source) -> String {
    match source {
        Source::Repository { url, .. } => url.clone(),
        Source::Registry { reference } => reference.clone(),
        Source::Local { path } => format!("file:{}", path.display()),
    }
}

/// Fetches and renders.
pub async fn prepare(helm: Arc<dyn Helm>, order: Order) -> Preparation {
    let pulls = order.charts.iter().map(|(component, asked)| {
        let helm = helm.clone();
        async move {
            let pulled = given(&*helm, asked).await;
            pulled.map_err(|error| unprepared(*component, error))
        }
    });
    // All of them, though one fails: the next try finds the others on our disk.
    let pulled: Result<Vec<(LocalChart, Given)>, Unprepared> = join_all(pulls).await.into_iter().collect();
    let pulled = order.charts.keys().copied().zip(pulled?);
    let (charts, given): (BTreeMap<_, _>, BTreeMap<_, _>) = pulled
        .map(|(component, (chart, given))| ((component, chart), (component, given)))
        .unzip();
    let values = wired(&given, order.around);
    let renderings = charts.into_iter().map(|(component, chart)| {
        let mut spec = ReleaseSpec {
            name: ReleaseName {
                namespace: order.namespace.clone(),
                name: component.release().to_owned(),
            },
            values: values.get(&component).cloned().unwrap_or_default(),
            secrets: order
                .charts
                .get(&component)
                .map(|asked| asked.secrets.clone())
                .unwrap_or_default(),
            release_labels: release_labels(),
            object_labels: object_labels(),
        };
        let wanted = Wanted::new(&chart, &spec);
        wanted.mark(&mut spec);
        let helm = helm.clone();
        async move {
            let objects = rendered(&*helm, &chart, &spec).await;
            let objects = objects.map_err(|error| unprepared(component, error))?;
            let prepared = Prepared {
                chart,
                spec,
                wanted,
                objects,
            };
            Ok((component, prepared))
        }
    });
    try_join_all(renderings)
        .await
        .map(|all| all.into_iter().collect())
}

async fn given(helm: &dyn Helm, asked: &AskedChart) -> Result<(LocalChart, Given), HelmError> {
    let chart = helm.pull(&asked.chart).await?;
    let local = chart.clone();
    let read = tokio::task::spawn_blocking(move || chart_defaults(&local));
    let defaults = read.await.map_err(|error| HelmError::Failed {
        message: error.to_string(),
    })??;
    let values = asked.values.clone();
    Ok((chart, Given { defaults, values }))
}

async fn rendered(helm: &dyn Helm, chart: &LocalChart, spec: &ReleaseSpec) -> Result<Vec<Object>, HelmError> {
    let rendered = helm.render(chart, spec).await?;
    manifest::parse(&rendered.manifest).map_err(|error| HelmError::Render {
        message: error.to_string(),
    })
}

fn unprepared(component: Component, error: HelmError) -> Unprepared {
    Unprepared { component, error }
}
