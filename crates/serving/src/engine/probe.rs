//! Probes of engines.
//!
//! The startup probe asks often, so that a started engine serves at once, and its budget follows the model's size; the
//! other probes wait for it.

use k8s_openapi::{
    api::core::v1::{HTTPGetAction, Probe, TCPSocketAction},
    apimachinery::pkg::util::intstr::IntOrString,
};

use crate::plan::{PORT_NAME, ProbesPlan};

/// Seconds between two questions while the engine starts.
const STARTUP_PERIOD_SECONDS: i32 = 2;

/// What is asked.
#[derive(Clone, Copy)]
pub enum Question {
    /// Does the port accept connections?
    Tcp,
    /// Does `GET` of this path succeed?
    Http(&'static str),
}

/// Startup and readiness by one question, and liveness by another when there is one.
pub fn probes(ready: Question, alive: Option<Question>, startup_seconds: i32) -> ProbesPlan {
    let startup = Probe {
        period_seconds: Some(STARTUP_PERIOD_SECONDS),
        timeout_seconds: Some(5),
        failure_threshold: Some(startup_seconds / STARTUP_PERIOD_SECONDS),
        ..ask(ready)
    };
    let readiness = Probe {
        period_seconds: Some(5),
        timeout_seconds: Some(5),
        failure_threshold: Some(3),
        ..ask(ready)
    };
    // Slow to restart: a restart costs another load of the weights.
    let liveness = alive.map(|question| Probe {
        period_seconds: Some(10),
        timeout_seconds: Some(10),
        failure_threshold: Some(6),
        ..ask(question)
    });
    ProbesPlan {
        startup: Some(startup),
        readiness: Some(readiness),
        liveness,
    }
}

fn ask(question: Question) -> Probe {
    let port = IntOrString::String(PORT_NAME.into());
    match question {
        Question::Tcp => Probe {
            tcp_socket: Some(TCPSocketAction { port, host: None }),
            ..Probe::default()
        },
        Question::Http(path) => Probe {
            http_get: Some(HTTPGetAction {
                path: Some(path.into()),
                port,
                ..HTTPGetAction::default()
            }),
            ..Probe::default()
        },
    }
}
