//! Charts that we have.
//!
//! In: an archive or directory. Out: a copy of it under the hash of its content, with what its `Chart.yaml` says; and which
//! content a chart of the network had when it was fetched.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    Chart, HelmError, LocalChart, Source,
    cli::{
        CliHelm,
        arguments::Arguments,
        digest, errors,
        files::{at, private_directory, write_private},
        messages::{Shown, reason},
        output::Bound,
        process::Call,
    },
};

/// A `Chart.yaml` is a few hundred bytes.
const LARGEST: usize = 1 << 20;
/// What is known of a chart, beside it.
const ABOUT: &str = "about.json";

#[derive(Debug, Deserialize, Serialize)]
struct About {
    name: String,
    version: String,
    /// Name of the archive or directory.
    file: String,
}

/// Takes a copy. Fails when it is no chart.
pub(in crate::cli) async fn admit(
    helm: &CliHelm,
    path: &Path,
    described: &str,
) -> Result<LocalChart, HelmError> {
    let source = path.to_owned();
    let scratch = Arc::new(helm.home.scratch()?);
    let copy = scratch.directory("chart")?;
    let copied = tokio::task::spawn_blocking(move || copy_in(&source, &copy)).await;
    let (digest, file) = copied.map_err(|error| HelmError::File {
        path: path.display().to_string(),
        message: error.to_string(),
    })??;
    if let Some(known) = known(helm, &digest) {
        return Ok(known);
    }
    let copy = scratch.path().join("chart");
    let mut call = Call::new(
        Arguments::new(&["show", "chart"]).path(&copy.join(&file)).done(),
        helm.options.timeout,
        &scratch,
    );
    call.output = Bound::Whole(LARGEST);
    let ended = helm.call(call).await?;
    let no_chart = |message: &str| HelmError::NoChart {
        chart: Shown::default().text(described),
        message: Shown::default().text(message),
    };
    if ended.overdue {
        return Err(errors::of_render(
            &ended,
            helm.options.timeout,
            None,
            &Shown::default(),
        ));
    }
    if !ended.success {
        return Err(no_chart(reason(&ended.stderr)));
    }
    let about = about(&ended.stdout.text, file).map_err(|message| no_chart(&message))?;
    let text = serde_json::to_string(&about).map_err(|error| no_chart(&error.to_string()))?;
    write_private(&copy.join(ABOUT), &text)?;
    let home = helm.home.store().join(&digest);
    // Another call may have been faster with the same content.
    if fs::rename(&copy, &home).is_err() && known(helm, &digest).is_none() {
        let _ = fs::remove_dir_all(&home);
        fs::rename(&copy, &home).map_err(at(&home))?;
    }
    known(helm, &digest).ok_or_else(|| no_chart("it was removed from the store meanwhile"))
}

/// The chart with this content, if we have it.
fn known(helm: &CliHelm, digest: &str) -> Option<LocalChart> {
    let home = helm.home.store().join(digest);
    let about: About = serde_json::from_str(&fs::read_to_string(home.join(ABOUT)).ok()?).ok()?;
    let path = home.join(&about.file);
    path.exists().then(|| LocalChart {
        path,
        name: about.name,
        version: about.version,
        digest: digest.to_owned(),
    })
}

/// What the chart was when it was fetched, if it was.
pub(super) fn remembered(helm: &CliHelm, chart: &Chart) -> Option<LocalChart> {
    let digest = fs::read_to_string(request(helm, chart)?).ok()?;
    known(helm, digest.trim())
}

/// Remembers what the chart was.
pub(super) fn remember(helm: &CliHelm, chart: &Chart, fetched: &LocalChart) -> Result<(), HelmError> {
    let Some(path) = request(helm, chart) else {
        return Ok(());
    };
    if let Some(directory) = path.parent() {
        private_directory(directory)?;
    }
    write_private(&path, &fetched.digest)
}

fn request(helm: &CliHelm, chart: &Chart) -> Option<PathBuf> {
    let (place, name) = match &chart.source {
        Source::Repository { url, name } => (url, name.as_str()),
        Source::Registry { reference } => (reference, ""),
        Source::Local { .. } => return None,
    };
    let key = digest::of_texts(&[place, name, chart.version.as_str()]);
    Some(helm.home.store().join("fetched").join(key))
}

/// Copies an archive or a directory. Returns the hash of what was copied and the name of the copy.
fn copy_in(source: &Path, target: &Path) -> Result<(String, String), HelmError> {
    let file = if source.is_dir() { "chart" } else { "chart.tgz" };
    let copy = target.join(file);
    if source.is_dir() {
        private_directory(&copy)?;
        for relative in digest::files(source).map_err(at(source))? {
            let to = copy.join(&relative);
            if let Some(directory) = to.parent() {
                private_directory(directory)?;
            }
            fs::copy(source.join(&relative), &to).map_err(at(&to))?;
        }
    } else {
        fs::copy(source, &copy).map_err(at(source))?;
    }
    let digest = digest::of_path(&copy).map_err(at(&copy))?;
    Ok((digest, file.to_owned()))
}

/// Reads what `helm show chart` prints.
fn about(text: &str, file: String) -> Result<About, String> {
    #[derive(Deserialize)]
    struct ChartFile {
        name: String,
        version: String,
    }
    let chart: ChartFile = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    Ok(About {
        name: chart.name,
        version: chart.version,
        file,
    })
}
