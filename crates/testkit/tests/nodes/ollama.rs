//! Ollama in Pods as an operator runs it: pulled by an init container's script, kept on a claim, asked, ended by a shell.

use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::DeleteParams;
use serde_json::{Value, json};
use testkit::{Target, until};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::bed::{Bed, LIMIT, phase, ready, status};

/// A server of its own, until the model is there.
const PULL: &str = r#"set -eu
ollama serve >/tmp/serve.log 2>&1 & server=$!
trap 'kill "$server"' EXIT
trap 'exit 143' TERM
until ollama list >/dev/null 2>&1; do sleep 0.1; done
ollama show "$1" >/dev/null 2>&1 || { ollama pull "$1" & wait "$!"; }
"#;

/// Serves until the model that marks the end is there.
const UNTIL_MARKED: &str = r#"ollama serve & server=$!
trap 'kill "$server"; wait "$server"; exit 0' TERM
until ollama show "$1" >/dev/null 2>&1; do
  kill -0 "$server" 2>/dev/null || { wait "$server"; exit 1; }
  sleep 0.1
done
kill "$server"
wait "$server"
exit 0
"#;

fn script(script: &str, model: &str) -> Value {
    json!({
        "image": "ollama/ollama:0.17.4",
        "command": ["sh", "-c", script, "script", model],
        "env": [
            { "name": "HOME", "value": "/models" },
            { "name": "OLLAMA_HOST", "value": "0.0.0.0:11434" },
            { "name": "OLLAMA_MODELS", "value": "/models/ollama" },
        ],
        "volumeMounts": [{ "name": "models", "mountPath": "/models" }],
        "securityContext": { "runAsUser": 1000 },
    })
}

fn engine() -> Value {
    let mut engine = script("", "");
    engine["command"] = json!(["ollama", "serve"]);
    engine["readinessProbe"] =
        json!({ "httpGet": { "path": "/api/version", "port": 11434 }, "periodSeconds": 1 });
    engine
}

fn pulled(volume: &Value) -> Value {
    let mut pull = script(PULL, "tinyllama");
    pull["name"] = "pull-model".into();
    json!({ "initContainers": [pull], "volumes": [volume] })
}

fn scratch() -> Value {
    json!({ "name": "models", "emptyDir": {} })
}

fn address(pod: &Pod) -> String {
    let status = pod.status.as_ref().unwrap();
    format!("{}:11434", status.pod_ip.as_deref().unwrap())
}

async fn send(to: &str, path: &str, body: &str) -> TcpStream {
    let mut socket = TcpStream::connect(to).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    socket
        .write_all(format!("{head}{body}").as_bytes())
        .await
        .unwrap();
    socket
}

