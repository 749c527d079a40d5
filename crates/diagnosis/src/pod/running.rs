//! Why a running container does not serve yet.
//!
//! In: probes and what they were answered. Out: loading, or a probe that can never pass. Must not: call a model that
//! loads within its startup budget failed, nor one whose first readiness probes fail; a refused connection is normal then.

use super::{Case, crash};
use crate::{
    Finding, Reason,
    facts::{ContainerFacts, ContainerRole, EventFacts, ProbeFacts},
    redact,
};

/// The finding about a running container; `None` when it is ready.
pub(super) fn explain(case: &Case<'_>, container: &ContainerFacts) -> Option<Finding> {
    if container.role == ContainerRole::Init {
        return Some(preparing(case, container));
    }
    if container.ready {
        return None;
    }
    // Between two crashes the container runs for a moment; the cause stays the same until it has really started.
    let starting = !container.started || container.startup.is_none();
    if let Some(ending) = container.ending().filter(|_| container.restarts > 0 && starting)
        && !crash::harmless(container, ending)
    {
        return Some(crash::explain(case, container, ending));
    }
    match &container.startup {
        Some(startup) if !container.started => Some(loading(case, container, startup)),
        _ => Some(not_ready(case, container)),
    }
}

fn preparing(case: &Case<'_>, container: &ContainerFacts) -> Finding {
    if let Some(ending) = container.ending().filter(|_| container.restarts > 0)
        && !crash::harmless(container, ending)
    {
        return crash::explain(case, container, ending);
    }
    Finding::new(
        Reason::PreparingModel,
        format!(
            "Pod {} prepares its model in init container {}.",
            case.pod.name, container.name
        ),
    )
}

fn loading(case: &Case<'_>, container: &ContainerFacts, startup: &ProbeFacts) -> Finding {
    if let Some(event) = unhealthy(case, container, "Startup probe")
        && wrong_path(&event.message)
    {
        return failing(case, container, "startup", startup, &event.message);
    }
    Finding::new(
        Reason::LoadingModel,
        format!(
            "Pod {} loads its model: startup probe {} has not passed yet, within its budget of {}.",
            case.pod.name,
            startup.target,
            budget(startup.budget_seconds)
        ),
    )
}

fn not_ready(case: &Case<'_>, container: &ContainerFacts) -> Finding {
    let subject = case.subject(container);
    let Some(readiness) = &container.readiness else {
        return Finding::new(
            Reason::Starting,
            format!("{} is starting.", crash::capital(&subject)),
        );
    };
    match unhealthy(case, container, "Readiness probe") {
        Some(event) if lasting(case, container, readiness) || wrong_path(&event.message) => {
            failing(case, container, "readiness", readiness, &event.message)
        }
        _ => Finding::new(
            Reason::LoadingModel,
            format!(
                "Pod {} waits for readiness probe {} to pass.",
                case.pod.name, readiness.target
            ),
        ),
    }
}

/// Whether the kubelet would believe the failures seen so far. Of a Pod that was ready it did; before, single failures are
/// part of a start. Events are counted over all their wordings, and the kubelet drops some when there are many.
fn lasting(case: &Case<'_>, container: &ContainerFacts, readiness: &ProbeFacts) -> bool {
    let failures = case
        .events
        .iter()
        .filter(|event| &*event.reason == "Unhealthy" && is_of(event, container, "Readiness probe"));
    container.lost_readiness
        || failures.map(|event| i64::from(event.count)).sum::<i64>() >= readiness.failures
}

fn failing(
    case: &Case<'_>,
    container: &ContainerFacts,
    kind: &str,
    probe: &ProbeFacts,
    message: &str,
) -> Finding {
    let words = message.split_once(": ").map_or(message, |(_, words)| words);
    Finding::new(
        Reason::ProbeFailing,
        format!(
            "{} runs, but its {kind} probe {} fails: {}. Check the probe's port and path against what the engine \
             serves.",
            crash::capital(&case.subject(container)),
            probe.target,
            answer(words)
        ),
    )
}

fn unhealthy<'a>(case: &'a Case<'_>, container: &ContainerFacts, prefix: &str) -> Option<&'a EventFacts> {
    case.latest("Unhealthy", |event| is_of(event, container, prefix))
}

fn is_of(event: &EventFacts, container: &ContainerFacts, prefix: &str) -> bool {
    Case::about(event, container) && event.message.starts_with(prefix)
}

/// The server answers, but not to this: no waiting helps. 425 and 429 mean "later", as 503 does.
fn wrong_path(message: &str) -> bool {
    message
        .split_once("statuscode: ")
        .and_then(|(_, code)| code.get(..3)?.parse::<u16>().ok())
        .is_some_and(|code| (400..500).contains(&code) && code != 425 && code != 429)
}

/// A probe's words without the Pod's address, which changes with every Pod.
pub(super) fn answer(words: &str) -> String {
    if words.contains("connection refused") {
        return "connection refused".to_owned();
    }
    if words.contains("Client.Timeout") || words.contains("context deadline") || words.contains("i/o timeout")
    {
        return "no answer in time".to_owned();
    }
    if let Some((_, code)) = words.split_once("statuscode: ") {
        let code: String = code.chars().take_while(char::is_ascii_digit).collect();
        return format!("HTTP status {code}");
    }
    redact::last_line(words).trim_end_matches('.').to_owned()
}

/// `90 s`, `30 min`, `2 h`: whole units, so that it reads as configured.
pub(super) fn budget(seconds: i64) -> String {
    match seconds {
        _ if seconds >= 7200 && seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        _ if seconds >= 120 && seconds % 60 == 0 => format!("{} min", seconds / 60),
        _ => format!("{seconds} s"),
    }
}
