//! Flags and environment, as a person or a manifest gets them wrong.

use std::{path::PathBuf, process::Output, time::Duration};

use serde_json::Value;

use crate::common::{
    PATIENCE, operator_access,
    stand::{SMALL_MODEL, Stand, cluster, small_deployments},
};

/// Runs the operator to its end, without any environment but what is given.
async fn run(args: &[&str], env: &[(&str, &str)]) -> (i32, String) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_llm-operator"));
    command
        .args(args)
        .env_clear()
        .envs(env.iter().copied())
        .kill_on_drop(true);
    let Output {
        status,
        stdout,
        stderr,
    } = tokio::time::timeout(Duration::from_secs(20), command.output())
        .await
        .unwrap_or_else(|_| panic!("{args:?} {env:?} does not end"))
        .unwrap();
    let text = [stdout, stderr].concat();
    (
        status.code().unwrap_or(-1),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// A command line that cannot be meant ends with code 2, and with a sentence that names the flag and what it takes.
#[tokio::test]
async fn wrong_flags_are_explained() {
    for (args, words) in [
        (vec!["run", "--nope"], vec!["--nope", "--help"]),
        (vec!["run", "--workers", "0"], vec!["--workers", "1..=256"]),
        (
            vec!["run", "--lease-duration", "15"],
            vec!["--lease-duration", "15s"],
        ),
        (
            vec!["run", "--http-address", "8080"],
            vec!["--http-address", "<IP:PORT>"],
        ),
        (
            vec!["run", "--leader-elect", "maybe"],
            vec!["--leader-elect", "true, false"],
        ),
        (
            vec!["run", "--log-format", "xml"],
            vec!["--log-format", "text, json"],
        ),
        (vec!["run", "--log-level", "loud"], vec!["--log-level", "debug"]),
        (
            vec!["run", "--log-level", "info,reconcile=loud"],
            vec!["--log-level", "debug"],
        ),
        (
            vec!["run", "--lease-duration", "5s"],
            vec!["--lease-duration", "--lease-renew-deadline"],
        ),
        (vec!["render"], vec!["--filename", "Usage"]),
        (vec!["walk"], vec!["walk", "Usage"]),
        (vec![], vec!["Usage", "run", "render", "crds"]),
    ] {
        let (code, text) = run(&args, &[]).await;
        assert_eq!(code, 2, "{args:?}: {text}");
        for word in words {
            assert!(text.contains(word), "{args:?} names {word}: {text}");
        }
    }
}

/// The same by environment, as a manifest sets it.
#[tokio::test]
async fn wrong_environment_is_explained() {
    for (variable, value, word) in [
        ("LOG_LEVEL", "loud", "debug"),
        ("LOG_FORMAT", "xml", "json"),
        ("WORKERS", "many", "--workers"),
        ("LEASE_DURATION", "soon", "--lease-duration"),
        ("HTTP_ADDRESS", "nowhere", "--http-address"),
    ] {
        let (code, text) = run(&["run"], &[(variable, value)]).await;
        assert_eq!(code, 2, "{variable}: {text}");
        assert!(
            text.contains(value) && text.contains(word),
            "{variable} names value and {word}: {text}"
        );
    }
}

/// Every flag of `run` has a line of help and names its environment variable.
#[tokio::test]
async fn help_teaches() {
    let (code, help) = run(&["help", "run"], &[]).await;
    assert_eq!(code, 0);
    let flags = help
        .lines()
        .filter(|line| line.trim_start().starts_with("--"))
        .count();
    let variables = help.matches("[env: ").count();
    assert!(
        flags > 10 && flags - 1 <= variables,
        "{flags} flags, {variables} variables:\n{help}"
    );
    let (code, help) = run(&["--help"], &[]).await;
    assert_eq!(code, 0);
    assert!(help.contains("EXAMPLES"), "{help}");
    let (code, version) = run(&["version"], &[]).await;
    assert_eq!(
        (code, version.trim()),
        (0, concat!("llm-operator ", env!("CARGO_PKG_VERSION")))
    );
}

/// Without any cluster to talk to: one sentence that says what to set, in text and as JSON.
#[tokio::test]
async fn no_kubeconfig() {
    let home = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("empty-home");
    std::fs::create_dir_all(&home).unwrap();
    let env = [("HOME", home.to_str().unwrap()), ("HTTP_ADDRESS", "127.0.0.1:0")];
    let (code, text) = run(&["run"], &env).await;
    assert_eq!(code, 1, "{text}");
    let last = text.lines().last().unwrap();
    assert!(
        last.contains("KUBECONFIG") && last.contains("service account"),
        "{text}"
    );

    let (code, text) = run(&["run", "--log-format", "json"], &env).await;
    assert_eq!(code, 1, "{text}");
    for line in text.lines() {
        let _: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    assert!(text.lines().last().unwrap().contains("KUBECONFIG"), "{text}");

    let missing = home.join("missing.kubeconfig");
    let env = [("KUBECONFIG", missing.to_str().unwrap()), env[1]];
    let (code, text) = run(&["run"], &env).await;
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("missing.kubeconfig"), "{text}");
}

/// A port that somebody else has is told at once, with the flag that changes it.
#[tokio::test]
async fn port_in_use() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, text) = run(&["run", "--http-address", &address], &[]).await;
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains(&address) && text.contains("--http-address"),
        "{text}"
    );
}

