//! Programs that a container's scripts find before this machine's own: the simulated engines by their names, and a curl
//! that reaches the Pod where the script says localhost. It must not run anything.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

/// Names the engine's binary when it does not lie beside this one.
const BINARY_VARIABLE: &str = "LLM_OPERATOR_ENGINE_SIM";
const NOT_BUILT: &str =
    "the simulated engine is not built: run cargo build -p engine-sim, or name it in LLM_OPERATOR_ENGINE_SIM";
static MAKING: Mutex<()> = Mutex::new(());
/// Variables that tell scripts' programs where the Pod is.
pub(crate) const ADDRESS: &str = "SIMULATED_POD_ADDRESS";
pub(crate) const LOOPBACK: &str = "SIMULATED_POD_LOOPBACK";

/// What listens on all interfaces listens on the Pod's address, what listens on localhost on a loopback of its own:
/// localhost is tried as the one and, refused (curl's code 7), as the other.
const CURL: &str = "\
through() { here=$1; shift; REAL --connect-to \"localhost::$here:\" --connect-to \"127.0.0.1::$here:\" \"$@\"; }
through \"$SIMULATED_POD_ADDRESS\" \"$@\"
code=$?
[ \"$code\" = 7 ] || exit \"$code\"
through \"$SIMULATED_POD_LOOPBACK\" \"$@\"
";

/// The search path of commands: the shims under `files`, made on first use, before this machine's own programs.
pub(crate) fn search_path(files: &Path) -> std::io::Result<String> {
    let shims = files.join("bin");
    let system = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned());
    // Nobody may run a script that another one is still writing.
    let _making = MAKING.lock();
    std::fs::create_dir_all(&shims)?;
    let binary = engine_binary();
    if let Some(curl) = system
        .split(':')
        .map(|dir| Path::new(dir).join("curl"))
        .find(|path| path.is_file())
    {
        script(
            &shims.join("curl"),
            &CURL.replace("REAL", &curl.to_string_lossy()),
        )?;
    }
    for name in engine_sim::PROGRAM_NAMES {
        let link = shims.join(name);
        match &binary {
            Some(binary) => unless_made(std::os::unix::fs::symlink(binary, &link))?,
            None => script(&link, &format!("echo '{NOT_BUILT}' >&2\nexit 127\n"))?,
        }
    }
    Ok(format!("{}:{system}", shims.display()))
}

/// Writes an executable script, unless an earlier start has.
fn script(path: &Path, text: &str) -> std::io::Result<()> {
    let opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o755)
        .open(path);
    unless_made(opened.and_then(|mut file| file.write_all(format!("#!/bin/sh\n{text}").as_bytes())))
}

fn unless_made(result: std::io::Result<()>) -> std::io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
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
