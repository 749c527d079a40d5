//! `fit` and `models`: what can be served by name, and on how many GPUs.

use serde_json::Value;

use crate::call::{TemporaryFile, call};

/// The documents' example: a name and a type of GPU are enough, and the arithmetic is told.
#[test]
fn a_name_and_a_gpu_are_enough() {
    let outcome = call(&["fit", "llama-3-70b", "--gpu", "H100"], "");
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    assert_eq!(outcome.err, "");
    insta::assert_snapshot!(outcome.out);
}

#[test]
fn each_option_is_heard() {
    let args = [
        "fit",
        "qwen3-32b",
        "--gpu",
        "A100-80GB",
        "--gpus",
        "4",
        "--context",
        "16384",
        "--concurrency",
        "8",
        "--quantization",
        "FP8",
    ];
    let out = call(&args, "").out;
    for words in [
        "hf://Qwen/Qwen3-32B-FP8",
        "--max-model-len 16384",
        "4 x A100-80GB",
        "in fp8 on",
    ] {
        assert!(out.contains(words), "{words}: {out}");
    }
    let ollama = call(&["fit", "llama3.1:8b", "--gpu", "L4", "--engine", "ollama"], "").out;
    assert!(
        ollama.contains("ollama://llama3.1:8b") && ollama.contains("OLLAMA_CONTEXT_LENGTH=8192"),
        "{ollama}"
    );
}

/// Exit code 1, one line on standard error, and the way out in it.
#[test]
fn what_does_not_fit_fails() {
    for (args, words) in [
        (
            vec!["fit", "llama-3-70b", "--gpu", "H100", "--gpus", "1"],
            vec![
                "does not fit",
                "131.4 GiB of the 73.3 GiB",
                "4 GPUs",
                "quantization fp8 on 2 x H100",
            ],
        ),
        (
            vec!["fit", "qwen2.5-7b", "--gpu", "H100", "--gpus", "8"],
            vec!["28 attention heads", "use 1, 2 or 4"],
        ),
        (
            vec!["fit", "lama-3-70", "--gpu", "H100"],
            vec!["no model \"lama-3-70\"", "llama-3-70b", "llm-operator-models"],
        ),
        (
            vec!["fit", "phi-4", "--gpu", "H9"],
            vec!["\"H9\" is no GPU", "L40S"],
        ),
        (
            vec!["fit", "phi-4", "--gpu", "H100", "--context", "99999"],
            vec!["at most 16384 tokens"],
        ),
    ] {
        let outcome = call(&args, "");
        assert_eq!((outcome.code, outcome.out.as_str()), (1, ""), "{args:?}");
        assert_eq!(outcome.err.lines().count(), 1, "{}", outcome.err);
        for word in words {
            assert!(outcome.err.contains(word), "{word}: {}", outcome.err);
        }
    }
    for args in [
        vec!["fit", "phi-4"],
        vec!["fit", "phi-4", "--gpu", "H100", "--gpus", "0"],
        vec!["fit", "phi-4", "--gpu", "H100", "--quantization", "fp9"],
        vec!["fit", "phi-4", "--gpu", "H100", "--engine", "generic"],
    ] {
        assert_eq!(call(&args, "").code, 2, "{args:?}");
    }
}

/// The `ConfigMap` as it is applied, and its data alone, nested or as text.
#[test]
fn a_clusters_models_are_read_from_a_file() {
    let entry =
        "source: pvc://weights/own, parameters: 13B, layers: 40, heads: 40, hidden: 5120, context: 4096";
    for text in [
        format!(
            "kind: ConfigMap\napiVersion: v1\nmetadata: {{name: llm-operator-models}}\ndata:\n  own-13b: |\n    {{{entry}}}\n"
        ),
        format!("own-13b: {{{entry}}}\n"),
    ] {
        let file = TemporaryFile::new(&text);
        let outcome = call(
            &["fit", "own-13b", "--gpu", "H100", "--catalogue", file.path()],
            "",
        );
        assert!(
            outcome.out.contains("pvc://weights/own") && outcome.out.contains("1 x H100"),
            "{}",
            outcome.err
        );
        let table = call(&["models", "--catalogue", file.path()], "");
        assert_eq!(table.code, 0, "{}", table.err);
        assert!(table.out.contains("own-13b"));
    }
}

