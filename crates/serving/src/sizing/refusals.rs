//! What does not fit, and whether what is proposed instead does.

use super::{
    tests::{entry, h100, node, on, refused},
    *,
};

#[test]
fn a_number_that_no_node_holds_is_refused_with_what_exists() {
    let nodes = [h100(2), node("NVIDIA-L4", 23_034, 8, 8)];
    let ask = Ask {
        nodes: Some(&nodes),
        ..on("H100")
    };
    let four = Ask { gpus: Some(4), ..ask };
    for ask in [ask, four] {
        let error = size(entry("llama-3-70b"), &ask).unwrap_err();
        assert!(matches!(error, SizingError::NoSuchNode { .. }), "{error}");
        let words = error.to_string();
        for part in [
            "4 x H100 in one node",
            "1 node with 2 x NVIDIA-H100-80GB-HBM3",
            "quantization fp8",
        ] {
            assert!(words.contains(part), "{part}: {words}");
        }
    }
    let absent = Ask {
        gpu_type: Some("B200"),
        ..ask
    };
    let words = refused("tinyllama", &absent);
    assert!(
        words.contains("a node with B200") && words.contains("8 x NVIDIA-L4"),
        "{words}"
    );
    let sixteen = Ask {
        gpus: Some(16),
        ..ask
    };
    let words = refused("llama-2-70b", &sixteen);
    assert!(words.contains("16 x H100 in one node"), "{words}");
}

#[test]
fn what_does_not_fit_says_what_would() {
    let one = Ask {
        gpus: Some(1),
        ..on("H100")
    };
    let words = refused("llama-3-70b", &one);
    for part in ["weights take 131.4 GiB of the 73.3 GiB", "4 GPUs", "2 x H200"] {
        assert!(words.contains(part), "{part}: {words}");
    }
    let long = Ask {
        gpus: Some(1),
        ..on("L4")
    };
    let words = refused("llama-3.1-8b", &long);
    assert!(
        words.contains("131072 tokens are asked for") && words.contains("a contextLength of"),
        "{words}"
    );
    assert!(
        refused(
            "phi-4",
            &Ask {
                context: Some(20_000),
                ..on("H100")
            }
        )
        .contains("at most 16384 tokens")
    );
    let split = refused(
        "qwen2.5-7b",
        &Ask {
            gpus: Some(8),
            ..on("H100")
        },
    );
    assert!(
        split.contains("28 attention heads") && split.contains("use 1, 2 or 4"),
        "{split}"
    );
    assert!(refused("phi-4", &Ask::default()).contains("name one of T4, V100"));
    assert!(refused("phi-4", &on("H9000")).contains("\"H9000\" is no GPU"));
    let old = Ask {
        image: Some("vllm/vllm-openai:v0.9.1"),
        ..on("H100")
    };
    assert!(refused("gpt-oss-20b", &old).contains("needs vllm 0.10.1 or newer"));
}

/// Every proposal that a refusal makes is true.
#[test]
fn a_proposed_context_fits() {
    let one = Ask {
        gpus: Some(1),
        ..on("L4")
    };
    let words = refused("llama-3.1-8b", &one);
    let context = words.split("a contextLength of ").nth(1).unwrap();
    let context = context.split(' ').next().unwrap().parse().unwrap();
    let shorter = Ask {
        context: Some(context),
        ..one
    };
    let sizing = size(entry("llama-3.1-8b"), &shorter).unwrap();
    assert_eq!((sizing.gpus, sizing.concurrency), (1, 1));
    assert!(sizing.arithmetic.otherwise.unwrap().contains("fewer tokens than"));
}

#[test]
fn the_arithmetic_of_a_refusal_is_that_of_the_largest_attempt() {
    let words = refused("deepseek-r1", &on("A100"));
    assert!(
        words.contains("on each of 8 x A100") && words.contains("8 x H200"),
        "{words}"
    );
}
