//! The README's two commands, and the script that runs them from nothing. Here with a `make` that only notes how it was called: CI
//! itself runs the real ones, by `hack/two-commands.sh --here` in its own fresh clone.

use std::{os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

use crate::{has_target, read, root};

const SCRIPT: &str = "hack/two-commands.sh";

/// The commands are the ones that are promised, and CI runs them.
#[test]
fn there_are_two_and_ci_runs_them() {
    let output = Command::new(root().join(SCRIPT)).arg("--list").output().unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "make demo\nmake test\n"
    );
    assert!(has_target("demo") && has_target("test"));
    assert!(read(".ci/run").contains("hack/two-commands.sh --here"));
}

/// What the README asks for is what the contributors' page and CI ask for.
#[test]
fn what_they_need_is_said_once_and_the_same() {
    let readme = read("README.md");
    let section = readme.split("## Two commands").nth(1).unwrap();
    let needs = section
        .lines()
        .find(|line| line.starts_with("On a machine with"))
        .unwrap();
    let page = read("docs/contributing.md");
    let page = page.split("## What you need\n").nth(1).unwrap();
    let mut tools = 0;
    for tool in needs
        .trim_start_matches("On a machine with")
        .trim_end_matches(':')
        .split([',', ' '])
    {
        if ["", "and"].contains(&tool) {
            continue;
        }
        assert!(page.contains(tool), "{tool} is not in docs/contributing.md");
        tools += 1;
    }
    assert!(tools >= 5, "{needs}");
    let version = read("Cargo.toml");
    let version = version
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "))
        .unwrap();
    assert!(
        needs.contains(version.trim_matches('"')),
        "Rust {version}: {needs}"
    );
}

/// The script clones what is committed and runs both commands there, with caches that are empty and its own; nothing is left behind.
#[test]
fn the_script_starts_from_nothing() {
    let folder =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("two-commands-{}", std::process::id()));
    let (programs, work, calls) = (folder.join("programs"), folder.join("work"), folder.join("calls"));
    for folder in [&programs, &work] {
        std::fs::create_dir_all(folder).unwrap();
    }
    let make = programs.join("make");
    let note = "#!/bin/sh\nfor folder in \"$CARGO_HOME\" \"$XDG_CACHE_HOME\" \"$GOPATH\" target; do test -z \"$(ls -A $folder 2>/dev/null)\" || exit 4; done\n";
    let calls_line = format!(
        "echo \"$*|$ONCE|$PWD|$CARGO_HOME|$CARGO_TARGET_DIR\" >> {}\n",
        calls.display()
    );
    std::fs::write(&make, format!("{note}{calls_line}")).unwrap();
    std::fs::set_permissions(&make, std::fs::Permissions::from_mode(0o755)).unwrap();
    // A repository with the two files that matter: cloning the whole one needs its whole history.
    let source = folder.join("source");
    std::fs::create_dir_all(source.join("hack")).unwrap();
    std::fs::write(source.join("README.md"), read("README.md")).unwrap();
    for args in [
        vec!["init", "--quiet"],
        vec!["add", "README.md"],
        vec![
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.com",
            "commit",
            "--quiet",
            "-m",
            "t",
        ],
    ] {
        assert!(
            Command::new("git")
                .args(args)
                .current_dir(&source)
                .status()
                .unwrap()
                .success()
        );
    }
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let output = Command::new(root().join(SCRIPT))
        .env("PATH", path)
        .env("TMPDIR", &work)
        .env("TWO_COMMANDS_FROM", &source)
        .env("CARGO_TARGET_DIR", "/somewhere/else")
        .env_remove("CARGO_HOME")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("both commands work, from nothing"), "{said}");
    let calls = std::fs::read_to_string(&calls).unwrap();
    let calls: Vec<Vec<&str>> = calls.lines().map(|line| line.split('|').collect()).collect();
    assert_eq!(
        calls.iter().map(|call| call[0]).collect::<Vec<_>>(),
        ["demo", "test"]
    );
    for call in &calls {
        assert_eq!(call[1], "1", "the demo ends with a verdict");
        assert!(
            call[2].starts_with(work.to_str().unwrap()) && call[2].ends_with("/llm-operator"),
            "{call:?}"
        );
        assert!(call[3].starts_with(work.to_str().unwrap()), "{call:?}");
        assert_eq!(call[4], "", "no target directory of this machine");
    }
    assert_eq!(
        std::fs::read_dir(&work).unwrap().count(),
        0,
        "nothing is left behind"
    );
    std::fs::remove_dir_all(folder).unwrap();
}
