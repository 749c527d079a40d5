//! The built-in entries, lookups, and what a cluster may change.

use super::*;

fn cluster(entries: &[(&str, &str)]) -> (Catalogue, Vec<EntryError>) {
    let data = entries
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    Catalogue::builtin().overridden_by(&data)
}

#[test]
fn the_built_in_entries_are_right_and_no_alias_is_taken_twice() {
    assert_eq!(BUILTIN.1, []);
    assert!(Catalogue::builtin().entries().count() >= 60);
}

#[test]
fn every_entry_is_found_by_all_its_names() {
    for entry in Catalogue::builtin().entries() {
        let names = aliases(entry).into_iter().map(|(_, alias)| alias);
        for name in names.chain([entry.name.clone(), entry.name.to_uppercase()]) {
            assert_eq!(
                Catalogue::builtin().find(&name).unwrap().name,
                entry.name,
                "{name}"
            );
        }
        assert!(entry.published_variant().is_some(), "{}", entry.name);
    }
}

/// The table of the reference: bytes of cache per token, and GiB of weights in tenths.
#[test]
fn sizes_agree_with_the_models_files() {
    for (name, kv, tenths) in [
        ("tinyllama", 22_528, 20),
        ("llama-2-7b", 524_288, 126),
        ("llama-3-70b", 327_680, 1_314),
        ("llama-3.1-405b", 516_096, 7_560),
        ("mixtral-8x7b", 131_072, 870),
        ("qwen3-235b-a22b", 192_512, 4_379),
        ("phi-3-mini", 393_216, 71),
        ("gemma-3-27b", 507_904, 511),
        ("deepseek-r1", 70_272, 6_413),
        ("gpt-oss-20b", 49_152, 135),
    ] {
        let entry = Catalogue::builtin().find(name).unwrap();
        let weights = entry.published_variant().unwrap().weights_bytes;
        let is = (weights / (1 << 20) * 10 + 512) / 1024;
        assert_eq!(entry.shape.kv_bytes_per_token(), kv, "{name}");
        assert!(is.abs_diff(tenths) * 200 <= tenths + 200, "{name}: {is}");
    }
}

#[test]
fn names_of_every_style_find_their_entry() {
    for (name, expected) in [
        ("llama-3-70b", "llama-3-70b"),
        ("LLaMA 3 70B", "llama-3-70b"),
        ("llama3:70b", "llama-3-70b"),
        ("meta-llama/Llama-3.1-70B-Instruct", "llama-3.1-70b"),
        ("meta-llama/Meta-Llama-3.1-70B-Instruct", "llama-3.1-70b"),
        ("Mixtral-8x7B-Instruct-v0.1", "mixtral-8x7b"),
        ("gpt-oss:20b", "gpt-oss-20b"),
        ("deepseek-ai/DeepSeek-R1", "deepseek-r1"),
    ] {
        assert_eq!(Catalogue::builtin().find(name).unwrap().name, expected, "{name}");
    }
}

#[test]
fn an_unknown_name_is_told_with_what_is_like_it() {
    let unknown = |name: &str| Catalogue::builtin().find(name).unwrap_err();
    assert_eq!(unknown("llama-3-71b").nearest[0], "llama-3-70b");
    let base = unknown("meta-llama/Llama-3.1-70B");
    assert_eq!(base.nearest[0], "llama-3.1-70b");
    assert!(
        base.to_string().contains(CONFIG_MAP) && base.to_string().contains("source"),
        "{base}"
    );
    assert_eq!(unknown("").nearest, Vec::<String>::new());
    assert!(!unknown("zzzzzzzzzzzzz").to_string().contains("it has"));
    let long = "x".repeat(100_000);
    assert!(unknown(&long).to_string().len() < 1000);
}

