//! Commands run for real on this machine in a container's place: an argument vector in, exit code and output out.
//! They see the container's environment, its mounted paths as this machine's, and shims for the simulated engines.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio_util::sync::CancellationToken;

use engine_sim::{Exit, LogSink, ProcessSpec, Program};

use super::PodContext;
use super::env::Launch;
use super::mounts::translated;

/// Runs its arguments. A line on standard input is a signal for them; its end (whoever holds it has gone, killed or
/// not) kills everything they have started.
const HOLD: &str = "exec 3<&0 </dev/null
( while read -r signal; do kill -s \"$signal\" $$; done <&3; kill -s KILL 0 ) >/dev/null 2>&1 &
exec 3<&-
exec \"$@\"";

/// Names under which commands find the simulated engines.
const SHIMS: [&str; 2] = ["ollama", "vllm"];
/// Names the engine's binary when it does not lie beside this one.
const BINARY_VARIABLE: &str = "LLM_OPERATOR_ENGINE_SIM";
/// Variable in which the engine's binary finds what a container runtime would have arranged.
const SPEC_VARIABLE: &str = "ENGINE_SIM_PROCESS";
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
    let path = search_path(context).map_err(|error| error.to_string())?;
    if !exists(executable, &path) {
        return Err(Exit::cannot_start(executable).message);
    }
    let mut command = Command::new("sh");
    command
        .args(["-c", HOLD, "hold"])
        .args(argv.iter().map(|word| translated(word, &launch.files)))
        .env_clear()
        .env("HOME", launch.files.resolve(Path::new("/root")))
        .envs(
            launch
                .env
                .iter()
                .map(|(name, value)| (name, translated(value, &launch.files))),
        )
        .env("PATH", &path)
        .env(SPEC_VARIABLE, process_json(context, launch)?)
        .current_dir(working_dir(context, launch)?)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(false);
    command.spawn().map_err(|error| format!("{executable}: {error}"))
}

/// What the shims are told; the program is chosen by the name they are called by.
fn process_json(context: &PodContext, launch: &Launch) -> Result<String, String> {
    let spec = process_spec(context, launch, launch.program.clone().unwrap_or(Program::Ollama));
    serde_json::to_string(&spec).map_err(|error| error.to_string())
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

fn search_path(context: &PodContext) -> std::io::Result<String> {
    let shims = context.shared.files.join("bin");
    let system = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned());
    if !shims.exists() {
        std::fs::create_dir_all(&shims)?;
    }
    let binary = engine_binary();
    for name in SHIMS {
        let link = shims.join(name);
        if link.symlink_metadata().is_ok() {
            continue;
        }
        let made = match &binary {
            Some(binary) => std::os::unix::fs::symlink(binary, &link),
            None => explain(&link),
        };
        match made {
            // Another container's start has made it.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            other => other?,
        }
    }
    Ok(format!("{}:{system}", shims.display()))
}

/// A command that says why it does nothing.
fn explain(link: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let text = format!(
        "#!/bin/sh\necho 'the simulated engine is not built: run cargo build -p engine-sim, or name it in \
         {BINARY_VARIABLE}' >&2\nexit 127\n"
    );
    std::fs::write(link, text)?;
    std::fs::set_permissions(link, std::fs::Permissions::from_mode(0o755))
}

/// The engine's binary: named, or beside this program (test binaries lie one directory deeper).
fn engine_binary() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(BINARY_VARIABLE) {
        return Some(PathBuf::from(named));
    }
    let own = std::env::current_exe().ok()?;
    own.ancestors()
        .skip(1)
        .take(2)
        .map(|dir| dir.join("engine-sim"))
        .find(|path| path.is_file())
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
