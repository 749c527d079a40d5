//! What each condition of an `Llmd` says of what one reconcile has found. In: the report. Out: whether it holds, the reason, and
//! one sentence. Pure; it does not know the status.

use helm::{Action, State, Step};

use super::{
    dependencies,
    objects::Serving,
    reasons::Reason,
    status::{ReleaseReport, Report},
};

/// Whether something holds, if that is known, with the reason and the sentence.
pub type Verdict = (Option<bool>, Reason, String);

/// Whether the releases are as asked for.
pub fn provisioning(report: &Report) -> Verdict {
    if let Some(obstacle) = &report.obstacle {
        let progressing = obstacle.reason == Reason::Progressing;
        let status = if progressing { None } else { Some(false) };
        return (status, obstacle.reason, obstacle.message.clone());
    }
    let Some(releases) = &report.releases else {
        return (
            None,
            Reason::Progressing,
            "what Helm has recorded is being listed".to_owned(),
        );
    };
    let verdicts: Vec<(Reason, String)> = releases.iter().filter_map(trouble).collect();
    let gravest = [
        Reason::RetriesExhausted,
        Reason::ReleaseTaken,
        Reason::StepFailed,
        Reason::Progressing,
    ];
    for reason in gravest {
        let sentences: Vec<&str> = verdicts
            .iter()
            .filter(|(one, _)| *one == reason)
            .map(|(_, sentence)| sentence.as_str())
            .collect();
        if !sentences.is_empty() {
            let status = if reason == Reason::Progressing {
                None
            } else {
                Some(false)
            };
            return (status, reason, sentences.join("; "));
        }
    }
    if releases.is_empty() {
        return (
            Some(true),
            Reason::NothingEnabled,
            "no chart is enabled".to_owned(),
        );
    }
    let names: Vec<String> = releases.iter().filter(|one| !one.held).map(in_sync).collect();
    if names.is_empty() {
        return (
            None,
            Reason::Progressing,
            "all charts wait for kinds that the cluster does not know".to_owned(),
        );
    }
    (
        Some(true),
        Reason::Provisioned,
        format!("{} in sync", names.join(", ")),
    )
}

fn in_sync(release: &ReleaseReport) -> String {
    let last = release.history.iter().max_by_key(|head| head.revision);
    last.map_or_else(
        || release.component.release().to_owned(),
        |head| format!("{} {} (revision {})", head.name.name, head.version, head.revision),
    )
}

/// What keeps a release from being as it should be.
pub fn trouble(release: &ReleaseReport) -> Option<(Reason, String)> {
    let name = release.component.release();
    if let Some((action, since)) = release.running {
        let doing = doing(action);
        return Some((Reason::Progressing, format!("{doing} {name} since {since:.0}")));
    }
    if let Step::Stalled { reason } = &release.step {
        let tries = release.attempts.failures;
        let message = format!(
            "{name}: given up after {tries} tries: {}; {}",
            told(reason),
            standing(release)
        );
        return Some((Reason::RetriesExhausted, message));
    }
    if let State::Unmanaged { .. } = release.state {
        let namespace = &release.namespace;
        let message = format!(
            "release {name} in namespace {namespace} was not made by this operator and is left alone; uninstall it (helm uninstall {name} -n {namespace}), or \
             hand it over: kubectl -n {namespace} label secret -l owner=helm,name={name} {}",
            super::release_labels()
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect::<Vec<_>>()
                .join(" ")
        );
        return release.wanted.then_some((Reason::ReleaseTaken, message));
    }
    if let Some(error) = &release.attempts.message
        && release.attempts.failures > 0
    {
        let next = next(&release.step);
        let message = format!(
            "{name}: try {} has failed: {}; {next}; {}",
            release.attempts.failures,
            told(error),
            standing(release)
        );
        return Some((Reason::StepFailed, message));
    }
    if let Some(error) = &release.trouble {
        let next = next(&release.step);
        return Some((Reason::StepFailed, format!("{name}: {}; {next}", told(error))));
    }
    match &release.step {
        Step::Nothing => None,
        _ if release.held => None,
        Step::Wait { until } => Some((
            Reason::Progressing,
            format!("{name} waits until {until:.0}: {}", state_text(&release.state)),
        )),
        step => step
            .action()
            .map(|action| (Reason::Progressing, format!("{name}: {} follows", noun(action)))),
    }
}

/// What follows on a failure.
fn next(step: &Step) -> String {
    match (step, step.action()) {
        (Step::Wait { until }, _) => format!("tried again at {until:.0}"),
        (_, Some(action)) => format!("{} follows", noun(action)),
        (_, None) => "tried again".to_owned(),
    }
}

