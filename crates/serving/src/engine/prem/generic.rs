//! Any container: the template's own, with a person's variables, ports and arguments.

use api::shared::ImagePullPolicy;
use k8s_openapi::api::core::v1::Container;

use super::{EnginePlan, Extras, Input, ProbeOverrides, nothing};
use crate::plan::ProbesPlan;

pub(super) fn plan(
    input: &Input<'_>,
    container: &Container,
    ports: &[u16],
    overrides: &ProbeOverrides,
) -> EnginePlan {
    let mut rest = container.clone();
    let probes = ProbesPlan {
        startup: rest.startup_probe.take(),
        readiness: rest.readiness_probe.take(),
        liveness: rest.liveness_probe.take(),
    };
    // A word that is none stays where it is, for the API server to refuse.
    let pull_policy = rest.image_pull_policy.as_deref().and_then(policy);
    if pull_policy.is_some() {
        rest.image_pull_policy = None;
    }
    EnginePlan {
        command: rest.command.take().unwrap_or_default(),
        args: rest.args.take().unwrap_or_default(),
        env_from: rest.env_from.take().unwrap_or_default(),
        mounts: rest.volume_mounts.take().unwrap_or_default(),
        probes: overrides.onto(probes, input.port),
        extras: Extras {
            pull_policy,
            declared_ports: ports.to_vec(),
            // What runs in it nobody knows, nor what it listens on.
            open_ports: None,
            container: Some(Box::new(rest)),
            ..Extras::default()
        },
        ..nothing(input)
    }
}

fn policy(word: &str) -> Option<ImagePullPolicy> {
    match word {
        "Always" => Some(ImagePullPolicy::Always),
        "IfNotPresent" => Some(ImagePullPolicy::IfNotPresent),
        "Never" => Some(ImagePullPolicy::Never),
        _ => None,
    }
}