/// A file with a wrong entry: the entry and the field are named, and the others are printed all the same.
#[test]
fn a_wrong_entry_is_named() {
    let file = TemporaryFile::new(
        "own-13b: {source: 'hf://a/b', parameters: 13B, layers: none}\nphi-4: {context: 8192}\n",
    );
    let outcome = call(&["models", "--catalogue", file.path()], "");
    assert_eq!(outcome.code, 1);
    assert!(outcome.err.contains("own-13b.layers"), "{}", outcome.err);
    assert!(outcome.out.contains("phi-4 ") && !outcome.out.contains("own-13b"));
    let fit = call(&["fit", "phi-4", "--gpu", "L40S", "--catalogue", file.path()], "");
    assert_eq!(fit.code, 0);
    assert!(
        fit.err.contains("warning: own-13b.layers") && fit.out.contains("--max-model-len 8192"),
        "{}",
        fit.out
    );
    for text in ["[1, 2]", "a: [", ""] {
        let file = TemporaryFile::new(text);
        assert_eq!(
            call(&["models", "--catalogue", file.path()], "").code,
            1,
            "{text:?}"
        );
    }
    assert!(
        call(&["models", "--catalogue", "absent.yaml"], "")
            .err
            .contains("absent.yaml")
    );
}

/// A line per model under a title, columns in line; more of them when wide.
#[test]
fn models_are_a_table() {
    let table = call(&["models"], "").out;
    let wide = call(&["models", "--output", "wide"], "").out;
    let title = table.lines().next().unwrap();
    assert!(title.starts_with("NAME "), "{title}");
    let column = title.find("CONTEXT").unwrap();
    for line in table.lines().skip(1) {
        assert!(line[column..].starts_with(|c: char| c.is_ascii_digit()), "{line}");
    }
    assert!(
        table
            .lines()
            .any(|line| line.starts_with("llama-3-70b ") && line.ends_with("needed"))
    );
    let line = wide
        .lines()
        .find(|line| line.starts_with("gpt-oss-20b "))
        .unwrap();
    for words in [
        "vllm>=0.10.1",
        "hf://openai/gpt-oss-20b",
        "gpt-oss:20b",
        "apache-2.0",
    ] {
        assert!(line.contains(words), "{words}: {line}");
    }
    assert_eq!(table.lines().count(), wide.lines().count());
}

#[test]
fn models_are_json() {
    let all: Vec<Value> = serde_json::from_str(&call(&["models", "-o", "json"], "").out).unwrap();
    let model = all.iter().find(|model| model["name"] == "llama-3-70b").unwrap();
    assert_eq!(model["source"], "hf://meta-llama/Meta-Llama-3-70B-Instruct");
    assert_eq!(model["kvBytesPerToken"], 327_680);
    assert_eq!(
        model["quantizations"]["bf16"]["weightsBytes"],
        141_100_000_000_u64
    );
    assert_eq!(model["gated"], true);
}

/// What `docs/models.md` shows is what happens.
#[test]
fn the_documentation_is_true() {
    let page = std::fs::read_to_string(crate::common::root().join("docs/models.md")).unwrap();
    let example: Vec<&str> = page
        .lines()
        .skip_while(|line| !line.contains("apiVersion: v1"))
        .take_while(|line| line.starts_with("    "))
        .map(|line| &line[4..])
        .collect();
    let file = TemporaryFile::new(&example.join("\n"));
    let outcome = call(&["models", "-o", "wide", "--catalogue", file.path()], "");
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    for words in ["pvc://weights/support-13b", "hf://mirror/llama-3-70b-instruct"] {
        assert!(outcome.out.contains(words), "{words}");
    }
    let shown = call(&["fit", "llama-3-70b", "--gpu", "H100"], "").out;
    for line in shown
        .lines()
        .filter(|line| line.starts_with("On each GPU") || line.starts_with("quantization fp8"))
    {
        assert!(page.contains(line), "{line}");
    }
    let models = call(&["models"], "").out.lines().count() - 1;
    assert!(page.contains(&format!("{models} models.")), "{models} models");
}