#[test]
fn free_names_are_recognized_and_no_stranger() {
    for (name, expected) in [
        ("meta-llama/Llama-3.1-8B", Some("llama-3.1-8b")),
        ("RedHatAI/Llama-3.3-70B-Instruct-FP8", Some("llama-3.3-70b")),
        ("llama2:7b", Some("llama-2-7b")),
        ("codellama:34b", Some("codellama-34b")),
        ("tinyllama", Some("tinyllama-1.1b")),
        ("Qwen/Qwen2.5-72B-Instruct-AWQ", Some("qwen2.5-72b")),
        ("Qwen/Qwen2.5-Math-7B", Some("qwen2.5-7b")),
        ("Qwen/Qwen2.5-Coder-14B-GPTQ-Int4", Some("qwen2.5-coder-14b")),
        ("Qwen/Qwen3-235B-A22B-Thinking-2507", Some("qwen3-235b-a22b")),
        ("microsoft/Phi-4-mini-instruct", Some("phi-4-mini")),
        ("microsoft/phi-4", Some("phi-4")),
        ("unsloth/gemma-3-12b-it-bnb-4bit", Some("gemma-3-12b")),
        ("deepseek-ai/DeepSeek-V3.1", Some("deepseek-v3")),
        (
            "deepseek-ai/DeepSeek-R1-Distill-Llama-8B",
            Some("deepseek-r1-distill-llama-8b"),
        ),
        ("acme/DeepSeek-R1-Distill-Yi-9B", None),
        (
            "deepseek-ai/DeepSeek-R1-0528-Qwen3-8B",
            Some("deepseek-r1-0528-qwen3-8b"),
        ),
        ("Qwen/Qwen2.5-VL-7B", None),
        ("mistralai/Mistral-Large-Instruct-2407", None),
        ("Qwen/Qwen3-Next-80B-A3B", None),
        ("GPT-Small", None),
        ("", None),
    ] {
        let found = Catalogue::builtin()
            .recognize(name)
            .map(|known| known.entry.name.as_str());
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn precision_is_read_from_the_name() {
    let gib = |known: Option<Recognized<'_>>| known.unwrap().weights_bytes() >> 30;
    let catalogue = Catalogue::builtin();
    assert_eq!(gib(catalogue.recognize("Llama-3.1-8B")), 14);
    assert_eq!(gib(catalogue.recognize("RedHatAI/Llama-3.1-8B-FP8")), 8);
    assert_eq!(gib(catalogue.recognize("Llama-3.1-8B-AWQ")), 5);
    assert_eq!(gib(catalogue.recognize_ollama("llama3.1:8b")), 4);
    assert_eq!(gib(catalogue.recognize_ollama("llama3.1:8b-instruct-fp16")), 14);
    assert_eq!(gib(catalogue.recognize_ollama("gpt-oss:20b")), 13);
}

#[test]
fn a_cluster_adds_a_model_and_changes_one_field_of_another() {
    let own = "source: pvc://weights/own\nparameters: 13B\nlayers: 40\nheads: 40\nhidden: 5120\ncontext: 4096\naliases: [mistral]";
    let json = r#"{"source": "hf://mirror/llama-3-70b"}"#;
    let (catalogue, errors) = cluster(&[("own-13b", own), ("llama-3-70b", json)]);
    assert_eq!(errors, []);
    // An alias of the cluster's goes before a built-in one.
    let entry = catalogue.find("Mistral").unwrap();
    assert_eq!(
        (entry.name.as_str(), entry.shape.kv_bytes_per_token()),
        ("own-13b", 819_200)
    );
    assert_eq!(catalogue.find("mistral-7b").unwrap().name, "mistral-7b");
    let mirrored = catalogue.find("llama-3-70b").unwrap();
    let variant = mirrored.published_variant().unwrap();
    assert_eq!(variant.source, "hf://mirror/llama-3-70b".parse().unwrap());
    assert!(
        !variant.gated,
        "another repository is gated when it is said to be"
    );
    assert_eq!(
        mirrored.shape,
        Catalogue::builtin().find("llama-3-70b").unwrap().shape
    );
    assert!(catalogue.find("meta-llama/Meta-Llama-3-70B-Instruct").is_err());
}

#[test]
fn wrong_entries_are_told_by_key_and_field_and_the_others_hold() {
    let good = "source: hf://a/b\nparameters: 1B\nlayers: 16\nheads: 16\nheadDim: 64\ncontext: 4096";
    let (catalogue, errors) = cluster(&[
        ("good", good),
        ("no-yaml", "a: [b"),
        ("no-object", "42"),
        ("unknown-field", "kvheads: 8"),
        ("missing", "source: hf://a/b"),
        ("Big_Name", good),
        ("llama-3-8b", "layers: 0"),
        ("mixtral-8x7b", "quantizations: {awq: {}}"),
        ("phi-4", "parameters: many"),
        ("qwen3-8b", "aliases: [phi-4]"),
        ("alias-1", &format!("{good}\naliases: [same]")),
        ("alias-2", &format!("{good}\naliases: [same]")),
    ]);
    let told: Vec<(&str, &str)> = errors
        .iter()
        .map(|error| (error.entry.as_str(), error.field.as_str()))
        .collect();
    for expected in [
        ("no-yaml", ""),
        ("no-object", ""),
        ("unknown-field", "kvheads"),
        ("missing", "parameters"),
        ("Big_Name", ""),
        ("llama-3-8b", "layers"),
        ("mixtral-8x7b", "quantizations.awq.source"),
        ("phi-4", "parameters"),
        ("qwen3-8b", "aliases"),
        ("alias-2", "aliases"),
    ] {
        assert!(told.contains(&expected), "{expected:?}: {told:?}");
    }
    assert_eq!(told.len(), 10, "{told:?}");
    assert!(catalogue.find("good").is_ok());
    // What was there before holds.
    assert_eq!(catalogue.find("llama-3-8b").unwrap().shape.layers, 32);
}

/// What a person may paste into the ConfigMap: never a panic, never more than a moment.
#[test]
fn texts_that_blow_up_are_refused() {
    let bomb = "a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b]\n\
                d: &d [*c, *c, *c, *c, *c, *c, *c, *c]\ne: &e [*d, *d, *d, *d, *d, *d, *d, *d]\nf: &f [*e, *e, *e, *e, *e, *e, *e, *e]\n\
                g: &g [*f, *f, *f, *f, *f, *f, *f, *f]\nh: [*g, *g, *g, *g, *g, *g, *g, *g]";
    let deep = "[".repeat(100_000);
    let (catalogue, errors) = cluster(&[
        ("bomb", bomb),
        ("deep", &deep),
        ("empty", ""),
        ("binary", "\u{0}\u{7f}"),
    ]);
    assert_eq!(errors.len(), 4, "{errors:?}");
    assert_eq!(
        catalogue.entries().count(),
        Catalogue::builtin().entries().count()
    );
    assert!(errors.iter().all(|error| error.to_string().len() < 1000));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 64, failure_persistence: None, ..proptest::prelude::ProptestConfig::default() })]

    #[test]
    fn no_text_panics(name in "[a-z0-9.-]{0,12}", text in "(?s).{0,200}") {
        let _ = cluster(&[(&name, &text)]);
    }

    #[test]
    fn no_value_panics(
        field in proptest::sample::select(vec!["parameters", "activeParameters", "layers", "heads", "kvHeads", "headDim", "hidden",
            "vocabulary", "latent", "context", "defaultContext", "minVersion", "aliases", "source", "precision"]),
        value in "(-?[0-9]{1,20}(\\.[0-9]{1,3})?[BGi]{0,2})|\\[.{0,5}\\]|[a-z:/]{0,10}",
    ) {
        let _ = cluster(&[("llama-3-8b", &format!("{field}: {value}"))]);
    }
}

#[test]
fn whoever_names_an_entry_that_is_left_out_learns_why() {
    for (entry, word) in [
        ("paramters: 3", "paramters"),
        ("source: pvc://a/b", "parameters"),
        ("[", "own-13b"),
    ] {
        let data = [("own-13b".to_owned(), entry.to_owned())].into();
        let (catalogue, _) = Catalogue::builtin().overridden_by(&data);
        let told = catalogue.find("Own-13B").unwrap_err().to_string();
        assert!(told.contains("is left out") && told.contains(word), "{told}");
        assert!(
            catalogue
                .find("own-14b")
                .is_err_and(|other| other.wrong.is_none())
        );
    }
}
