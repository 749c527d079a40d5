//! Choices for models and GPUs that people have.

use super::*;
use crate::catalogue::Catalogue;

pub(super) fn entry(name: &str) -> &'static Entry {
    Catalogue::builtin().find(name).unwrap()
}

pub(super) fn node(product: &str, memory_mib: u64, allocatable: u32, free: u32) -> NodeGpus {
    NodeGpus {
        node: format!("{product}-{allocatable}"),
        product: Some(product.to_owned()),
        memory_mib: Some(memory_mib),
        allocatable,
        free,
    }
}

pub(super) fn h100(gpus: u32) -> NodeGpus {
    node("NVIDIA-H100-80GB-HBM3", 81_559, gpus, gpus)
}

pub(super) fn on(gpu: &'static str) -> Ask<'static> {
    Ask {
        gpu_type: Some(gpu),
        ..Ask::default()
    }
}

fn chosen(name: &str, ask: &Ask<'_>) -> (u32, String) {
    let sizing = size(entry(name), ask).unwrap();
    (sizing.gpus, sizing.gpu_product)
}

pub(super) fn refused(name: &str, ask: &Ask<'_>) -> String {
    size(entry(name), ask).unwrap_err().to_string()
}

#[test]
fn the_documents_example_is_complete() {
    let sizing = size(entry("llama-3-70b"), &on("H100")).unwrap();
    assert_eq!((sizing.gpus, sizing.gpu_product.as_str()), (4, "H100"));
    assert_eq!(sizing.image, VLLM_IMAGE);
    assert_eq!(
        sizing.source.to_string(),
        "hf://meta-llama/Meta-Llama-3-70B-Instruct"
    );
    assert!(sizing.gated);
    assert_eq!(sizing.args, ["--max-model-len", "8192"]);
    assert_eq!(sizing.shm_bytes >> 30, 8);
    assert_eq!(sizing.claim_bytes >> 30, 160);
    assert_eq!((sizing.cpus, sizing.memory_bytes >> 30), (6, 38));
    // 10 minutes and 131.4 GiB at 50 MiB/s.
    assert_eq!(sizing.startup_seconds, 3_300);
    assert!((50..60).contains(&sizing.concurrency), "{}", sizing.concurrency);
    let performance = sizing.performance;
    assert_eq!(performance.kv_bytes_per_token, 327_680);
    assert_eq!(performance.bandwidth_bytes_per_second, 3_350_000_000_000);
    let words = sizing.arithmetic.to_string();
    for part in [
        "llama-3-70b in bf16 on 4 x H100",
        "weights 32.9 GiB",
        "quantization fp8 on 2 x H100",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
}

#[test]
fn usual_models_on_usual_gpus() {
    for (model, gpu, gpus) in [
        ("tinyllama", "T4", 1),
        ("llama-3.1-8b", "H100", 1),
        ("llama-3.1-8b", "L4", 2),
        ("llama-3-8b", "L4", 2),
        ("qwen2.5-7b", "L40S", 1),
        ("qwen3-32b", "H100", 2),
        ("qwen3-32b", "H200", 1),
        ("mixtral-8x7b", "A100-80GB", 2),
        ("gpt-oss-20b", "L4", 2),
        ("gpt-oss-20b", "H100", 1),
        ("gpt-oss-120b", "H100", 2),
        ("llama-3.1-405b", "B200", 8),
        ("deepseek-r1", "H200", 8),
    ] {
        assert_eq!(
            chosen(model, &on(gpu)),
            (gpus, gpu.to_owned()),
            "{model} on {gpu}"
        );
    }
}

#[test]
fn each_wish_overrides_one_decision() {
    let own = "pvc://weights/llama".parse().unwrap();
    let ask = Ask {
        gpus: Some(2),
        context: Some(1024),
        quantization: Some(Precision::Fp8),
        image: Some("mirror/vllm:v0.30.0"),
        source: Some(&own),
        concurrency: Some(2000),
        ..on("B200")
    };
    let sizing = size(entry("llama-3.1-8b"), &ask).unwrap();
    assert_eq!(
        (sizing.gpus, sizing.max_model_len, sizing.gated),
        (2, 1024, false)
    );
    assert_eq!(
        (sizing.image.as_str(), &sizing.source),
        ("mirror/vllm:v0.30.0", &own)
    );
    assert_eq!(sizing.quantization, Precision::Fp8);
    assert!(
        sizing.args.join(" ").ends_with("--max-num-seqs 2000"),
        "{:?}",
        sizing.args
    );
}

#[test]
fn narrower_weights_come_from_a_repository_or_are_made_while_loading() {
    let fp8 = |model: &str| {
        let ask = Ask {
            quantization: Some(Precision::Fp8),
            ..on("H100")
        };
        size(entry(model), &ask).unwrap()
    };
    let listed = fp8("llama-3-70b");
    assert_eq!((listed.gpus, listed.gated), (2, false));
    assert!(!listed.args.contains(&"--quantization".to_owned()));
    let made = fp8("phi-4");
    assert!(
        made.args.join(" ").contains("--quantization fp8"),
        "{:?}",
        made.args
    );
    assert!(made.files_bytes > made.weights_bytes * 3 / 2);
    let awq = Ask {
        quantization: Some(Precision::Awq),
        ..on("H100")
    };
    let words = refused("phi-4", &awq);
    assert!(
        words.contains("no weights in awq") && words.contains("bf16 or fp8"),
        "{words}"
    );
}

#[test]
fn gpus_without_bf16_compute_in_half() {
    let old = size(entry("qwen2.5-1.5b"), &on("T4")).unwrap();
    assert!(old.args.join(" ").contains("--dtype half"), "{:?}", old.args);
    assert!(
        !size(entry("qwen2.5-1.5b"), &on("L4"))
            .unwrap()
            .args
            .contains(&"--dtype".to_owned())
    );
}

#[test]
fn without_a_type_the_nodes_decide() {
    let nodes = [
        node("NVIDIA-L4", 23_034, 1, 1),
        node("NVIDIA-A100-SXM4-80GB", 81_920, 8, 2),
        h100(8),
    ];
    let ask = Ask {
        nodes: Some(&nodes),
        ..Ask::default()
    };
    assert_eq!(chosen("tinyllama", &ask), (1, "L4".to_owned()));
    // One GPU of 80 GiB before two smaller ones, and 81559 MiB before 81920.
    assert_eq!(chosen("llama-3.1-8b", &ask), (1, "H100".to_owned()));
    let a100 = Ask {
        gpu_type: Some("A100"),
        ..ask
    };
    assert_eq!(
        chosen("llama-3-70b", &a100),
        (4, "A100-80GB".to_owned()),
        "not counted as 40 GiB"
    );
    let words = size(entry("llama-3-70b"), &a100)
        .unwrap()
        .arithmetic
        .free
        .unwrap();
    assert!(
        words.starts_with("1 node can hold a replica, 0 of them now (2 GPUs free)"),
        "{words}"
    );
    let none = Ask {
        nodes: Some(&[]),
        ..Ask::default()
    };
    assert!(refused("tinyllama", &none).contains("no node has a GPU"));
    let unlabelled = [NodeGpus {
        allocatable: 8,
        ..NodeGpus::default()
    }];
    let ask = Ask {
        nodes: Some(&unlabelled),
        ..Ask::default()
    };
    assert!(refused("tinyllama", &ask).contains("GPU feature discovery"));
}

#[test]
fn a_standing_choice_stays_while_it_fits() {
    let nodes = [
        node("NVIDIA-A100-SXM4-80GB", 81_920, 8, 0),
        node("NVIDIA-H200", 143_771, 8, 8),
    ];
    let fresh = Ask {
        nodes: Some(&nodes),
        ..Ask::default()
    };
    assert_eq!(chosen("llama-3-70b", &fresh), (2, "H200".to_owned()));
    let asked = size(entry("llama-3-70b"), &fresh).unwrap().asked;
    let standing = |gpu_product, gpus| Ask {
        standing: Some(Standing {
            asked: &asked,
            gpu_product,
            gpus,
            serves: false,
        }),
        ..fresh
    };
    assert_eq!(
        chosen("llama-3-70b", &standing("A100-80GB", 4)),
        (4, "A100-80GB".to_owned())
    );
    assert_eq!(
        chosen("llama-3-70b", &standing("A100-80GB", 1)),
        (2, "H200".to_owned()),
        "it does not fit"
    );
    assert_eq!(
        chosen("llama-3-70b", &standing("H100", 4)),
        (2, "H200".to_owned()),
        "no node has it"
    );
    let eight = Ask {
        gpus: Some(8),
        ..standing("A100-80GB", 4)
    };
    assert_eq!(
        chosen("llama-3-70b", &eight).0,
        8,
        "a wish goes before what stands"
    );
    let narrow = Ask {
        quantization: Some(Precision::Fp8),
        ..standing("A100-80GB", 4)
    };
    assert_eq!(
        chosen("llama-3-70b", &narrow),
        (1, "H200".to_owned()),
        "who asks for less gets less"
    );
    assert_eq!(
        chosen("qwen2.5-0.5b", &standing("A100-80GB", 4)).0,
        1,
        "another model is sized anew"
    );
}

#[test]
fn speed_is_that_of_the_slowest_that_exists() {
    let nodes = [h100(8), node("NVIDIA-H100-PCIe", 81_559, 8, 8)];
    let bandwidth = |nodes: &[NodeGpus]| {
        let ask = Ask {
            nodes: Some(nodes),
            ..on("H100")
        };
        let sizing = size(entry("llama-3-70b"), &ask).unwrap();
        sizing.performance.bandwidth_bytes_per_second / 1_000_000_000
    };
    assert_eq!((bandwidth(&nodes), bandwidth(&nodes[..1])), (2_000, 3_350));
}

#[test]
fn unlisted_weights_stay_where_they_are() {
    let source = "hf://me/mine".parse().unwrap();
    let nodes = [node("NVIDIA-L4", 23_034, 8, 8), h100(8)];
    let sized = |nodes: &[NodeGpus], standing: Option<Standing<'_>>| {
        let ask = Ask {
            gpus: Some(1),
            nodes: Some(nodes),
            standing,
            ..Ask::default()
        };
        size_source(Catalogue::builtin(), "mine", &source, &ask).unwrap()
    };
    let first = sized(&nodes[1..], None);
    assert_eq!(first.gpu_product, "H100");
    let standing = Standing {
        asked: &first.asked,
        gpu_product: &first.gpu_product,
        gpus: 1,
        serves: false,
    };
    assert_eq!(sized(&nodes, None).gpu_product, "L4");
    let stays = sized(&nodes, Some(standing));
    assert_eq!(
        stays.gpu_product, "H100",
        "a smaller one that joins rolls nothing"
    );
}

#[test]
fn what_serves_is_not_chosen_anew_while_its_nodes_are_away() {
    let whole = [node("NVIDIA-H100-80GB-HBM3", 81_559, 8, 0)];
    let fresh = Ask {
        gpus: Some(8),
        nodes: Some(&whole),
        ..Ask::default()
    };
    let first = size(entry("llama-3-70b"), &fresh).unwrap();
    let broken = [node("NVIDIA-H100-80GB-HBM3", 81_559, 7, 0)];
    for (serves, nodes) in [(true, &broken[..]), (true, &[][..]), (false, &broken[..])] {
        let ask = Ask {
            nodes: Some(nodes),
            standing: Some(Standing {
                asked: &first.asked,
                gpu_product: &first.gpu_product,
                gpus: first.gpus,
                serves,
            }),
            ..fresh
        };
        let again = size(entry("llama-3-70b"), &ask);
        assert_eq!(again.is_ok(), serves, "{again:?}");
        if let Ok(again) = again {
            assert_eq!((again.gpus, &again.gpu_product), (8, &first.gpu_product));
            assert_eq!(again.args, first.args);
        }
    }
}

#[test]
fn shares_of_one_gpu_are_not_split_over() {
    let nodes = [node("NVIDIA-L4-SHARED", 23_034, 8, 8)];
    let ask = Ask {
        nodes: Some(&nodes),
        ..on("L4")
    };
    assert_eq!(chosen("tinyllama", &ask).0, 1);
    assert!(refused("qwen2.5-14b", &ask).contains("in one node"));
    let instances = [node("NVIDIA-H100-80GB-HBM3-MIG-1g.20gb", 20_096, 4, 4)];
    let ask = Ask {
        nodes: Some(&instances),
        ..Ask::default()
    };
    assert_eq!(chosen("tinyllama", &ask).1, "NVIDIA-H100-80GB-HBM3-MIG-1g.20gb");
    assert!(refused("qwen2.5-14b", &ask).contains("in one node"));
}

#[test]
fn a_label_that_is_not_known_is_taken_with_its_memory() {
    let nodes = [node("NVIDIA-X900", 120_000, 4, 4)];
    let ask = Ask {
        nodes: Some(&nodes),
        ..on("NVIDIA-X900")
    };
    assert_eq!(chosen("llama-3-70b", &ask), (2, "NVIDIA-X900".to_owned()));
}

#[test]
fn ollama_takes_its_own_weights() {
    let ask = Ask {
        engine: Some(Engine::Ollama),
        ..on("L4")
    };
    let sizing = size(entry("llama-3.1-8b"), &ask).unwrap();
    assert_eq!(sizing.source.to_string(), "ollama://llama3.1:8b");
    assert_eq!(
        (sizing.image.as_str(), sizing.gpus, sizing.gated),
        (OLLAMA_IMAGE, 1, false)
    );
    assert!(sizing.args.is_empty());
    assert_eq!(
        sizing.env[0],
        ("OLLAMA_CONTEXT_LENGTH".to_owned(), "8192".to_owned())
    );
    let generic = Ask {
        engine: Some(Engine::Generic),
        ..on("L4")
    };
    assert!(refused("llama-3.1-8b", &generic).contains("engine vllm or ollama"));
}

#[test]
fn a_source_of_ones_own_is_known_by_its_name_or_by_its_gpus() {
    let from = |uri: &str, ask: &Ask<'_>| {
        let source = uri.parse().unwrap();
        size_source(Catalogue::builtin(), "own", &source, ask)
    };
    let tuned = from("hf://acme/Llama-3.1-8B-support-FP8", &on("L4")).unwrap();
    assert_eq!(
        (tuned.gpus, tuned.quantization, tuned.guessed),
        (2, Precision::Fp8, false)
    );
    let pulled = from("ollama://llama3.1:8b", &on("L4")).unwrap();
    assert_eq!(
        (pulled.engine, pulled.quantization),
        (Engine::Ollama, Precision::Q4)
    );
    let stranger = from("hf://acme/secret", &on("L4")).unwrap_err().to_string();
    assert!(stranger.contains("set gpus"), "{stranger}");
    let two = Ask {
        gpus: Some(2),
        ..on("L4")
    };
    let stranger = from("hf://acme/secret", &two).unwrap();
    assert!(stranger.guessed && stranger.args.is_empty());
    assert_eq!((stranger.gpus, stranger.image.as_str()), (2, VLLM_IMAGE));
    let nodes = [h100(1)];
    let absent = Ask {
        gpus: Some(2),
        nodes: Some(&nodes),
        ..on("H100")
    };
    assert!(
        from("hf://acme/secret", &absent)
            .unwrap_err()
            .to_string()
            .contains("2 x H100 in one node")
    );
}
