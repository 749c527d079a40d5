//! What holds for every model, every GPU and every cluster.

use proptest::prelude::*;

use super::{tests::on, *};
use crate::{catalogue::Catalogue, gpu::catalogue::CATALOGUE};

fn any_entry() -> impl Strategy<Value = &'static Entry> {
    let all: Vec<&Entry> = Catalogue::builtin().entries().collect();
    prop::sample::select(all)
}

fn any_gpu() -> impl Strategy<Value = &'static str> {
    prop::sample::select(CATALOGUE.map(|gpu| gpu.name).to_vec())
}

fn any_nodes() -> impl Strategy<Value = Vec<NodeGpus>> {
    let node = (
        prop::sample::select(CATALOGUE.to_vec()),
        0_u32..20,
        any::<bool>(),
        prop::option::of(0_u64..400_000),
    )
        .prop_map(|(gpu, count, labelled, memory_mib)| NodeGpus {
            node: "n".to_owned(),
            product: labelled.then(|| gpu.labels[0].to_owned()),
            memory_mib,
            allocatable: count,
            free: count / 2,
        });
    prop::collection::vec(node, 0..6)
}

fn any_extreme_entry() -> impl Strategy<Value = Entry> {
    let one_of = |numbers: &[u64]| prop::sample::select(numbers.to_vec());
    (
        one_of(&[1_000_000, 100_000_000_000_000]),
        one_of(&[1, 4096]),
        one_of(&[1, 7, 4096]),
        one_of(&[1, 4096]),
        one_of(&[256, 1 << 24]),
        any::<bool>(),
    )
        .prop_map(|(parameters, layers, heads, head_dim, context, latent)| {
            let latent = if latent { "latent: 65536" } else { "" };
            let text = format!(
                "source: hf://a/b\nollama: b\nparameters: {parameters}\nactiveParameters: 1000000\nlayers: {layers}\nheads: {heads}\n\
                 headDim: {head_dim}\nhidden: 1048576\nvocabulary: 16777216\ncontext: {context}\n{latent}"
            );
            let data = [("extreme".to_owned(), text)].into();
            let (catalogue, errors) = Catalogue::default().overridden_by(&data);
            assert_eq!(errors, []);
            catalogue.find("extreme").unwrap().clone()
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Never a panic, and what is chosen satisfies the formula, the heads and the nodes.
    #[test]
    fn a_choice_fits(
        entry in any_entry(),
        gpu in prop::option::of(any_gpu()),
        nodes in prop::option::of(any_nodes()),
        gpus in prop::option::of(any::<u32>().prop_map(|gpus| gpus % 40)),
        context in prop::option::of(any::<u64>()),
        concurrency in prop::option::of(any::<u32>()),
        ollama in any::<bool>(),
    ) {
        let ask = Ask {
            gpu_type: gpu,
            gpus,
            context: context.map(|context| context % (2 * entry.context)),
            concurrency,
            engine: ollama.then_some(Engine::Ollama),
            nodes: nodes.as_deref(),
            ..Ask::default()
        };
        match size(entry, &ask) {
            Ok(sizing) => {
                let load = memory::Load { shape: entry.shape, weights_bytes: sizing.weights_bytes };
                if sizing.engine == Engine::Vllm {
                    let layout = load.vllm(sizing.gpus, sizing.gpu_memory_mib);
                    prop_assert!(load.splits(sizing.gpus));
                    prop_assert!(layout.taken() + sizing.max_model_len * layout.token <= layout.usable);
                    prop_assert_eq!(layout.tokens, sizing.kv_tokens);
                }
                prop_assert!(gpus.is_none_or(|gpus| gpus == sizing.gpus));
                prop_assert!(u64::from(concurrency.unwrap_or(1)) * sizing.max_model_len <= sizing.kv_tokens);
                if let Some(nodes) = &nodes {
                    prop_assert!(nodes.iter().any(|node| node.allocatable >= sizing.gpus));
                }
                prop_assert!(!sizing.arithmetic.to_string().contains(".."));
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    /// The largest and the smallest that a catalogue, a spec and a label can say.
    #[test]
    fn extremes_do_not_overflow(
        entry in any_extreme_entry(),
        memory_mib in prop::sample::select(vec![0, 1, 23_034, u64::MAX >> 20, u64::MAX]),
        gpus in prop::sample::select(vec![None, Some(0), Some(1), Some(4096), Some(u32::MAX)]),
        context in prop::sample::select(vec![None, Some(0), Some(1 << 24), Some(u64::MAX)]),
        concurrency in prop::sample::select(vec![None, Some(0), Some(u32::MAX)]),
        engine in prop::sample::select(vec![None, Some(Engine::Ollama), Some(Engine::Vllm)]),
    ) {
        let nodes = [NodeGpus {
            node: "n".to_owned(),
            product: Some("NVIDIA-X".to_owned()),
            memory_mib: Some(memory_mib),
            allocatable: u32::MAX,
            free: u32::MAX,
        }];
        let ask = Ask { gpus, context, concurrency, engine, nodes: Some(&nodes), ..Ask::default() };
        let _ = size(&entry, &ask).map(|sizing| sizing.arithmetic.to_string()).map_err(|error| error.to_string());
        let source = "hf://a/b".parse().unwrap();
        let _ = size_source(Catalogue::builtin(), "b", &source, &ask).map_err(|error| error.to_string());
    }

    /// A larger GPU never needs more of them.
    #[test]
    fn more_memory_never_needs_more_gpus(entry in any_entry(), context in 256_u64..200_000, a in any_gpu(), b in any_gpu()) {
        let memory = |name: &str| CATALOGUE.iter().find(|gpu| gpu.name == name).unwrap().memory_mib;
        let (small, large) = if memory(a) <= memory(b) { (a, b) } else { (b, a) };
        let context = Some(context.min(entry.context));
        let ask = |gpu| Ask { context, ..on(gpu) };
        // A family counts as its smallest card, so only cards are compared.
        prop_assume!([small, large].iter().all(|name| crate::gpu::catalogue::family(name).iter().map(|gpu| gpu.memory_mib).min() == Some(memory(name))));
        if let Ok(with_small) = size(entry, &ask(small)) {
            let with_large = size(entry, &ask(large));
            prop_assert!(with_large.is_ok_and(|sizing| sizing.gpus <= with_small.gpus));
        }
    }

    /// A shorter context never needs more GPUs.
    #[test]
    fn less_context_never_needs_more_gpus(
        entry in any_entry(), gpu in any_gpu(), a in 256_u64..200_000, b in 256_u64..200_000, concurrency in prop::option::of(1_u32..64),
    ) {
        let (short, long) = (a.min(b).min(entry.context), a.max(b).min(entry.context));
        let ask = |context| Ask { context: Some(context), concurrency, ..on(gpu) };
        if let Ok(with_long) = size(entry, &ask(long)) {
            let with_short = size(entry, &ask(short));
            prop_assert!(with_short.is_ok_and(|sizing| sizing.gpus <= with_long.gpus));
        }
    }
}
