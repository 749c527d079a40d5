//! `local-cluster up`.
//!
//! In: its arguments. Out: a cluster in the background or foreground, and on standard output how to use it.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use testkit::plane::binaries::{Binaries, KUBERNETES_VERSION};
use testkit::{ClusterError, Program};

use super::home::Home;
use super::serve::serve;
use super::{CommandError, UpArgs, hardware};

/// Lines of the background process's log shown when it fails.
const SHOWN_LINES: usize = 30;
const POLL: Duration = Duration::from_millis(50);

/// Starts the cluster unless it runs, and says how to use it.
pub fn up(args: &UpArgs) -> Result<(), CommandError> {
    // Asked before the build: a program that is rebuilt meanwhile could not tell its path any more.
    let own = std::env::current_exe().map_err(|source| CommandError::Io {
        what: "find this program",
        source,
    })?;
    let home = Home::open(&args.dir)?;
    // Here, not in the background: the first time this builds for minutes and reports its progress.
    let binaries = Binaries::locate(&Program::ALL).map_err(ClusterError::from)?;
    let kubectl = binaries.path(Program::Kubectl);
    if args.foreground {
        return serve(args, &home, || explain(&home, &kubectl, "Ctrl-C"));
    }
    if !home.is_running()? {
        start_in_background(args, &home, &own)?;
    }
    explain(
        &home,
        &kubectl,
        &format!(
            "local-cluster down --dir {} (or: make cluster-down)",
            args.dir.display()
        ),
    );
    Ok(())
}

fn start_in_background(args: &UpArgs, home: &Home, own: &Path) -> Result<(), CommandError> {
    let io = |what| move |source| CommandError::Io { what, source };
    home.clear_ready()?;
    let log = File::create(home.log()).map_err(io("create the log"))?;
    let errors = log.try_clone().map_err(io("open the log"))?;
    let mut child = Command::new(own)
        .args(["up", "--foreground", "--dir"])
        .arg(&args.dir)
        .args(["--nodes", &hardware::text(&args.nodes)])
        .args(["--load-speed", &args.load_speed.to_string()])
        // A group of its own: Ctrl-C in this terminal is for others.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .map_err(io("start the background process"))?;
    loop {
        if let Some(_ended) = child.try_wait().map_err(io("watch the background process"))? {
            let log = testkit::process::last_lines(&home.log(), SHOWN_LINES);
            return Err(CommandError::NotStarted {
                path: home.log(),
                log,
            });
        }
        if home.is_ready() {
            return Ok(());
        }
        sleep(POLL);
    }
}

fn explain(home: &Home, kubectl: &Path, stop: &str) {
    let tools = kubectl.parent().unwrap_or(kubectl);
    let version = Binaries::kubernetes_version().unwrap_or(KUBERNETES_VERSION);
    println!("Kubernetes {version} runs. Use it with:\n");
    println!("  export KUBECONFIG={}", home.path().join("kubeconfig").display());
    println!("  export PATH={}:$PATH   # its kubectl", tools.display());
    println!("  kubectl get nodes\n");
    println!("Stop it with: {stop}");
}
