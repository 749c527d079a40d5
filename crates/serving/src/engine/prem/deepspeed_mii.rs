//! DeepSpeed-MII: its gRPC backend loads the model, a REST server stands in front of it.

use k8s_openapi::api::core::v1::Probe;

use super::{EnginePlan, Extras, Input, ProbeOverrides, nothing, probes};

/// The port of the backend, open when the model is loaded.
const BACKEND: u16 = 50051;
/// The pull secret of the image, which is private.
const PULL_SECRET: &str = "regcred-dockerhub";

pub(super) fn plan(input: &Input<'_>, uri: &str, overrides: &ProbeOverrides) -> EnginePlan {
    let startup = Probe {
        initial_delay_seconds: Some(30),
        period_seconds: Some(5),
        failure_threshold: Some(120),
        ..probes::tcp(BACKEND)
    };
    let plan = nothing(input);
    EnginePlan {
        args: vec!["--uri".into(), uri.to_owned()],
        probes: overrides.onto(probes::patient(startup, "/healthz", input.port), input.port),
        extras: Extras {
            open_ports: Some(vec![BACKEND]),
            pull_secret: Some(PULL_SECRET),
            ..plan.extras
        },
        ..plan
    }
}
