//! What went wrong, sorted by who has to act.
//!
//! In: how a process has ended. Out: a [`HelmError`]. Helm has no codes for it: its words are all there is.

use std::time::Duration;

use super::{
    messages::{Shown, reason},
    process::Ended,
};
use crate::{HelmError, ReleaseName};

/// The reason of those who give none.
const NOTHING: &str = "Helm gave no reason";
/// Words for values that the chart's schema forbids.
const SCHEMA: &str = "values don't meet the specifications of the schema(s)";
const UNKNOWN_KIND: [&str; 2] = ["no matches for kind", "ensure CRDs are installed first"];
const LOCKED: [&str; 2] = ["another operation", "cannot reuse a name that is still in use"];
const TIMED_OUT: [&str; 3] = [
    "context deadline exceeded",
    "timed out waiting",
    "timeout waiting",
];
/// Words for charts that cannot be rendered with these values on this cluster.
const RENDER: [&str; 10] = [
    "execution error at",
    "parse error at",
    "YAML parse error",
    "error calling",
    "chart requires kubeVersion",
    "post render",
    "nil pointer evaluating",
    "missing in charts/ directory",
    "can't evaluate field",
    "error converting YAML",
];
const UNAUTHORIZED: [&str; 7] = [
    "401",
    "403",
    "unauthorized",
    "forbidden",
    "denied",
    "authentication required",
    "basic credential not found",
];
const NOT_FOUND: [&str; 6] = [
    "404",
    "not found",
    "no chart version found",
    "no chart name found",
    "name unknown",
    "manifest unknown",
];
const NO_CHART: [&str; 5] = [
    "is not a valid chart",
    "does not appear to be",
    "no api version specified",
    "error unmarshaling json",
    "not a valid chart repository or cannot be reached: error",
];

/// Why a chart could not be fetched.
pub(super) fn of_fetch(chart: &str, message: &str, shown: &Shown) -> HelmError {
    let lower = message.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let chart = shown.text(chart);
    let message = shown.text(message);
    if has(&UNAUTHORIZED) {
        HelmError::Unauthorized { chart, message }
    } else if has(&NOT_FOUND) {
        HelmError::ChartNotFound { chart, message }
    } else if has(&NO_CHART) {
        HelmError::NoChart { chart, message }
    } else {
        HelmError::Unreachable { chart, message }
    }
}

/// Why a chart could not be rendered. `post_render` is what our post-renderer said.
pub(super) fn of_render(
    ended: &Ended,
    limit: Duration,
    post_render: Option<String>,
    shown: &Shown,
) -> HelmError {
    let message = post_render.unwrap_or_else(|| reason(&ended.stderr).to_owned());
    if ended.overdue {
        return HelmError::TimedOut {
            after: limit,
            message: shown.text(&message),
        };
    }
    of_values(&message, shown).unwrap_or_else(|| HelmError::Render {
        message: shown.text(&message),
    })
}

/// Why a release could not be changed.
pub(super) fn of_change(
    release: &ReleaseName,
    ended: &Ended,
    limit: Duration,
    post_render: Option<String>,
    shown: &Shown,
) -> HelmError {
    let message = post_render.map_or_else(
        || detailed(reason(&ended.stderr), &ended.stderr),
        |message| format!("post render: {message}"),
    );
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if let Some(error) = of_values(&message, shown) {
        return error;
    }
    let locked = has(&LOCKED);
    let unknown_kind = has(&UNKNOWN_KIND);
    let timed_out = ended.overdue || has(&TIMED_OUT);
    let render = has(&RENDER);
    let message = shown.text(if message.is_empty() { NOTHING } else { &message });
    if locked {
        HelmError::Locked {
            release: format!("{}/{}", release.namespace, release.name),
        }
    } else if unknown_kind {
        HelmError::UnknownKind { message }
    } else if timed_out {
        HelmError::TimedOut {
            after: limit,
            message,
        }
    } else if render {
        HelmError::Render { message }
    } else {
        HelmError::Failed { message }
    }
}

/// Violations of the chart's schema: one per line, each with its path.
fn of_values(message: &str, shown: &Shown) -> Option<HelmError> {
    let (_, rest) = message.split_once(SCHEMA)?;
    let lines: Vec<&str> = rest
        .lines()
        .map(str::trim)
        .filter_map(|line| line.strip_prefix("- "))
        .collect();
    let message = if lines.is_empty() {
        rest.to_owned()
    } else {
        lines.join("\n")
    };
    Some(HelmError::Values {
        message: shown.text(&message),
    })
}

/// `helm uninstall` tells what went wrong only in its log, as `error="…"`.
fn detailed(reason: &str, stderr: &str) -> String {
    let vague = reason.starts_with("failed to delete release");
    let detail = stderr
        .lines()
        .filter(|line| line.contains("Failed to delete release"))
        .find_map(|line| line.split_once("error="))
        .map(|(_, error)| error.trim().replace("\\\"", "\""));
    match detail {
        Some(detail) if vague => format!("{reason}: {}", detail.trim_matches('"')),
        _ => reason.to_owned(),
    }
}
