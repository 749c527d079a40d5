//! Commands run for real on this machine in a container's place: an argument vector in, exit code and output out.
//! They see the container's environment, its mounted paths as this machine's, and shims for the simulated engines.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio_util::sync::CancellationToken;

use engine_sim::{Exit, Filesystem, LogSink, Mount, ProcessSpec, Program, Root};

use super::env::Launch;
use super::mounts::translated;
use super::{PodContext, shims};

/// Runs its arguments. A line on standard input is a signal for them; its end (whoever holds it has gone, killed or
/// not) kills everything they have started.
const HOLD: &str = "exec 3<&0 </dev/null
( while read -r signal; do kill -s \"$signal\" $$; done <&3; kill -s KILL 0 ) >/dev/null 2>&1 &
exec 3<&-
exec \"$@\"";

/// How long output is waited for after the last process has been killed.
const DRAIN: Duration = Duration::from_secs(1);

/// Runs a command to its end: exit code and everything it printed. The error is for a command that cannot start.
pub(crate) async fn run(
    context: &PodContext,
    launch: &Launch,
    argv: &[String],
) -> Result<(i32, String), String> {
    let mut child = spawn(context, launch, argv)?;
    let held = child.stdin.take();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (status, out, err) = tokio::join!(
        async {
            let status = child.wait().await;
            drop(held);
            status
        },
        all(stdout),
        all(stderr),
    );
    let status = status.map_err(|error| error.to_string())?;
    Ok((code(status), out + &err))
}

/// Runs a container's command until it ends; `stop` is its SIGTERM. Dropping the future kills all its processes.
pub(crate) async fn container(
    context: &PodContext,
    launch: &Launch,
    log: LogSink,
    stop: CancellationToken,
) -> Exit {
    let executable = launch.argv.first().cloned().unwrap_or_default();
    let mut child = match spawn(context, launch, &launch.argv) {
        Ok(child) => child,
        Err(message) => {
            return Exit {
                message,
                ..Exit::cannot_start(&executable)
            };
        }
    };
    let mut held = child.stdin.take();
    let out = tokio::spawn(lines(child.stdout.take(), log.clone(), LogSink::out));
    let err = tokio::spawn(lines(child.stderr.take(), log, LogSink::err));
    let ended = tokio::select! {
        status = child.wait() => Some(status),
        () = stop.cancelled() => None,
    };
    let status = if let Some(status) = ended {
        status
    } else {
        signal(&mut held, "TERM").await;
        // The pipe stays open until the command has ended: its closing is SIGKILL.
        child.wait().await
    };
    drop(held);
    // Children that outlive the command are killed now, and their output ends.
    let _ = tokio::time::timeout(DRAIN, async { tokio::join!(out, err) }).await;
    match status {
        Ok(status) => Exit::exited(code(status), ""),
        Err(error) => Exit::exited(255, error.to_string()),
    }
}

async fn signal(input: &mut Option<ChildStdin>, name: &str) {
    if let Some(input) = input {
        // An error means that the command has already ended.
        let _ = input.write_all(format!("{name}\n").as_bytes()).await;
    }
}

fn spawn(context: &PodContext, launch: &Launch, argv: &[String]) -> Result<Child, String> {
    let Some(executable) = argv.first() else {
        return Err("no command specified".to_owned());
    };
    let path = shims::search_path(&context.shared.files, launch.tools).map_err(|error| error.to_string())?;
    if !exists(executable, &path) || launch.tools.lacking().contains(&executable.as_str()) {
        return Err(Exit::cannot_start(executable).message);
    }
    let mut spec = process_spec(context, launch, launch.program.clone().unwrap_or(Program::Ollama));
    let faults = context.faults.container(&launch.container);
    let published = faults.engine.publish(&context.fault_file(&launch.container));
    published.map_err(|error| format!("{executable}: the faults ordered to it: {error}"))?;
    spec.files.mounts.extend(seen_from_outside(&launch.files));
    for value in spec.env.values_mut() {
        *value = translated(value, &launch.files);
    }
    let mut command = Command::new("sh");
    command
        .args(["-c", HOLD, "hold"])
        .args(argv.iter().map(|word| translated(word, &launch.files)))
        .env_clear()
        .env("HOME", launch.files.resolve(Path::new("/root")))
        .envs(engine_sim::environment_for(&spec))
        .env("PATH", &path)
        .env(shims::ADDRESS, spec.address.to_string())
        .env(shims::LOOPBACK, spec.loopback.to_string())
        .env(shims::HUB, context.shared.hub.to_string())
        .current_dir(working_dir(context, launch)?)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(false);
    command.spawn().map_err(|error| format!("{executable}: {error}"))
}

/// A command gives an engine this machine's paths; the engine must find the same files there.
fn seen_from_outside(files: &Filesystem) -> Vec<Mount> {
    let as_is = |mount: &Mount| Mount {
        container_path: mount.host_path.clone(),
        ..mount.clone()
    };
    let root = match &files.root {
        Root::Directory(dir) => Some((dir, false)),
        Root::ReadOnly(dir) => Some((dir, true)),
        Root::Host => None,
    };
    let root = root.map(|(dir, read_only)| Mount {
        container_path: dir.clone(),
        host_path: dir.clone(),
        read_only,
        capacity: None,
    });
    files.mounts.iter().map(as_is).chain(root).collect()
}

/// What an engine is given.
pub(crate) fn process_spec(context: &PodContext, launch: &Launch, program: Program) -> ProcessSpec {
    let address = std::net::IpAddr::V4(context.ip());
    ProcessSpec {
        program,
        argv: launch.argv.clone(),
        env: launch.env.clone(),
        address,
        loopback: engine_sim::process::loopback_of(address),
        gpus: launch.gpus.clone(),
        memory_limit: launch.memory_limit,
        files: launch.files.clone(),
        host_name: context.name.clone(),
        speed: context.shared.options.speed,
        journal: Some(context.journal(&launch.container)),
        fault_file: Some(context.fault_file(&launch.container)),
    }
}

fn working_dir(context: &PodContext, launch: &Launch) -> Result<PathBuf, String> {
    let inside = launch.working_dir.as_deref().unwrap_or(Path::new("/"));
    let outside = launch.files.resolve(inside);
    // A container's root exists; so must its stand-in and the home directory.
    let home = launch.files.resolve(Path::new("/root"));
    let made = std::fs::create_dir_all(&outside).and_then(|()| std::fs::create_dir_all(home));
    made.map_err(|error| format!("{} of {}: {error}", inside.display(), context.name))?;
    Ok(outside)
}

fn exists(executable: &str, path: &str) -> bool {
    if executable.contains('/') {
        return Path::new(executable).is_file();
    }
    path.split(':')
        .any(|dir| Path::new(dir).join(executable).is_file())
}

/// A shell's view of an end: signals count from 128.
fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(255)
}

async fn all(stream: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        // What was read before an error is all there is to show.
        let _ = stream.read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn lines(stream: Option<impl AsyncRead + Unpin>, log: LogSink, write: impl Fn(&LogSink, String)) {
    let Some(stream) = stream else { return };
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    while reader
        .read_until(b'\n', &mut line)
        .await
        .is_ok_and(|read| read > 0)
    {
        write(
            &log,
            String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned(),
        );
        line.clear();
    }
}
