//! `make run`: the operator on this machine, with its log in a file.

use std::{path::PathBuf, process::Stdio};

use testkit::Cluster;

use crate::{
    common::{PATIENCE, install, root},
    make, text,
};

/// The log stands where the document looks for it.
/// Promises: S0-32
#[tokio::test]
async fn the_log_is_in_tmp_unless_told_otherwise() {
    let shown = text(&make(&["-n", "run"], &[]).await);
    assert!(shown.contains("--log-file '/tmp/operator.log'"), "{shown}");
    let help = text(&make(&["help"], &[]).await);
    assert!(
        help.contains("make run ") && help.contains("/tmp/operator.log"),
        "{help}"
    );
}

/// It works against a real cluster, goes on in a new file when the log is moved away, and ends as Ctrl-C asks.
/// Promises: S0-32
#[tokio::test]
async fn the_operator_runs_on_this_machine() {
    let cluster = Cluster::builder().start().await.unwrap();
    install(&cluster, true).await;
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-make-run", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (log, moved) = (folder.join("operator.log"), folder.join("operator.log.1"));
    let mut run = tokio::process::Command::new("make")
        .args(["--no-print-directory", "run", "CARGO=true"])
        .arg(format!("LOG_FILE={}", log.display()))
        .arg("RUN_ARGS=--http-address 127.0.0.1:0 --log-level debug --resync-period 200ms")
        .env("KUBECONFIG", cluster.kubeconfig())
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .current_dir(root())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let group = format!("-{}", run.id().unwrap());
    let says = async |words: &str| {
        testkit::until(format!("the log says {words}"), PATIENCE, async || {
            let said = std::fs::read_to_string(&log).map_err(|error| error.to_string())?;
            if said.contains(words) { Ok(()) } else { Err(said) }
        })
        .await
        .unwrap();
    };
    says("starting").await;
    // A resource that is looked at again and again, so that there is something to say.
    let model = crate::common::repository_file("examples/llm/model.yaml");
    cluster.apply_yaml(&model).await.unwrap();
    says("gpt-small").await;
    std::fs::rename(&log, &moved).unwrap();
    says("gpt-small").await;
    let signalled = tokio::process::Command::new("kill")
        .args(["-INT", "--", &group])
        .status()
        .await
        .unwrap();
    assert!(signalled.success());
    tokio::time::timeout(PATIENCE, run.wait()).await.unwrap().unwrap();
    says("stopped").await;
    assert!(std::fs::read_to_string(&moved).unwrap().contains("starting"));
    std::fs::remove_dir_all(folder).unwrap();
}
