//! `run --log-file`: the log in a file, beside standard error.

use std::{
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use crate::call::{Outcome, call_with};

/// A path in a folder of its own, which is empty.
fn path(name: &str) -> PathBuf {
    let folder =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-log-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder.join("operator.log")
}

/// A run that ends by itself, since there is no cluster to talk to.
fn run(env: &[(&str, &str)], args: &[&str]) -> Outcome {
    let all = [&["run", "--http-address", "127.0.0.1:0"], args].concat();
    call_with(env, &all, "")
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// The file has every line of standard error, the last one included; a second run appends to it.
/// Promises: S0-32
#[test]
fn the_log_is_in_the_file_too() {
    let file = path("both");
    let name = file.to_str().unwrap();
    let first = run(&[], &["--log-file", name]);
    assert_eq!(first.code, 1, "{}", first.err);
    let timeless = |text: &str| -> Vec<String> {
        let lines = text.lines();
        lines
            .map(|line| line.split_once(' ').unwrap().1.to_owned())
            .collect()
    };
    assert_eq!(timeless(&text(&file)), timeless(&first.err));
    assert!(text(&file).contains("starting"), "{}", text(&file));
    assert!(
        text(&file).lines().last().unwrap().contains("KUBECONFIG"),
        "{}",
        text(&file)
    );
    assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o600);

    let second = run(&[("LOG_FILE", name), ("LOG_FORMAT", "json")], &[]);
    assert_eq!(second.code, 1, "{}", second.err);
    let all = text(&file);
    let appended: Vec<&str> = all.lines().skip(first.err.lines().count()).collect();
    assert_eq!(appended.len(), second.err.lines().count(), "{all}");
    for line in appended {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(event["timestamp"].is_string(), "{event}");
    }
    std::fs::remove_dir_all(file.parent().unwrap()).unwrap();
}

/// A file that cannot be written is told before anything is done, with the flag that names it.
#[test]
fn a_file_that_cannot_be_written() {
    let missing = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("nowhere/operator.log");
    let folder = env!("CARGO_TARGET_TMPDIR");
    for (name, words) in [
        (missing.to_str().unwrap(), "No such file or directory"),
        (folder, "no regular file"),
        ("/dev/full", "no regular file"),
    ] {
        let outcome = run(&[("LOG_FILE", name)], &[]);
        assert_eq!(outcome.code, 1, "{}", outcome.err);
        assert_eq!(outcome.err.lines().count(), 1, "{}", outcome.err);
        for word in [name, words, "--log-file", "LOG_FILE"] {
            assert!(outcome.err.contains(word), "{word}: {}", outcome.err);
        }
    }
}

/// A variable that a manifest sets to nothing is not set.
#[test]
fn an_empty_variable_is_none() {
    let outcome = run(&[("LOG_FILE", "")], &[]);
    assert_eq!(outcome.code, 1, "{}", outcome.err);
    assert!(outcome.err.contains("KUBECONFIG"), "{}", outcome.err);
}
