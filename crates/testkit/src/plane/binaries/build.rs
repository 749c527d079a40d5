//! Building the control plane.
//!
//! In: an empty directory. Out: the five executables in it; progress on standard error, one line at least every ten
//! seconds. Modules come through whatever proxy the user's Go is set up for.

use std::io::Write;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::versions::{ETCD_VERSION, KUBERNETES_VERSION};
use super::{BinariesError, Program, go};
use crate::process::{self, Supervised, TemporaryDirectory};

const REPORT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(100);
/// Lines of `go build` shown when it fails.
const SHOWN_LINES: usize = 15;

/// Words in Go's output that tell that a module could not be fetched.
const FETCH_FAILED: [&str; 7] = [
    "dial tcp",
    "no such host",
    "i/o timeout",
    "connection refused",
    "GOPROXY",
    "reading https://",
    "TLS handshake",
];
const FETCH_HINT: &str = "A module could not be fetched: check the network and `go env GOPROXY` (a mirror of Go modules \
                          will do), or point LLM_OPERATOR_CONTROL_PLANE_BIN to a directory with ready-made executables.";
const OTHER_HINT: &str = "Check disk space and memory (linking kube-apiserver takes about 2 GB), or point \
                          LLM_OPERATOR_CONTROL_PLANE_BIN to a directory with ready-made executables.";

/// Builds every program into `directory`, one after the other: two linkers at once want much memory.
pub(super) fn build(directory: &Path) -> Result<(), BinariesError> {
    go::check()?;
    say(&format!(
        "building Kubernetes {KUBERNETES_VERSION} and etcd {ETCD_VERSION} from source, once: about 5 minutes on 2 cores"
    ));
    let start = Instant::now();
    for (index, program) in Program::ALL.into_iter().enumerate() {
        build_one(program, index + 1, directory, start)?;
    }
    say(&format!("control plane built in {} s", start.elapsed().as_secs()));
    Ok(())
}

fn build_one(program: Program, number: usize, directory: &Path, start: Instant) -> Result<(), BinariesError> {
    let scratch = TemporaryDirectory::new("go-build")?;
    let mut build = Supervised::start(&command(program, directory, scratch.path()))?;
    let step = format!("{number} of {}: {}", Program::ALL.len(), program.name());
    let mut next = start.elapsed();
    loop {
        if let Some(code) = build.exit_code() {
            if code == 0 {
                return Ok(());
            }
            return Err(failure(program, code, build.last_lines(SHOWN_LINES)));
        }
        if start.elapsed() >= next {
            say(&format!("{step} ({} s)", start.elapsed().as_secs()));
            next += REPORT;
        }
        sleep(POLL);
    }
}

fn command(program: Program, directory: &Path, scratch: &Path) -> process::Program {
    let module = program.module();
    let mut args: Vec<std::ffi::OsString> = [
        "build",
        "-trimpath",
        "-buildvcs=false",
        "-mod=readonly",
        "-ldflags",
    ]
    .map(Into::into)
    .to_vec();
    args.extend([
        program.link_flags().into(),
        "-o".into(),
        directory.join(program.name()).into(),
        program.package().into(),
    ]);
    process::Program {
        name: format!("go build {}", program.name()),
        path: "go".into(),
        args,
        // A workspace file or C compiler of the user's has no say in this build.
        env: vec![
            ("CGO_ENABLED".into(), "0".into()),
            ("GOWORK".into(), "off".into()),
            // What a build that is killed leaves behind goes with the scratch directory.
            ("GOTMPDIR".into(), scratch.into()),
        ],
        directory: Some(module),
        log: scratch.join("output"),
    }
}

fn failure(program: Program, code: i32, output: String) -> BinariesError {
    let hint = if FETCH_FAILED.iter().any(|word| output.contains(word)) {
        FETCH_HINT
    } else {
        OTHER_HINT
    };
    BinariesError::Build {
        program: program.name(),
        code,
        output,
        hint,
    }
}

/// One line of progress. Written past the print macros: the test harness would hold those back.
pub(super) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "control plane: {line}");
}

#[cfg(test)]
mod tests {
    use super::failure;
    use crate::plane::Program;

    #[test]
    fn a_module_that_cannot_be_had_is_told_from_other_failures() {
        let output = "go: k8s.io/api@v0.36.3: reading https://example.org/x: dial tcp: lookup example.org: no such host";
        let fetch = failure(Program::Etcd, 1, output.to_owned()).to_string();
        assert!(
            fetch.contains("no such host") && fetch.contains("GOPROXY"),
            "{fetch}"
        );
        let other = failure(Program::Etcd, 1, "signal: killed".to_owned()).to_string();
        assert!(
            other.contains("signal: killed") && !other.contains("GOPROXY"),
            "{other}"
        );
    }
}
