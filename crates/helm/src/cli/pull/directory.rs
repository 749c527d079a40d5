//! Charts that were put on the disk beforehand.
//!
//! In: the charts directory, a chart. Out: the chart, when it is there in this version: as an archive or unpacked, with or
//! without `v`, or unpacked without any version in its name.

use std::path::Path;

use super::{describe, name, store};
use crate::{Chart, HelmError, LocalChart, Version, cli::CliHelm};

pub(super) async fn find(
    helm: &CliHelm,
    directory: &Path,
    chart: &Chart,
) -> Result<Option<LocalChart>, HelmError> {
    let name = name(&chart.source);
    let version = &chart.version;
    for named in [
        format!("{name}-{version}.tgz"),
        format!("{name}-v{version}.tgz"),
        format!("{name}-{version}"),
        format!("{name}-v{version}"),
    ] {
        let path = directory.join(named);
        if path.exists() {
            return store::admit(helm, &path, &describe(chart)).await.map(Some);
        }
    }
    let path = directory.join(name);
    if !path.join("Chart.yaml").exists() {
        return Ok(None);
    }
    let found = store::admit(helm, &path, &describe(chart)).await?;
    Ok((Version::new(&found.version) == *version).then_some(found))
}
