//! Charts onto our disk.
//!
//! In: which chart. Out: a [`LocalChart`] in our store, which does not change any more. Looked for in this order: the path that
//! was given, the charts directory, what was fetched before, the network.

mod directory;
mod fetch;
mod registry;
mod repository;
mod store;

use super::CliHelm;
use crate::{Chart, HelmError, LocalChart, Source};

pub(super) async fn pull(helm: &CliHelm, chart: &Chart) -> Result<LocalChart, HelmError> {
    let described = describe(chart);
    if let Source::Local { path } = &chart.source {
        if !path.exists() {
            return Err(HelmError::ChartNotFound {
                message: format!("{} does not exist", path.display()),
                chart: described,
            });
        }
        return store::admit(helm, path, &described).await;
    }
    if let Some(directory) = &helm.options.charts_dir
        && let Some(found) = directory::find(helm, directory, chart).await?
    {
        return Ok(found);
    }
    if let Some(known) = store::remembered(helm, chart) {
        return Ok(known);
    }
    let fetched = fetch::fetch(helm, chart, &described).await?;
    store::remember(helm, chart, &fetched)?;
    Ok(fetched)
}

/// The chart for people: source, name, version.
fn describe(chart: &Chart) -> String {
    match &chart.source {
        Source::Repository { url, name } => format!("chart {name} {} of {url}", chart.version),
        Source::Registry { reference } => format!("chart {reference} {}", chart.version),
        Source::Local { path } => format!("chart {}", path.display()),
    }
}

/// The name of the chart, as far as the source tells it.
fn name(source: &Source) -> &str {
    match source {
        Source::Repository { name, .. } => name,
        Source::Registry { reference } => reference.rsplit('/').next().unwrap_or(reference),
        Source::Local { .. } => "",
    }
}
