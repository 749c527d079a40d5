//! A chart with its values as objects.
//!
//! In: a chart on our disk, what the release should be. Out: the objects as they would be applied, from `helm template`, after
//! the chart's schema has been asked.

use std::{fs, path::Path, sync::Arc};

use super::{
    CliHelm,
    arguments::{Arguments, OPTIONS_FILE},
    errors,
    messages::Shown,
    output::Bound,
    process::Call,
};
use crate::{HelmError, LocalChart, ReleaseSpec, Rendered, tool};

/// Objects of a release are kept in one Secret of at most 1 MiB, compressed: this is far more.
const LARGEST: usize = 32 << 20;

pub(super) async fn render(
    helm: &CliHelm,
    chart: &LocalChart,
    spec: &ReleaseSpec,
) -> Result<Rendered, HelmError> {
    let capabilities = helm.options.capabilities.get().await?;
    let scratch = Arc::new(helm.home.scratch()?);
    let args = Arguments::new(&["template", &spec.name.name])
        .path(&chart.path)
        .namespace(&spec.name)
        .content(spec, &capabilities, &scratch)?
        .capabilities(&capabilities)
        .word("--include-crds")
        .word("--skip-tests");
    let limit = helm.options.timeout;
    let mut call = Call::new(args.done(), limit, &scratch);
    call.output = Bound::Whole(LARGEST);
    let ended = helm.call(call).await?;
    if !ended.success {
        let said = post_renderer_said(scratch.path());
        return Err(errors::of_render(
            &ended,
            limit,
            said,
            &Shown::without(&spec.secrets),
        ));
    }
    if ended.stdout.cut {
        return Err(HelmError::Render {
            message: format!("its objects are more than {} MiB", LARGEST >> 20),
        });
    }
    Ok(Rendered {
        manifest: ended.stdout.text,
    })
}

/// Why our post-renderer failed in the call of this directory: Helm does not tell.
pub(super) fn post_renderer_said(scratch: &Path) -> Option<String> {
    fs::read_to_string(tool::error_file(&scratch.join(OPTIONS_FILE))).ok()
}
