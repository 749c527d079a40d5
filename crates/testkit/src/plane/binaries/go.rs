//! Is there a Go that can build the control plane?
//!
//! In: `go env`. Out: nothing when it will do, else an error that says which version is needed and where it is had.

use std::process::Command;

use super::BinariesError;
use super::suite::Suite;
use super::versions::go_version;

/// The first Go that fetches the toolchain a module asks for by itself.
const FETCHES_TOOLCHAINS: [u32; 2] = [1, 21];

/// Checks that `go` is on PATH and new enough, or able to fetch a newer one.
pub(super) fn check(suite: &Suite) -> Result<(), BinariesError> {
    let needed = go_version().to_owned();
    // Outside of any module: within one, `go` would switch versions before it answers.
    let output = Command::new("go")
        .args(["env", "GOVERSION", "GOTOOLCHAIN"])
        .current_dir("/")
        .output();
    let Ok(output) = output else {
        return Err(BinariesError::NoGo {
            what: suite.what,
            variable: suite.variable,
            needed,
        });
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines();
    let found = lines
        .next()
        .unwrap_or_default()
        .trim_start_matches("go")
        .to_owned();
    let toolchain = lines.next().unwrap_or_default();
    if suffices(&found, toolchain, &needed) {
        return Ok(());
    }
    Err(BinariesError::OldGo {
        what: suite.what,
        variable: suite.variable,
        needed,
        found: if found.is_empty() {
            "no version".to_owned()
        } else {
            found
        },
    })
}

fn suffices(found: &str, toolchain: &str, needed: &str) -> bool {
    let found = numbers(found);
    if found >= numbers(needed) {
        return true;
    }
    let may_fetch = toolchain.starts_with("auto") || toolchain.ends_with("+auto");
    may_fetch && found >= FETCHES_TOOLCHAINS.to_vec()
}

/// `1.26.8` as numbers; a release candidate (`1.26rc1`) counts as the release.
fn numbers(version: &str) -> Vec<u32> {
    version
        .split('.')
        .map(|part| part.chars().take_while(char::is_ascii_digit).collect::<String>())
        .map_while(|digits| digits.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::suffices;

    #[test]
    fn old_versions_pass_only_when_they_fetch_newer_ones() {
        assert!(suffices("1.26.8", "local", "1.26.0"));
        assert!(suffices("1.27", "local", "1.26.0"));
        assert!(!suffices("1.25.9", "local", "1.26.0"));
        assert!(suffices("1.25.9", "auto", "1.26.0"));
        assert!(suffices("1.24.1", "go1.24.1+auto", "1.26.0"));
        assert!(!suffices("1.20.3", "auto", "1.26.0"));
        assert!(!suffices("", "", "1.26.0"));
    }
}