/// Head and body of the answer, as they come.
async fn post(to: &str, path: &str, body: &str) -> String {
    let mut answer = Vec::new();
    // An answer that is cut is what came of it.
    let _ = send(to, path, body).await.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// The binary that scripts find.
fn build() {
    let built = std::process::Command::new(env!("CARGO"))
        .args(["build", "-q", "-p", "engine-sim"])
        .status();
    assert!(built.unwrap().success());
}

async fn delete(bed: &Bed, name: &str, limit: Duration) {
    bed.api::<Pod>()
        .delete(name, &DeleteParams::default())
        .await
        .unwrap();
    until(format!("{name} gone"), limit, async || {
        let left = bed.api::<Pod>().get_opt(name).await.unwrap();
        left.is_none().then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_claim_spares_the_second_pull_and_an_empty_dir_does_not() {
    build();
    let bed = Bed::new("kept").await;
    let nodes = bed.cluster.nodes().unwrap();
    bed.create::<PersistentVolumeClaim>(json!({
        "metadata": { "name": "models" },
        "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "10Gi" } } },
    }))
    .await;
    let claim = json!({ "name": "models", "persistentVolumeClaim": { "claimName": "models" } });
    let downloads = || nodes.journal().of("kept").downloads("tinyllama:latest");
    for (volume, after) in [(&claim, [1, 1]), (&scratch(), [2, 3])] {
        for expected in after {
            bed.pod_with("llm", engine(), pulled(volume)).await;
            let pod = bed.until_pod("llm", "ready", ready).await;
            let answer = post(&address(&pod), "/api/generate", r#"{"model":"tinyllama"}"#).await;
            assert!(answer.contains(r#""done_reason":"load""#), "{answer}");
            assert_eq!(downloads(), expected, "{volume}");
            delete(&bed, "llm", LIMIT).await;
        }
    }
    assert_eq!(nodes.journal().of("kept").loads("tinyllama:latest"), 4);
}

#[tokio::test]
async fn the_pull_of_an_init_container_is_joined_left_and_ended_with_its_pod() {
    build();
    let bed = Bed::new("joined").await;
    let nodes = bed.cluster.nodes().unwrap();
    let target = Target::pods("joined", "llm").container("pull-model");
    nodes.faults().stall_load(&target);
    bed.pod_with("llm", engine(), pulled(&scratch())).await;
    let downloads = |pod: &str| {
        let of = nodes.journal().of_container("joined", pod, "pull-model");
        of.downloads("tinyllama:latest")
    };
    until("the pull", LIMIT, async || (downloads("llm") == 1).then_some(()))
        .await
        .unwrap();
    let addressed = |pod: &Pod| pod.status.as_ref().is_some_and(|status| status.pod_ip.is_some());
    let pod = bed.until_pod("llm", "an address", addressed).await;
    let mut joined = send(&address(&pod), "/api/pull", r#"{"model":"tinyllama"}"#).await;
    let mut seen = String::new();
    while !seen.contains(r#""total":637699456"#) {
        let mut piece = [0; 4096];
        let read = timeout(LIMIT, joined.read(&mut piece)).await.unwrap().unwrap();
        assert!(read > 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&piece[..read]));
    }
    drop(joined);
    nodes.faults().heal(&target);
    bed.until_pod("llm", "ready", ready).await;
    assert_eq!(downloads("llm"), 1);

    // The registry's refusal is the init container's last word, and a pull that hangs does not hold its Pod.
    let words = "pull model manifest: file does not exist";
    let failing = Target::pods("joined", "unknown");
    nodes.faults().fail_model_pull(&failing, words);
    bed.pod_with("unknown", engine(), pulled(&scratch())).await;
    until("the refusal", LIMIT, async || {
        let log = nodes.logs("joined", "unknown", "pull-model");
        log.filter(|log| log.contains(&format!("Error: {words}")))
    })
    .await
    .unwrap();
    let hanging = Target::pods("joined", "hanging");
    nodes.faults().slow_model_pull(&hanging, Duration::from_hours(1));
    bed.pod_with("hanging", engine(), pulled(&scratch())).await;
    until("the pull", LIMIT, async || {
        (downloads("hanging") == 1).then_some(())
    })
    .await
    .unwrap();
    delete(&bed, "hanging", Duration::from_secs(10)).await;
    for target in [failing, hanging] {
        nodes.faults().heal(&target);
    }
}

#[tokio::test]
async fn a_shell_ends_its_server_once_the_marker_is_there_and_succeeds() {
    build();
    let bed = Bed::new("marked").await;
    let nodes = bed.cluster.nodes().unwrap();
    let marker = "llm-operator/finished:0f8fad5b-d9cb-469f-a165-70867728950e";
    let mut container = script(UNTIL_MARKED, marker);
    container["readinessProbe"] = engine()["readinessProbe"].clone();
    container["livenessProbe"] = json!({ "httpGet": { "path": "/", "port": 11434 }, "periodSeconds": 1 });
    container["resources"] = json!({ "limits": { "nvidia.com/gpu": "1" } });
    let never = |mut spec: Value| {
        spec["restartPolicy"] = "Never".into();
        spec
    };
    bed.pod_with("llm", container.clone(), never(pulled(&scratch())))
        .await;
    let pod = bed.until_pod("llm", "ready", ready).await;
    let to = address(&pod);

    let target = Target::pods("marked", "llm").container("engine");
    nodes
        .faults()
        .fail_prompts(&target, "bad", 500, "llama runner process has terminated");
    nodes.faults().cut_prompts(&target, "long");
    let ask = |prompt: &str| json!({ "model": "tinyllama", "prompt": prompt }).to_string();
    let bad = post(&to, "/api/generate", &ask("a bad one")).await;
    assert!(
        bad.starts_with("HTTP/1.1 500") && bad.contains("has terminated"),
        "{bad}"
    );
    let long = post(&to, "/api/generate", &ask("a long one")).await;
    assert!(
        long.starts_with("HTTP/1.1 200") && !long.contains(r#""done":true"#),
        "{long}"
    );
    nodes.faults().heal(&target);
    nodes.faults().hang_prompts(&target, "slow");
    let slow = ask("a slow one");
    {
        let hanging = post(&to, "/api/generate", &slow);
        tokio::pin!(hanging);
        let heard = until("the slow one to be asked", LIMIT, async || {
            let journal = nodes.journal().of_container("marked", "llm", "engine");
            (journal.times_asked("a slow one") == 1).then_some(())
        });
        tokio::select! {
            answer = &mut hanging => panic!("{answer}"),
            heard = heard => heard.unwrap(),
        }
        assert!(timeout(Duration::from_millis(300), hanging).await.is_err());
    }
    nodes.faults().heal(&target);
    let good = post(&to, "/api/generate", &ask("a bad one")).await;
    assert!(good.contains(r#""done":true"#), "{good}");
    let journal = nodes.journal().of_container("marked", "llm", "engine");
    assert_eq!(
        journal.prompts(),
        ["a bad one", "a long one", "a slow one", "a bad one"]
    );
    assert_eq!(
        (
            journal.times_asked("a bad one"),
            journal.loads("tinyllama:latest")
        ),
        (2, 1)
    );

    // As a person does it: `kubectl exec llm -- ollama run tinyllama hello`.
    let run = ["ollama", "run", "tinyllama", "hello"];
    let (code, said) = nodes.exec("marked", "llm", "engine", &run).await.unwrap();
    assert!(
        code == 0 && said.contains("You said: \"hello\""),
        "{code}: {said}"
    );
    let (code, said) = nodes
        .exec("marked", "llm", "engine", &["ollama", "show", "none"])
        .await
        .unwrap();
    assert_eq!((code, said.as_str()), (1, "Error: model 'none' not found\n"));
    assert!(
        nodes.exec("marked", "llm", "pull-model", &run).await.is_err(),
        "it has ended"
    );

    let copy = json!({ "source": "tinyllama", "destination": marker }).to_string();
    assert!(post(&to, "/api/copy", &copy).await.starts_with("HTTP/1.1 200"));
    let pod = bed
        .until_pod("llm", "succeeded", |pod| phase(pod) == "Succeeded")
        .await;
    let ended = status(&pod).unwrap().state.clone().unwrap().terminated.unwrap();
    assert_eq!((ended.exit_code, ended.reason.as_deref()), (0, Some("Completed")));
    assert!(TcpStream::connect(&to).await.is_err(), "nothing listens any more");

    // Told to stop before, it passes that on.
    bed.pod_with("stopped", container, never(pulled(&scratch())))
        .await;
    bed.until_pod("stopped", "ready", ready).await;
    delete(&bed, "stopped", Duration::from_secs(10)).await;
}
