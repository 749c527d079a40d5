//! A change of a release.
//!
//! In: an operation. Out: done, or why not. One Helm process; changes of one release follow each other.

use std::{sync::Arc, time::Duration};

use super::{
    CliHelm, arguments::Arguments, environment::HISTORY, errors, files::Scratch, messages::Shown,
    process::Call, render::post_renderer_said,
};
use crate::{HelmError, LocalChart, Operation, ReleaseName, ReleaseSpec};

/// Beyond the time limit that Helm itself keeps for each thing that it waits for.
const MARGIN: Duration = Duration::from_secs(10);

pub(super) async fn run(
    helm: &CliHelm,
    release: &ReleaseName,
    operation: &Operation,
    timeout: Duration,
) -> Result<(), HelmError> {
    let turn = helm.releases.turn(release).await;
    let scratch = Arc::new(helm.home.scratch()?);
    let args = arguments(helm, release, operation, timeout, &scratch).await?;
    let mut call = Call::new(args.done(), timeout + MARGIN, &scratch);
    call.keep.push(Arc::new(turn));
    let ended = helm.call(call).await?;
    if ended.success {
        return Ok(());
    }
    let said = post_renderer_said(scratch.path());
    let shown = match operation {
        Operation::Install { spec, .. } | Operation::Upgrade { spec, .. } => Shown::without(&spec.secrets),
        Operation::Rollback { .. } | Operation::Uninstall => Shown::default(),
    };
    Err(errors::of_change(release, &ended, timeout, said, &shown))
}

async fn arguments(
    helm: &CliHelm,
    release: &ReleaseName,
    operation: &Operation,
    timeout: Duration,
    scratch: &Arc<Scratch>,
) -> Result<Arguments, HelmError> {
    let start = |words: &[&str]| Arguments::new(words).namespace(release).timeout(timeout);
    Ok(match operation {
        // Pods may load weights for long: whether they serve is told elsewhere.
        Operation::Install { chart, spec } => {
            let args = start(&["install", &release.name, "--wait=hookOnly", "--server-side=true"]);
            content(helm, args, chart, spec, scratch).await?
        }
        Operation::Upgrade { chart, spec } => {
            let args = start(&["upgrade", &release.name, "--wait=watcher", "--server-side=true"])
                .word("--reset-values")
                .flag("--history-max", HISTORY);
            content(helm, args, chart, spec, scratch).await?
        }
        // The old revision served once; its Pods may load weights again.
        Operation::Rollback { revision } => start(&["rollback", &release.name])
            .word(revision.to_string())
            .word("--wait=hookOnly")
            .word("--server-side=true")
            .word("--force-conflicts")
            .flag("--history-max", HISTORY),
        // Only its log tells why something could not be removed.
        Operation::Uninstall => start(&["uninstall", &release.name])
            .word("--ignore-not-found")
            .word("--wait=watcher")
            .word("--debug"),
    })
}

async fn content(
    helm: &CliHelm,
    args: Arguments,
    chart: &LocalChart,
    spec: &ReleaseSpec,
    scratch: &Arc<Scratch>,
) -> Result<Arguments, HelmError> {
    let capabilities = helm.options.capabilities.get().await?;
    // What others have set in our objects is taken back.
    Ok(args
        .path(&chart.path)
        .content(spec, &capabilities, scratch)?
        .labels(&spec.release_labels)
        .word("--force-conflicts")
        .word("--hide-notes"))
}
