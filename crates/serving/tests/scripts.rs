//! The scripts of init containers, run by a real shell with stand-ins for `curl` and `ollama`.
#![allow(clippy::unwrap_used)] // helpers of a test

mod common;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Command, Output},
};

use api::shared::Engine;
use common::{plan, request};

/// A directory with programs of our own first in `PATH`; removed at the end.
struct Sandbox(PathBuf);

impl Sandbox {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("llm-operator-{name}-{}", std::process::id()));
        fs::create_dir_all(root.join("bin")).unwrap();
        Self(root)
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.0.join("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn run(&self, command: &[String]) -> Output {
        self.command(command).output().unwrap()
    }

    fn command(&self, command: &[String]) -> Command {
        let path = format!("{}:/usr/bin:/bin", self.0.join("bin").display());
        let root = self.0.display().to_string();
        // The kubelet reads `$$` as `$`.
        let inside = command
            .iter()
            .map(|word| word.replace("$$", "$").replace("/models", &root));
        let mut inside = inside.collect::<Vec<_>>().into_iter();
        let mut program = Command::new(inside.next().unwrap());
        program.args(inside).env_clear().envs([
            ("PATH", path.as_str()),
            ("HOSTNAME", "pod-1"),
            ("ROOT", root.as_str()),
            ("TMPDIR", root.as_str()),
            ("OLLAMA_MODELS", root.as_str()),
        ]);
        program
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.0.join(file)).unwrap_or_default()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn init_command(engine: Engine, uri: &str) -> Vec<String> {
    let mut request = request(engine, "image:v1");
    request.model.source = Some(uri.parse().unwrap());
    plan(request).pod.init.remove(0).command
}

#[test]
fn a_download_is_resumed_finished_in_one_step_and_skipped_when_it_is_there() {
    let sandbox = Sandbox::new("download");
    let command = init_command(Engine::Generic, "https://h/dir/model.gguf");
    let curl = |body: &str| {
        sandbox.program(
            "curl",
            &format!(
                "echo called >>\"$ROOT/calls\"\nwhile [ \"$1\" != --output ]; do shift; done\nout=$2\n{body}"
            ),
        );
    };

    curl("printf half >\"$out\"; exit 18");
    assert_eq!(sandbox.run(&command).status.code(), Some(18));
    assert_eq!(
        sandbox.text("h/dir/model.gguf.part-pod-1"),
        "half",
        "kept for the next start"
    );
    assert_eq!(sandbox.text("h/dir/model.gguf"), "");

    curl("printf 'way ' >>\"$out\"; exit 0");
    assert!(sandbox.run(&command).status.success());
    assert_eq!(sandbox.text("h/dir/model.gguf"), "halfway ");

    assert!(sandbox.run(&command).status.success());
    assert_eq!(sandbox.text("calls").lines().count(), 2, "not loaded again");
}

#[test]
fn loaders_end_when_their_pod_is_deleted() {
    for (name, program, command) in [
        (
            "curl",
            "touch \"$ROOT/busy\"; exec sleep 3",
            init_command(Engine::Generic, "https://h/model.gguf"),
        ),
        (
            "ollama",
            "case $1 in serve) exec sleep 3;; list) ;; show) exit 1;; pull) touch \"$ROOT/busy\"; exec sleep 3;; esac",
            init_command(Engine::Ollama, "ollama://x"),
        ),
    ] {
        let sandbox = Sandbox::new(&format!("deleted-{name}"));
        sandbox.program(name, program);
        let mut shell = sandbox.command(&command).spawn().unwrap();
        while !sandbox.0.join("busy").exists() {
            assert!(
                shell.try_wait().unwrap().is_none(),
                "{name} ended before it was busy"
            );
            std::thread::yield_now();
        }
        let pid = shell.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(shell.wait().unwrap().code(), Some(143), "{name}");
    }
}

#[test]
fn a_download_that_the_server_refuses_leaves_nothing_and_says_why() {
    let sandbox = Sandbox::new("refused");
    let command = init_command(Engine::Generic, "https://h/model.gguf");
    sandbox.program(
        "curl",
        "while [ \"$1\" != --output ]; do shift; done\nprintf x >\"$2\"; echo 'curl: (22) 404' >&2; exit 22",
    );
    let output = sandbox.run(&command);
    assert_eq!(output.status.code(), Some(22));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(
        words.contains("404") && words.contains("cannot load https://h/model.gguf"),
        "{words}"
    );
    assert_eq!(sandbox.text("h/model.gguf.part-pod-1"), "");
}

const OLLAMA: &str = r#"echo "$*" >>"$ROOT/calls"
case $1 in
  serve) touch "$ROOT/up"; exec sleep 60 ;;
  list) test -f "$ROOT/up" ;;
  show) grep -qx "$2" "$ROOT/have" ;;
  pull) echo "$2" >>"$ROOT/have" ;;
  cp) echo "$3" >>"$ROOT/have" ;;
esac
"#;

#[test]
fn a_model_is_pulled_once_and_known_by_the_name_of_the_clients() {
    let sandbox = Sandbox::new("pull");
    sandbox.program("ollama", OLLAMA);
    fs::write(sandbox.0.join("have"), "").unwrap();
    let command = init_command(Engine::Ollama, "ollama://llama3.1:8b");
    for _ in 0..2 {
        let output = sandbox.run(&command);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let calls = sandbox.text("calls");
    assert_eq!(calls.matches("pull llama3.1:8b").count(), 1, "{calls}");
    assert_eq!(calls.matches("cp llama3.1:8b GPT-Small").count(), 1, "{calls}");
}

#[test]
fn the_last_words_of_a_failed_pull_are_its_cause() {
    let sandbox = Sandbox::new("cause");
    fs::write(sandbox.0.join("have"), "").unwrap();
    // As Ollama 0.17 does: the server goes on logging after the client has said why.
    sandbox.program(
        "ollama",
        &OLLAMA
            .replace(
                "exec sleep 60",
                "echo '[GIN] 200 POST /api/pull' >&2; exec sleep 60",
            )
            .replace(
                r#"pull) echo "$2" >>"$ROOT/have""#,
                "pull) echo 'Error: pull model manifest: file does not exist' >&2; exit 1",
            ),
    );
    let output = sandbox.run(&init_command(Engine::Ollama, "ollama://x"));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "Error: pull model manifest: file does not exist\n"
    );
}

#[test]
fn a_server_that_ends_is_not_waited_for() {
    let sandbox = Sandbox::new("ends");
    sandbox.program(
        "ollama",
        "echo 'Error: mkdir /models/ollama: permission denied' >&2; exit 1",
    );
    let output = sandbox.run(&init_command(Engine::Ollama, "ollama://x"));
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(
        words.contains("ended before it answered") && words.ends_with("permission denied\n"),
        "{words}"
    );
}
