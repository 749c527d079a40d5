//! One container from its image to its last exit: image, configuration, process, probes, restart.
//! It must not know the other containers of its Pod.

use std::sync::Arc;
use std::time::Duration;

use engine_sim::fault::Death;
use engine_sim::{Cause, Exit};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Container;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::backoff::{Backoff, First, go};
use super::board::{Ended, Role, State};
use super::env::{self, Launch};
use super::probe::{self, Unhealthy};
use super::process::Process;
use super::volumes::Volumes;
use super::{PodContext, hook, image, restart, termination};
use crate::node::logs::{LogBuffer, sink};
use crate::node::state::Gpus;

/// kubelet looks at a Pod that cannot start about this often.
const RETRY: Duration = Duration::from_secs(10);
/// Exit code of a killed process.
const KILLED: i32 = 137;
/// How much of a log becomes a termination message (kubelet's bounds).
const MESSAGE_LINES: usize = 80;
const MESSAGE_BYTES: usize = 2048;
/// Longest message of `terminationMessagePath`.
const FILE_BYTES: usize = 4096;

/// How a container's last run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With exit code 0.
    Succeeded,
    /// Otherwise, or it was stopped.
    Failed,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// By itself, by an order or by its probes.
    Own,
    /// The Pod names another image: the next run follows at once, whatever the restart policy.
    Redefined,
}

/// The container's part of the Pod, as Events name it.
pub(crate) fn field(context: &PodContext, name: &str) -> String {
    let init = context
        .spec
        .init_containers
        .iter()
        .flatten()
        .any(|container| container.name == name);
    format!(
        "spec.{}{{{name}}}",
        if init { "initContainers" } else { "containers" }
    )
}

/// Runs the container until it ends for good, the Pod is stopped, or `also_stop`.
pub(crate) async fn supervise(
    context: &Arc<PodContext>,
    container: &Container,
    role: Role,
    volumes: &Volumes,
    gpus: &Gpus,
    also_stop: &CancellationToken,
) -> Outcome {
    let mut backoff = Backoff::default();
    loop {
        let container = &context.as_it_is(container);
        let image = container.image.clone().unwrap_or_default();
        context
            .board
            .update(&container.name, |record| record.image = image);
        let stop = async {
            tokio::select! {
                () = context.stop.requested() => {}
                () = also_stop.cancelled() => {}
            }
        };
        let launch = tokio::select! {
            biased;
            () = stop => return Outcome::Failed,
            () = context.redefined(container) => continue,
            launch = prepare(context, container, volumes, gpus) => launch,
        };
        let began = Instant::now();
        let run = Run {
            context,
            container,
            role,
            launch: &launch,
            also_stop,
        };
        let (ended, why) = run.to_the_end().await;
        let code = ended.code;
        let stopping = context.stop.is_requested() || also_stop.is_cancelled();
        let again = why == Why::Redefined && !stopping;
        context.board.update(&container.name, |record| {
            // Between a container and its successor there is nothing to see.
            if again {
                record.last = Some(ended);
            } else {
                record.state = State::Ended(ended);
            }
            record.ready = false;
            record.started = false;
        });
        if again {
            backoff = Backoff::default();
            continue;
        }
        let outcome = if code == 0 {
            Outcome::Succeeded
        } else {
            Outcome::Failed
        };
        if stopping || !restart::wanted(container, role, context.spec.restart_policy.as_deref(), code) {
            return outcome;
        }
        let scale = context.shared.options.backoff_scale.max(1e-6);
        let ran = began.elapsed().div_f64(scale);
        let pause = backoff
            .next(ran, Instant::now(), First::AtOnce)
            .saturating_sub(ran);
        if !pause.is_zero() && !back_off(context, container, pause, also_stop).await {
            return outcome;
        }
    }
}

async fn back_off(
    context: &PodContext,
    container: &Container,
    pause: Duration,
    also_stop: &CancellationToken,
) -> bool {
    let name = &container.name;
    let pod = context.display();
    context.events.warning(
        &field(context, name),
        "BackOff",
        format!("Back-off restarting failed container {name} in pod {pod}"),
    );
    let message = format!(
        "back-off {} restarting failed container={name} pod={pod}",
        go(pause)
    );
    context.board.waiting(name, "CrashLoopBackOff", message);
    tokio::select! {
        rested = context.rest(pause) => rested,
        () = context.redefined(container) => true,
        () = also_stop.cancelled() => false,
    }
}

/// Image and configuration: tries until both are there.
async fn prepare(context: &Arc<PodContext>, container: &Container, volumes: &Volumes, gpus: &Gpus) -> Launch {
    loop {
        let entry = image::ensure(context, container).await;
        match env::launch(context, container, entry, volumes, gpus).await {
            Ok(launch) => return launch,
            Err(error) => {
                let message = error.to_string();
                context.events.warning(
                    &field(context, &container.name),
                    "Failed",
                    format!("Error: {message}"),
                );
                context
                    .board
                    .waiting(&container.name, "CreateContainerConfigError", message);
                tokio::time::sleep(context.shared.backoff(RETRY)).await;
            }
        }
    }
}

struct Run<'a> {
    context: &'a Arc<PodContext>,
    container: &'a Container,
    role: Role,
    launch: &'a Launch,
    also_stop: &'a CancellationToken,
}

