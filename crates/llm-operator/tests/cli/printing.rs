//! Subcommands that print: definitions, version, completions, help.

use serde_json::Value;

use crate::call::call;

/// `crds` prints what `config/crd` holds, ready for `kubectl apply -f -`; the optional ones only when asked for.
#[test]
fn crds_go_to_standard_output() {
    printed_as_committed(&["crds"], "config/crd");
    printed_as_committed(&["crds", "--optional"], "config/crd-optional");
}

fn printed_as_committed(command: &[&str], folder: &str) {
    let printed = call(command, "").documents();
    let committed: Vec<Value> = std::fs::read_dir(crate::common::root().join(folder))
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .map(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            serde_saphyr::from_str(&text).unwrap()
        })
        .collect();
    assert_eq!(printed.len(), committed.len());
    for definition in committed {
        assert!(
            printed.contains(&definition),
            "{}",
            definition["metadata"]["name"]
        );
    }
}

/// A script for each shell that people use, which knows every subcommand.
#[test]
fn completions_for_every_shell() {
    for (shell, words) in [
        ("bash", "complete -F "),
        ("zsh", "#compdef llm-operator"),
        ("fish", "complete -c llm-operator"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let outcome = call(&["completions", shell], "");
        assert_eq!(outcome.code, 0, "{}", outcome.err);
        assert!(outcome.out.contains(words), "{shell}: {}", outcome.out);
        for subcommand in ["run", "render", "crds", "fit", "models", "version", "completions"] {
            assert!(outcome.out.contains(subcommand), "{shell} completes {subcommand}");
        }
    }
    let wrong = call(&["completions", "tcsh"], "");
    assert_eq!(wrong.code, 2);
    assert!(
        wrong.err.contains("bash") && wrong.err.contains("zsh"),
        "{}",
        wrong.err
    );
}

/// Where bash is, it takes the script.
#[test]
fn bash_takes_its_completions() {
    let script = call(&["completions", "bash"], "").out;
    let function = script
        .split("complete -F ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    let asks = format!(
        "{script}\nCOMP_WORDS=(llm-operator ren) COMP_CWORD=1\n{function} llm-operator ren llm-operator\necho \"${{COMPREPLY[@]}}\""
    );
    let output = std::process::Command::new("bash")
        .args(["--norc", "-c", &asks])
        .output()
        .unwrap();
    let reply = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(
        reply.trim(),
        "render",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The help of every subcommand begins with what it does, and examples show the way in.
#[test]
fn help_teaches() {
    let help = flat(&call(&["--help"], "").out);
    for words in [
        "Runs large language models on Kubernetes",
        "EXAMPLES",
        "kubectl apply -f -",
        "needs no cluster",
    ] {
        assert!(help.contains(words), "{words}: {help}");
    }
    for (args, words) in [
        (
            ["help", "run"],
            vec!["Watch the cluster", "--watch-namespace", "[env: LOG_LEVEL="],
        ),
        (
            ["help", "render"],
            vec!["without a cluster", "`-` reads standard input", "--nodes"],
        ),
        (["help", "crds"], vec!["--output-dir", "--optional"]),
        (["help", "completions"], vec!["bash", "zsh", "fish"]),
    ] {
        let help = flat(&call(&args, "").out);
        for word in words {
            assert!(help.contains(word), "{args:?} {word}: {help}");
        }
    }
}

/// A reader that goes away early, such as `head`, is no failure.
#[test]
fn a_reader_may_leave() {
    let line = format!(
        "'{}' crds | head -n 1; echo ${{PIPESTATUS[0]}}",
        env!("CARGO_BIN_EXE_llm-operator")
    );
    let output = std::process::Command::new("bash")
        .args(["-c", &line])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(text.lines().collect::<Vec<_>>(), ["---", "0"]);
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Without the line breaks that a terminal's width brings.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
