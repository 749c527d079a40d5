//! Probes of prem-operator's engines, and a person's changes to them.
//!
//! In: what the engine asks, and numbers that win over the engine's. Out: probes. A number that nobody says is Kubernetes' own.

use k8s_openapi::{
    api::core::v1::{HTTPGetAction, Probe, TCPSocketAction},
    apimachinery::pkg::util::intstr::IntOrString,
};

use crate::plan::ProbesPlan;

/// Changes to one probe. `None`: as the engine has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeOverride {
    /// Seconds before the first probe.
    pub initial_delay_seconds: Option<i32>,
    /// Seconds until an answer is late.
    pub timeout_seconds: Option<i32>,
    /// Seconds between probes.
    pub period_seconds: Option<i32>,
    /// Successes that count as one.
    pub success_threshold: Option<i32>,
    /// Failures that count as one.
    pub failure_threshold: Option<i32>,
    /// Seconds between the stop signal and the kill after it failed.
    pub termination_grace_period_seconds: Option<i64>,
}

/// Changes to all three; `None`: nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeOverrides {
    /// Of the startup probe.
    pub startup: Option<ProbeOverride>,
    /// Of the readiness probe.
    pub readiness: Option<ProbeOverride>,
    /// Of the liveness probe.
    pub liveness: Option<ProbeOverride>,
}

impl ProbeOverrides {
    /// The probes with the changes. A change to a probe that the container does not have makes one that asks whether `port` is
    /// open.
    pub(super) fn onto(&self, probes: ProbesPlan, port: u16) -> ProbesPlan {
        let one = |change: &Option<ProbeOverride>, probe: Option<Probe>| match change {
            Some(change) => Some(change.onto(probe.unwrap_or_else(|| tcp(port)))),
            None => probe,
        };
        ProbesPlan {
            startup: one(&self.startup, probes.startup),
            // A readiness probe ends nothing, and Kubernetes takes no grace period there.
            readiness: one(&self.readiness, probes.readiness).map(|probe| Probe {
                termination_grace_period_seconds: None,
                ..probe
            }),
            liveness: one(&self.liveness, probes.liveness),
        }
    }
}

impl ProbeOverride {
    fn onto(&self, probe: Probe) -> Probe {
        Probe {
            initial_delay_seconds: self.initial_delay_seconds.or(probe.initial_delay_seconds),
            timeout_seconds: self.timeout_seconds.or(probe.timeout_seconds),
            period_seconds: self.period_seconds.or(probe.period_seconds),
            success_threshold: self.success_threshold.or(probe.success_threshold),
            failure_threshold: self.failure_threshold.or(probe.failure_threshold),
            termination_grace_period_seconds: self
                .termination_grace_period_seconds
                .or(probe.termination_grace_period_seconds),
            ..probe
        }
    }
}

/// Asks a path.
pub(super) fn http(path: &str, port: u16) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.into()),
            port: IntOrString::Int(port.into()),
            ..HTTPGetAction::default()
        }),
        ..Probe::default()
    }
}

/// Asks whether a port is open.
pub(super) fn tcp(port: u16) -> Probe {
    Probe {
        tcp_socket: Some(TCPSocketAction {
            port: IntOrString::Int(port.into()),
            host: None,
        }),
        ..Probe::default()
    }
}

/// Readiness and liveness of `LocalAI`, vLLM and DeepSpeed-MII: three failures, and ten every half minute.
pub(super) fn patient(startup: Probe, path: &str, port: u16) -> ProbesPlan {
    ProbesPlan {
        startup: Some(startup),
        readiness: Some(Probe {
            failure_threshold: Some(3),
            ..http(path, port)
        }),
        liveness: Some(Probe {
            period_seconds: Some(30),
            timeout_seconds: Some(15),
            failure_threshold: Some(10),
            ..http(path, port)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_said_changes() {
        let engine = Probe {
            initial_delay_seconds: Some(1),
            period_seconds: Some(10),
            failure_threshold: Some(120),
            ..http("/readyz", 8080)
        };
        let changes = ProbeOverrides {
            startup: Some(ProbeOverride {
                initial_delay_seconds: Some(0),
                failure_threshold: Some(300),
                ..ProbeOverride::default()
            }),
            ..ProbeOverrides::default()
        };
        let before = ProbesPlan {
            startup: Some(engine.clone()),
            ..ProbesPlan::default()
        };
        let probes = changes.onto(before, 8080);
        let expected = Probe {
            initial_delay_seconds: Some(0),
            failure_threshold: Some(300),
            ..engine
        };
        assert_eq!(probes.startup, Some(expected));
        assert_eq!((probes.readiness, probes.liveness), (None, None));
    }

    /// Regression of prem-operator's bug 8: a change to a probe that the container lacks crashed it.
    #[test]
    fn a_change_without_a_probe_makes_one() {
        let changes = ProbeOverrides {
            liveness: Some(ProbeOverride {
                period_seconds: Some(7),
                ..ProbeOverride::default()
            }),
            ..ProbeOverrides::default()
        };
        let liveness = changes.onto(ProbesPlan::default(), 11434).liveness.unwrap();
        assert_eq!(liveness.period_seconds, Some(7));
        assert_eq!(liveness.tcp_socket.unwrap().port, IntOrString::Int(11434));
    }
}