/// An error in one line, with the way out where the chart itself cannot know it.
fn told(error: &str) -> String {
    let lines: Vec<&str> = error
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let line = lines.join("; ");
    if line.contains("field is immutable") {
        format!(
            "{line}; what cannot be changed in place is installed anew with spec.remediation.upgrade: uninstall"
        )
    } else {
        line
    }
}

/// What runs meanwhile.
fn standing(release: &ReleaseReport) -> String {
    let deployed = release
        .history
        .iter()
        .filter(|head| head.status == helm::release::Status::Deployed)
        .max_by_key(|head| head.revision);
    deployed.map_or_else(
        || "nothing of it is deployed".to_owned(),
        |head| {
            format!(
                "revision {} with version {} is deployed",
                head.revision, head.version
            )
        },
    )
}

fn doing(action: Action) -> &'static str {
    match action {
        Action::Install => "installing",
        Action::Upgrade => "upgrading",
        Action::Rollback => "rolling back",
        Action::Uninstall => "uninstalling",
        Action::CorrectDrift => "putting right the objects of",
        Action::Unlock => "taking the lock off",
    }
}

fn noun(action: Action) -> &'static str {
    match action {
        Action::Install => "its installation",
        Action::Upgrade => "its upgrade",
        Action::Rollback => "its rollback",
        Action::Uninstall => "its uninstallation",
        Action::CorrectDrift => "putting its objects right",
        Action::Unlock => "taking the lock off it",
    }
}

/// The word for a state.
pub fn state_word(state: &State) -> &'static str {
    match state {
        State::Absent => "Absent",
        State::Unmanaged { .. } => "Unmanaged",
        State::Running => "Running",
        State::Locked { .. } => "Locked",
        State::Uninstalling { .. } => "Uninstalling",
        State::Uninstalled { .. } => "Uninstalled",
        State::Unwanted { .. } => "Unwanted",
        State::Failed { .. } => "Failed",
        State::OutOfSync { .. } => "OutOfSync",
        State::Drifted { .. } => "Drifted",
        State::InSync { .. } => "InSync",
    }
}

fn state_text(state: &State) -> String {
    match state {
        State::Locked { revision, status, .. } => {
            format!(
                "revision {revision} is {}, maybe by somebody's Helm",
                status.as_str()
            )
        }
        State::Drifted { findings, .. } => {
            let first = findings.first().map(ToString::to_string).unwrap_or_default();
            match findings.len() {
                0 | 1 => first,
                more => format!("{first}, and {} more", more - 1),
            }
        }
        State::Failed { revision, .. } => format!("revision {revision} has failed"),
        other => state_word(other).to_owned(),
    }
}

/// Whether the cluster knows all kinds.
pub fn dependencies(report: &Report) -> Verdict {
    match &report.missing {
        None => (
            None,
            Reason::NotRendered,
            "the charts are not rendered yet".to_owned(),
        ),
        Some(missing) if missing.is_empty() => (
            Some(true),
            Reason::KindsServed,
            "the cluster knows all kinds that the charts use".to_owned(),
        ),
        Some(missing) => (Some(false), Reason::KindsMissing, dependencies::sentence(missing)),
    }
}

/// Whether all workloads serve.
pub fn deployments(report: &Report) -> Verdict {
    let Some(serving) = &report.serving else {
        return (
            None,
            Reason::NotListed,
            "the workloads are being listed".to_owned(),
        );
    };
    // No workload that fails is no proof as long as charts are still to come.
    if serving.is_empty() && provisioning(report).0 != Some(true) {
        return (None, Reason::NotListed, "nothing is deployed yet".to_owned());
    }
    let available = serving.iter().filter(|one| one.is_available()).count();
    let count = format!("{available}/{} deployments ready", serving.len());
    let short: Vec<String> = serving
        .iter()
        .filter(|one| !one.is_available())
        .map(lacking)
        .collect();
    if short.is_empty() {
        return (Some(true), Reason::DeploymentsReady, count);
    }
    (
        Some(false),
        Reason::DeploymentsNotReady,
        format!("{count}; {}", short.join("; ")),
    )
}

fn lacking(one: &Serving) -> String {
    let Serving {
        kind,
        name,
        desired,
        ready,
        message,
    } = one;
    match message {
        Some(message) => format!("{kind} {name}: {message}"),
        None => format!("{kind} {name} has {ready} of {desired} replicas"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_charts_that_are_still_to_come_nothing_is_said() {
        let mut report = Report {
            serving: Some(Vec::new()),
            ..Report::default()
        };
        assert_eq!(deployments(&report).0, None, "releases are not known");
        report.releases = Some(Vec::new());
        assert_eq!(deployments(&report).0, Some(true), "no chart is enabled");
    }
}
