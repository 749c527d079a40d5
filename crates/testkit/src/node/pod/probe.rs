//! Probes: a container's probes in, its `started` and `ready` on the board and the verdict that it must be restarted
//! out. Each check is made for real against the Pod's address. It must not stop or start anything.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::container::field;
use super::env::Launch;
use super::{PodContext, exec, http};

/// How long after its start kubelet notices a container at the earliest. A program that listens at once is found
/// listening by its first probe.
const NOTICED_AFTER: Duration = Duration::from_millis(50);

/// A container must be restarted.
#[derive(Debug)]
pub(crate) struct Unhealthy {
    /// As in the Event: `Container engine failed liveness probe`.
    pub(crate) why: String,
    /// The probe's own grace period.
    pub(crate) grace: Option<Duration>,
}

/// Runs all probes of a running container. Resolves only when it must be restarted.
pub(crate) async fn watch(context: &Arc<PodContext>, container: &Container, launch: &Launch) -> Unhealthy {
    let check = |kind, probe| Check {
        context,
        container,
        launch,
        kind,
        probe,
    };
    if let Some(startup) = &container.startup_probe {
        let startup = check("Startup", startup);
        if let Err(unhealthy) = startup.until_started().await {
            return unhealthy;
        }
        context.board.update(&container.name, |record| {
            record.started = true;
            record.ready = container.readiness_probe.is_none();
        });
    }
    let readiness = async {
        if let Some(readiness) = &container.readiness_probe {
            check("Readiness", readiness).keep_ready().await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    let liveness = async {
        match &container.liveness_probe {
            Some(liveness) => check("Liveness", liveness).until_dead().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        unhealthy = liveness => unhealthy,
        () = readiness => std::future::pending().await,
    }
}

struct Check<'a> {
    context: &'a Arc<PodContext>,
    container: &'a Container,
    launch: &'a Launch,
    kind: &'static str,
    probe: &'a Probe,
}

impl Check<'_> {
    async fn until_started(&self) -> Result<(), Unhealthy> {
        let mut failures = 0;
        self.delay().await;
        loop {
            let next = self.next_time();
            match self.once().await {
                Ok(()) => return Ok(()),
                Err(output) => {
                    failures += 1;
                    self.tell(&output);
                    if failures >= self.failure_threshold() {
                        return Err(self.unhealthy());
                    }
                }
            }
            tokio::time::sleep_until(next).await;
        }
    }

    async fn until_dead(&self) -> Unhealthy {
        let mut failures = 0;
        self.delay().await;
        loop {
            let next = self.next_time();
            match self.once().await {
                Ok(()) => failures = 0,
                Err(output) => {
                    failures += 1;
                    self.tell(&output);
                    if failures >= self.failure_threshold() {
                        return self.unhealthy();
                    }
                }
            }
            tokio::time::sleep_until(next).await;
        }
    }

    async fn keep_ready(&self) {
        let (mut failures, mut successes) = (0, 0);
        self.delay().await;
        loop {
            let next = self.next_time();
            let result = if self.context.faults.container(&self.container.name).unready() {
                Err(self.ordered_failure())
            } else {
                self.once().await
            };
            match result {
                Ok(()) => {
                    (failures, successes) = (0, successes + 1);
                    if successes >= self.probe.success_threshold.unwrap_or(1) {
                        self.set_ready(true);
                    }
                }
                Err(output) => {
                    (failures, successes) = (failures + 1, 0);
                    self.tell(&output);
                    if failures >= self.failure_threshold() {
                        self.set_ready(false);
                    }
                }
            }
            tokio::time::sleep_until(next).await;
        }
    }

    fn set_ready(&self, ready: bool) {
        self.context
            .board
            .update(&self.container.name, |record| record.ready = ready);
    }

    fn tell(&self, output: &str) {
        let message = format!("{} probe failed: {output}", self.kind);
        self.context
            .events
            .warning(&field(self.context, &self.container.name), "Unhealthy", message);
    }

    fn unhealthy(&self) -> Unhealthy {
        let grace = self.probe.termination_grace_period_seconds;
        Unhealthy {
            why: format!(
                "Container {} failed {} probe",
                self.container.name,
                self.kind.to_lowercase()
            ),
            grace: grace
                .and_then(|seconds| u64::try_from(seconds).ok())
                .map(Duration::from_secs),
        }
    }

    fn failure_threshold(&self) -> i32 {
        self.probe.failure_threshold.unwrap_or(3)
    }

    fn seconds(&self, value: Option<i32>, default: u64) -> Duration {
        let seconds = value
            .and_then(|seconds| u64::try_from(seconds).ok())
            .filter(|s| *s > 0)
            .unwrap_or(default);
        self.context.shared.probe_time(Duration::from_secs(seconds))
    }

    async fn delay(&self) {
        sleep(
            self.seconds(self.probe.initial_delay_seconds, 0)
                .max(NOTICED_AFTER),
        )
        .await;
    }

    fn next_time(&self) -> Instant {
        Instant::now() + self.seconds(self.probe.period_seconds, 10)
    }

    /// What a failure ordered by a test looks like.
    fn ordered_failure(&self) -> String {
        if self.probe.http_get.is_some() {
            "HTTP probe failed with statuscode: 503".to_owned()
        } else {
            let port = self
                .probe
                .tcp_socket
                .as_ref()
                .and_then(|tcp| self.port(&tcp.port).ok())
                .unwrap_or(0);
            format!("dial tcp {}:{port}: i/o timeout", self.context.ip())
        }
    }

    /// One check; the error is what kubelet prints after `probe failed: `.
    async fn once(&self) -> Result<(), String> {
        // A scaled timeout must still let a busy machine answer.
        let limit = self
            .seconds(self.probe.timeout_seconds, 1)
            .max(Duration::from_millis(500));
        if let Some(get) = &self.probe.http_get {
            let port = self.port(&get.port)?;
            http::get(self.context, get, port, limit).await
        } else if let Some(tcp) = &self.probe.tcp_socket {
            let port = self.port(&tcp.port)?;
            let host = tcp.host.clone().unwrap_or_else(|| self.context.ip().to_string());
            dial(&host, port, limit).await.map(drop)
        } else if let Some(command) = &self.probe.exec {
            let argv = command.command.clone().unwrap_or_default();
            match timeout(limit, exec::run(self.context, self.launch, &argv)).await {
                Ok(Ok((0, _))) => Ok(()),
                Ok(Ok((_, output)) | Err(output)) => Err(output),
                Err(_) => Err(format!(
                    "command timed out: {:?} timed out after {limit:?}",
                    argv.join(" ")
                )),
            }
        } else if let Some(grpc) = &self.probe.grpc {
            let port = u16::try_from(grpc.port).unwrap_or(0);
            // The health service itself is not spoken here: an open port counts as serving.
            dial(&self.context.ip().to_string(), port, limit).await.map(drop)
        } else {
            Ok(())
        }
    }

    fn port(&self, port: &IntOrString) -> Result<u16, String> {
        port_of(self.container, port)
    }
}

/// A port by number or by its name in the container.
pub(crate) fn port_of(container: &Container, port: &IntOrString) -> Result<u16, String> {
    let by_name = |name: &str| {
        let ports = container.ports.iter().flatten();
        ports
            .into_iter()
            .find(|p| p.name.as_deref() == Some(name))
            .map(|p| p.container_port)
    };
    let (number, text) = match port {
        IntOrString::Int(number) => (Some(*number), number.to_string()),
        IntOrString::String(name) => (by_name(name).or_else(|| name.parse().ok()), name.clone()),
    };
    let number = number
        .and_then(|number| u16::try_from(number).ok())
        .filter(|number| *number > 0);
    number.ok_or_else(|| format!("couldn't find port {text} in container {}", container.name))
}

/// Opens a connection; the error is as Go prints it.
pub(crate) async fn dial(host: &str, port: u16, limit: Duration) -> Result<TcpStream, String> {
    let failed = |why: &str| format!("dial tcp {host}:{port}: {why}");
    let address: SocketAddr = match format!("{host}:{port}").parse() {
        Ok(address) => address,
        Err(_) => return Err(failed("lookup of names is not simulated")),
    };
    match timeout(limit, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            Err(failed("connect: connection refused"))
        }
        Ok(Err(error)) => Err(failed(&format!("connect: {error}"))),
        Err(_) => Err(failed("i/o timeout")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ContainerPort;

    #[test]
    fn ports_are_found_by_name_or_number() {
        let container = Container {
            name: "engine".into(),
            ports: Some(vec![ContainerPort {
                name: Some("http".into()),
                container_port: 8000,
                ..ContainerPort::default()
            }]),
            ..Container::default()
        };
        assert_eq!(port_of(&container, &IntOrString::String("http".into())), Ok(8000));
        assert_eq!(port_of(&container, &IntOrString::Int(9)), Ok(9));
        let error = port_of(&container, &IntOrString::String("grpc".into())).unwrap_err();
        assert_eq!(error, "couldn't find port grpc in container engine");
    }

    #[tokio::test]
    async fn a_closed_port_is_refused_in_gos_words() {
        let error = dial("127.0.0.1", 1, Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(error, "dial tcp 127.0.0.1:1: connect: connection refused");
    }
}