/// The most talkative log as JSON: every line is one object with time, level, target and message, and none of them
/// holds the token.
#[tokio::test]
async fn json_logs_parse_line_by_line() {
    let stand = Stand::with("json", &["--log-format", "json", "--log-level", "trace"]).await;
    stand.small_model().await;
    let failing = stand.space.namespace.clone();
    stand.proxy.fail_next(1, "PATCH", "/services/chat", 500, None);
    stand.space.apply(&small_deployments(["chat"])).await;
    stand.space.wait_state("chat", "Ready").await;
    let mut log = stand.operator.process.log();
    // The operator goes on to write: a line that has no end yet is none.
    log.truncate(log.rfind('\n').unwrap_or(0));
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    assert!(lines.len() > 20, "{} lines", lines.len());
    for line in &lines {
        for field in ["timestamp", "level", "target"] {
            assert!(line[field].is_string(), "{field}: {line}");
        }
    }
    let failure = lines
        .iter()
        .find(|line| line["reason"] == "ApiUnavailable")
        .unwrap_or_else(|| panic!("the failure is logged: {log}"));
    assert_eq!(failure["level"], "WARN");
    assert_eq!(failure["object"], format!("LLMDeployment {failing}/chat"));
    let token = operator_access(cluster().await).await.token.unwrap();
    let header = token.split('.').next().unwrap();
    assert!(!log.contains(header), "a token in the log");
}

/// `LOG_LEVEL=debug` tells more than `info`, and `info` says nothing about a cluster at rest.
#[tokio::test]
async fn levels_differ() {
    let stand = Stand::with("level", &["--log-level", "info", "--resync-period", "500ms"]).await;
    stand.small_model().await;
    stand.space.apply(&small_deployments(["chat"])).await;
    stand.space.wait_state("chat", "Ready").await;
    let log = stand.operator.process.log();
    assert!(log.contains("INFO") && !log.contains("DEBUG"), "{log}");
    let debug = Stand::with("debug", &["--log-level", "DEBUG", "--resync-period", "500ms"]).await;
    debug.space.apply(SMALL_MODEL).await;
    testkit::until("a debug line", PATIENCE, async || {
        let log = debug.operator.process.log();
        log.lines()
            .any(|line| line.contains("DEBUG") && line.contains("reconcile::runner: reconciled"))
            .then_some(())
    })
    .await
    .unwrap();
}
