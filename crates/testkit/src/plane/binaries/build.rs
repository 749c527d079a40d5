//! Building the programs of a [`Suite`].
//!
//! In: an empty directory. Out: the executables in it; progress on standard error, one line at least every ten
//! seconds. Modules come through whatever proxy the user's Go is set up for.

use std::io::Write;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::suite::{Recipe, Suite};
use super::{BinariesError, go};
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
                          will do)";
const OTHER_HINT: &str = "Check disk space and memory (linking takes up to 2 GB)";

/// Builds every program into `directory`, one after the other: two linkers at once want much memory.
pub(super) fn build(suite: &Suite, directory: &Path) -> Result<(), BinariesError> {
    go::check(suite)?;
    say(
        suite,
        &format!(
            "building {} from source, once: {}",
            suite.versions, suite.duration
        ),
    );
    let start = Instant::now();
    for (index, recipe) in suite.recipes.iter().enumerate() {
        build_one(suite, recipe, index + 1, directory, start)?;
    }
    say(suite, &format!("built in {} s", start.elapsed().as_secs()));
    Ok(())
}

fn build_one(
    suite: &Suite,
    recipe: &Recipe,
    number: usize,
    directory: &Path,
    start: Instant,
) -> Result<(), BinariesError> {
    let scratch = TemporaryDirectory::new("go-build")?;
    let mut build = Supervised::start(&command(recipe, directory, scratch.path()))?;
    let step = format!("{number} of {}: {}", suite.recipes.len(), recipe.name);
    let mut next = start.elapsed();
    loop {
        if let Some(code) = build.exit_code() {
            if code == 0 {
                return Ok(());
            }
            return Err(failure(suite, recipe.name, code, build.last_lines(SHOWN_LINES)));
        }
        if start.elapsed() >= next {
            say(suite, &format!("{step} ({} s)", start.elapsed().as_secs()));
            next += REPORT;
        }
        sleep(POLL);
    }
}

fn command(recipe: &Recipe, directory: &Path, scratch: &Path) -> process::Program {
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
        recipe.link_flags.clone().into(),
        "-o".into(),
        directory.join(recipe.name).into(),
        recipe.package.clone().into(),
    ]);
    process::Program {
        name: format!("go build {}", recipe.name),
        path: "go".into(),
        args,
        // A workspace file or C compiler of the user's has no say in this build.
        env: vec![
            ("CGO_ENABLED".into(), "0".into()),
            ("GOWORK".into(), "off".into()),
            // What a build that is killed leaves behind goes with the scratch directory.
            ("GOTMPDIR".into(), scratch.into()),
        ],
        directory: Some(recipe.module.clone()),
        log: scratch.join("output"),
    }
}

fn failure(suite: &Suite, program: &'static str, code: i32, output: String) -> BinariesError {
    let hint = if FETCH_FAILED.iter().any(|word| output.contains(word)) {
        FETCH_HINT
    } else {
        OTHER_HINT
    };
    BinariesError::Build {
        program,
        code,
        output,
        hint,
        variable: suite.variable,
    }
}

/// One line of progress. Written past the print macros: the test harness would hold those back.
pub(super) fn say(suite: &Suite, line: &str) {
    let _ = writeln!(std::io::stderr(), "{}: {line}", suite.what);
}

#[cfg(test)]
mod tests {
    use super::failure;
    use crate::plane::binaries::{suite::Suite, versions::Kubernetes};

    #[test]
    fn a_module_that_cannot_be_had_is_told_from_other_failures() {
        let output = "go: k8s.io/api@v0.36.3: reading https://example.org/x: dial tcp: lookup example.org: no such host";
        let fetch = failure(
            &Suite::control_plane(Kubernetes::selected().unwrap()),
            "etcd",
            1,
            output.to_owned(),
        )
        .to_string();
        assert!(
            fetch.contains("no such host") && fetch.contains("GOPROXY"),
            "{fetch}"
        );
        let other = failure(&Suite::helm(), "helm", 1, "signal: killed".to_owned()).to_string();
        assert!(
            other.contains("signal: killed") && !other.contains("GOPROXY"),
            "{other}"
        );
    }
}
