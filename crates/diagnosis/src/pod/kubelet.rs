//! What a node's kubelet says when a Pod does not get as far as running a program.
//!
//! In: status reasons, waiting reasons and Warning events. Out: missing Secrets, `ConfigMap`s, volumes, sandboxes,
//! evictions. Must not: read program output.

use super::{Case, crash};
use crate::{
    Finding, Reason,
    facts::{ContainerFacts, ContainerState, PodFacts, PodPhase},
    redact,
};

/// Words of an eviction for disk: node pressure, the Pod's limit, or one `emptyDir`'s limit.
const DISK: [&str; 4] = [
    "ephemeral-storage",
    "ephemeral local storage",
    "EmptyDir volume",
    "DiskPressure",
];

/// A Pod that its node has given up, or refused.
pub(super) fn given_up(pod: &PodFacts) -> Option<Finding> {
    if pod.phase == PodPhase::Succeeded {
        let words = format!("Pod {} ended, though a server should keep running.", pod.name);
        return Some(Finding::new(Reason::PodFailed, words));
    }
    if pod.phase != PodPhase::Failed {
        return None;
    }
    let words = redact::clean(pod.message.as_deref().unwrap_or_default());
    let reason = pod.reason.as_deref().unwrap_or_default();
    let said = if words.is_empty() {
        "no cause was given".to_owned()
    } else {
        words
    };
    let node = pod.node.as_deref().unwrap_or("its node");
    Some(match reason {
        "Evicted" if DISK.iter().any(|word| said.contains(word)) => Finding::new(
            Reason::DiskPressure,
            format!(
                "Pod {} was evicted from {node} for lack of disk: {said}",
                pod.name
            ),
        ),
        "Evicted" => Finding::new(
            Reason::Evicted,
            format!("Pod {} was evicted from {node}: {said}", pod.name),
        ),
        "NodeLost" => Finding::new(
            Reason::NodeLost,
            format!("Pod {} was on node {node}, which was lost.", pod.name),
        ),
        "" => Finding::new(Reason::PodFailed, format!("Pod {} failed: {said}", pod.name)),
        reason => Finding::new(
            Reason::PodFailed,
            format!("Node {node} refused Pod {} ({reason}): {said}", pod.name),
        ),
    })
}

/// Sandbox and volumes come before any container.
pub(super) fn before_containers(case: &Case<'_>) -> Option<Finding> {
    let waits = |container: &ContainerFacts| match &container.state {
        ContainerState::Unreported => true,
        ContainerState::Waiting { reason, .. } => {
            matches!(&**reason, "ContainerCreating" | "PodInitializing") && container.restarts == 0
        }
        _ => false,
    };
    if case.pod.sandbox_ready || !case.pod.containers.iter().all(waits) {
        return None;
    }
    let exact =
        |part: &'static [&'static str]| move |message: &str| part.iter().any(|part| message.contains(part));
    let missing = exact(&[
        "secret \"",
        "configmap \"",
        "non-existent secret key",
        "non-existent config key",
    ]);
    if let Some(event) = case.latest("FailedMount", |event| missing(&event.message)) {
        return Some(missing_reference(case, &event.message).unwrap_or_else(|| mount(case, &event.message)));
    }
    if let Some(event) = case.latest("FailedAttachVolume", |_| true) {
        return Some(attach(case, &event.message));
    }
    // The summary "timed out waiting for the condition" says less than the error of the one volume.
    let timeout = exact(&["timed out waiting", "context deadline exceeded"]);
    let mount_event = case
        .latest("FailedMount", |event| !timeout(&event.message))
        .or_else(|| case.latest("FailedMount", |_| true));
    if let Some(event) = mount_event {
        return Some(mount(case, &event.message));
    }
    case.latest("FailedCreatePodSandBox", |_| true)
        .map(|event| sandbox(case, &event.message))
}

/// A container that cannot be created or run; the kubelet uses several reasons for it.
pub(super) fn not_started(
    case: &Case<'_>,
    container: &ContainerFacts,
    reason: &str,
    message: &str,
) -> Finding {
    match reason {
        "CreateContainerConfigError" => missing_reference(case, message).unwrap_or_else(|| {
            Finding::new(
                Reason::ContainerConfigError,
                // The kubelet adds the Pod and its uid, which the subject has named.
                format!(
                    "{} cannot be created: {}. Correct its security context or settings.",
                    crash::capital(&case.subject(container)),
                    redact::clean(message.split(" (pod: ").next().unwrap_or(message))
                ),
            )
        }),
        "CreateContainerError"
        | "RunContainerError"
        | "StartError"
        | "PreStartHookError"
        | "PostStartHookError"
        | "PreCreateHookError"
        | "ImageVolumeMountFailed" => cannot_run(case, container, message),
        "CreatePodSandboxError" | "ConfigPodSandboxError" => sandbox(case, message),
        _ => Finding::new(
            Reason::UnknownNotReady,
            format!(
                "{} waits ({}): {}",
                crash::capital(&case.subject(container)),
                redact::clean(reason),
                redact::clean(message)
            ),
        ),
    }
}