impl Run<'_> {
    async fn to_the_end(&self) -> (Ended, Why) {
        let Self {
            context,
            container,
            launch,
            ..
        } = *self;
        let log = context
            .shared
            .logs
            .new_run(&context.namespace, &context.name, &container.name);
        let field = field(context, &container.name);
        let container_id = new_id(context, &container.name);
        context.events.normal(&field, "Created", "Container created");
        let faults = context.faults.container(&container.name);
        let death = faults.death_of_run();
        let mut process = Process::start(context, launch, &faults.engine, sink(&log));
        context.events.normal(&field, "Started", "Container started");
        let entered = context.shared.containers.enter(context, launch);
        let started = Timestamp::now();
        let probed = self.role != Role::Init;
        context.board.update(&container.name, |record| {
            if !matches!(record.state, State::Waiting { .. }) || record.last.is_some() {
                record.restarts += 1;
            }
            if let State::Ended(ended) = &record.state {
                record.last = Some(ended.clone());
            }
            record.state = State::Running { since: started };
            record.image_id = image::id(container);
            record.container_id.clone_from(&container_id);
            record.started = !probed || container.startup_probe.is_none();
            record.ready = record.started && container.readiness_probe.is_none();
        });
        let (exit, why) = self.wait(&mut process, death, &log, &field).await;
        drop(entered);
        faults.run_ended();
        log.close();
        let reason = match (exit.cause, exit.code) {
            (Cause::OomKilled, _) => "OOMKilled",
            (Cause::CannotStart, _) => "StartError",
            (Cause::Exited, 0) => "Completed",
            (Cause::Exited, _) => "Error",
        };
        let ended = Ended {
            code: exit.code,
            reason: reason.to_owned(),
            message: message(container, launch, &log, &exit),
            started,
            finished: Timestamp::now(),
            container_id,
        };
        (ended, why)
    }

    /// Until the process ends by itself, by an order, by its probes or because another image is wanted.
    async fn wait(
        &self,
        process: &mut Process,
        death: impl Future<Output = Death>,
        log: &LogBuffer,
        field: &str,
    ) -> (Exit, Why) {
        let Self {
            context,
            container,
            launch,
            ..
        } = *self;
        let name = &container.name;
        let unhealthy = async {
            if self.role == Role::Init {
                return std::future::pending().await;
            }
            if let Some(message) = hook::post_start(context, container, launch).await {
                context.events.warning(field, "FailedPostStartHook", message);
                return Unhealthy {
                    why: format!("FailedPostStartHook {name}"),
                    grace: None,
                };
            }
            probe::watch(context, container, launch).await
        };
        let stop = async {
            tokio::select! {
                () = context.stop.requested() => {}
                () = self.also_stop.cancelled() => {}
            }
        };
        let redefined = async {
            // An init container runs to its end as it was begun.
            if self.role == Role::Init {
                return std::future::pending().await;
            }
            context.redefined(container).await;
        };
        let (order, grace, why) = tokio::select! {
            biased;
            exit = process.wait() => return (exit, Why::Own),
            death = death => {
                drop(process.kill().await);
                let exit = match death {
                    Death::Crash { code, message } => {
                        log.push(&message);
                        Exit::exited(code, message)
                    }
                    Death::OutOfMemory => Exit::oom_killed(),
                };
                return (exit, Why::Own);
            }
            () = stop => (format!("Stopping container {name}"), self.stop_grace(), Why::Own),
            () = redefined => {
                let order = format!("Container {name} definition changed, will be restarted");
                (order, self.pod_grace(), Why::Redefined)
            }
            unhealthy = unhealthy => {
                let grace = unhealthy.grace.unwrap_or_else(|| self.pod_grace());
                (self.told(unhealthy.why), grace, Why::Own)
            }
        };
        context.events.normal(field, "Killing", order);
        let exit = termination::stop(context, container, launch, process, grace).await;
        (exit, why)
    }

    /// What is to happen, as kubelet says it.
    fn told(&self, why: String) -> String {
        let policy = self.context.spec.restart_policy.as_deref();
        let again = restart::wanted(self.container, self.role, policy, KILLED);
        if again {
            format!("{why}, will be restarted")
        } else {
            why
        }
    }

    fn stop_grace(&self) -> Duration {
        if self.context.stop.is_requested() {
            self.context.stop.grace()
        } else {
            self.pod_grace()
        }
    }

    fn pod_grace(&self) -> Duration {
        let seconds = self.context.spec.termination_grace_period_seconds.unwrap_or(30);
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    }
}

/// The termination message: the file's, else by policy the end of the log.
fn message(container: &Container, launch: &Launch, log: &LogBuffer, exit: &Exit) -> String {
    if exit.cause == Cause::CannotStart {
        return exit.message.clone();
    }
    let written = std::fs::read(&launch.termination_message).unwrap_or_default();
    if !written.is_empty() {
        let kept = &written[..written.len().min(FILE_BYTES)];
        return String::from_utf8_lossy(kept).into_owned();
    }
    let from_log = container.termination_message_policy.as_deref() == Some("FallbackToLogsOnError");
    if from_log && exit.code != 0 {
        log.tail(MESSAGE_LINES, MESSAGE_BYTES)
    } else {
        String::new()
    }
}

/// An id as container runtimes give: unique per run.
fn new_id(context: &PodContext, container: &str) -> String {
    use std::hash::{BuildHasher as _, RandomState};
    let part = || RandomState::new().hash_one((&context.uid, container));
    format!(
        "containerd://{:016x}{:016x}{:016x}{:016x}",
        part(),
        part(),
        part(),
        part()
    )
}
