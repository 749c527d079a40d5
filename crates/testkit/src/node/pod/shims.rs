//! Programs that a container's scripts find before this machine's own: the simulated engines by their names, a curl that
//! reaches the Pod where the script says localhost, and what the image lacks. It must not run anything.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use crate::node::image_table::Tools;

/// Names the engine's binary when it does not lie beside this one.
const BINARY_VARIABLE: &str = "LLM_OPERATOR_ENGINE_SIM";
const NOT_BUILT: &str =
    "the simulated engine is not built: run cargo build -p engine-sim, or name it in LLM_OPERATOR_ENGINE_SIM";
static MAKING: Mutex<()> = Mutex::new(());
/// Variables that tell scripts' programs where the Pod is.
pub(crate) const ADDRESS: &str = "SIMULATED_POD_ADDRESS";
pub(crate) const LOOPBACK: &str = "SIMULATED_POD_LOOPBACK";
/// The variable that names what stands for the internet.
pub(crate) const HUB: &str = "SIMULATED_INTERNET";

/// What listens on all interfaces listens on the Pod's address, what listens on localhost on a loopback of its own:
/// localhost is tried as the one and, refused (curl's code 7), as the other. What lies on the internet is simulated.
const CURL: &str = "\
for word do
  shift
  case $word in https://*) word=http://$SIMULATED_INTERNET/${word#https://} ;; esac
  set -- \"$@\" \"$word\"
done
through() { here=$1; shift; REAL --connect-to \"localhost::$here:\" --connect-to \"127.0.0.1::$here:\" \"$@\"; }
through \"$SIMULATED_POD_ADDRESS\" \"$@\"
code=$?
[ \"$code\" = 7 ] || exit \"$code\"
through \"$SIMULATED_POD_LOOPBACK\" \"$@\"
";

/// GNU tar with `BusyBox`'s only code for failures.
const BUSYBOX_TAR: &str = "REAL \"$@\" || exit 1\n";
/// Programs of this machine that downloads in Pods need.
const NEEDED: &[&str] = &["curl", "tar", "gzip"];

/// The search path of commands: the shims under `files`, made on first use, before this machine's own programs.
pub(crate) fn search_path(files: &Path, tools: Tools) -> std::io::Result<String> {
    let shims = files.join("bin");
    let of_image = files.join(format!("bin-{tools:?}"));
    let system = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned());
    let find = |name: &str| {
        let mut places = system.split(':').map(|dir| Path::new(dir).join(name));
        places.find(|path| path.is_file())
    };
    // Nobody may run a script that another one is still writing.
    let _making = MAKING.lock();
    std::fs::create_dir_all(&shims)?;
    std::fs::create_dir_all(&of_image)?;
    if let Some(curl) = find("curl") {
        let text = CURL.replace("REAL", &curl.to_string_lossy());
        script(&shims.join("curl"), &text)?;
    }
    for name in NEEDED.iter().filter(|name| find(name).is_none()) {
        let words =
            format!("this machine has no {name}: commands of simulated Pods are run for real, install it");
        script(&shims.join(name), &format!("echo '{words}' >&2\nexit 127\n"))?;
    }
    for name in tools.lacking() {
        script(
            &of_image.join(name),
            &format!("echo 'sh: {name}: not found' >&2\nexit 127\n"),
        )?;
    }
    if let Some(tar) = find("tar").filter(|_| tools.is_busybox()) {
        script(
            &of_image.join("tar"),
            &BUSYBOX_TAR.replace("REAL", &tar.to_string_lossy()),
        )?;
    }
    let binary = engine_binary();
    for name in engine_sim::PROGRAM_NAMES {
        let link = shims.join(name);
        match &binary {
            Some(binary) => unless_made(std::os::unix::fs::symlink(binary, &link))?,
            None => script(&link, &format!("echo '{NOT_BUILT}' >&2\nexit 127\n"))?,
        }
    }
    Ok(format!("{}:{}:{system}", of_image.display(), shims.display()))
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