pub(super) fn cannot_run(case: &Case<'_>, container: &ContainerFacts, words: &str) -> Finding {
    // The runtime's words start with ids of tasks and containers; what counts stands at the end.
    let line = redact::last_line(words);
    let core = ["exec: ", "error mounting", "permission denied"]
        .iter()
        .find_map(|start| line.find(start).map(|at| line[at..].to_owned()))
        .unwrap_or(line);
    Finding::new(
        Reason::ContainerConfigError,
        format!(
            "{} cannot be started: {core}. Correct its command or mounts.",
            crash::capital(&case.subject(container))
        ),
    )
}

/// `secret "hf" not found`, `couldn't find key token in Secret ml/hf`, `references non-existent secret key: token`.
fn missing_reference(case: &Case<'_>, message: &str) -> Option<Finding> {
    let pod = case.pod;
    let quoted = |start: &str| {
        let (_, rest) = message.split_once(start)?;
        let (name, rest) = rest.split_once('"')?;
        rest.trim_start()
            .starts_with("not found")
            .then(|| name.to_owned())
    };
    let made = |reason, what: String| {
        Finding::new(
            reason,
            format!(
                "Pod {} needs {what}, which does not exist in namespace {}. Create it or correct the name; the Pod \
                 starts by itself then.",
                pod.name, pod.namespace
            ),
        )
    };
    if let Some(name) = quoted("secret \"") {
        return Some(made(
            Reason::SecretMissing,
            format!("Secret {}", redact::clean(&name)),
        ));
    }
    if let Some(name) = quoted("configmap \"") {
        return Some(made(
            Reason::ConfigMapMissing,
            format!("ConfigMap {}", redact::clean(&name)),
        ));
    }
    if let Some((_, rest)) = message.split_once("couldn't find key ") {
        for (word, reason, kind) in [
            (" in Secret ", Reason::SecretMissing, "Secret"),
            (" in ConfigMap ", Reason::ConfigMapMissing, "ConfigMap"),
        ] {
            if let Some((key, place)) = rest.split_once(word) {
                let name = place.rsplit('/').next().unwrap_or(place);
                let words = format!("key {} of {kind} {}", redact::clean(key), redact::clean(name));
                return Some(made(reason, words));
            }
        }
    }
    for (word, reason, kind) in [
        ("non-existent secret key: ", Reason::SecretMissing, "Secret"),
        ("non-existent config key: ", Reason::ConfigMapMissing, "ConfigMap"),
    ] {
        if let Some((_, key)) = message.split_once(word) {
            return Some(made(
                reason,
                format!("key {} of a {kind} that it mounts", redact::clean(key)),
            ));
        }
    }
    None
}

fn attach(case: &Case<'_>, message: &str) -> Finding {
    let words = redact::clean(message);
    let way_out = if words.contains("Multi-Attach") {
        " Use a ReadWriteMany claim, or let the Pod that holds the volume end."
    } else {
        ""
    };
    Finding::new(
        Reason::VolumeAttachFailed,
        format!(
            "Pod {} waits for its volume{}: {words}{way_out}",
            case.pod.name,
            claims(case.pod)
        ),
    )
}

fn mount(case: &Case<'_>, message: &str) -> Finding {
    Finding::new(
        Reason::VolumeMountFailed,
        format!(
            "The node cannot mount a volume of Pod {}{}: {}",
            case.pod.name,
            claims(case.pod),
            redact::clean(message)
        ),
    )
}

fn claims(pod: &PodFacts) -> String {
    if pod.claims.is_empty() {
        String::new()
    } else {
        format!(" (claim {})", pod.claims.join(", "))
    }
}

fn sandbox(case: &Case<'_>, message: &str) -> Finding {
    let handler = message.contains("no runtime for") || message.contains("RuntimeHandler");
    if handler || message.contains("RuntimeClass") {
        return Finding::new(
            Reason::RuntimeClassMissing,
            format!(
                "The node's container runtime lacks the handler of Pod {}'s runtime class: {}. Install it on the \
                 node, or do without.",
                case.pod.name,
                redact::clean(message)
            ),
        );
    }
    // Sandbox ids differ at every retry; the cause follows the last of the runtime's prefixes.
    let words = message.rsplit("desc = ").next().unwrap_or(message);
    Finding::new(
        Reason::SandboxFailed,
        format!(
            "The node cannot set up Pod {}: {}",
            case.pod.name,
            redact::clean(&without_ids(words))
        ),
    )
}

/// Long hexadecimal words (container ids) are left out.
fn without_ids(text: &str) -> String {
    let id = |word: &str| {
        let bare = word.trim_matches(|letter: char| !letter.is_alphanumeric());
        bare.len() >= 12 && bare.chars().all(|letter| letter.is_ascii_hexdigit())
    };
    text.split(' ')
        .filter(|word| !id(word))
        .collect::<Vec<_>>()
        .join(" ")
}
