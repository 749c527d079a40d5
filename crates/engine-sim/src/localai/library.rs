//! The models that LocalAI knows by name: a name in, its definition out.
//! Rows are the definitions built into v2.15; a name that is not here is no gallery name. It must not load anything.

/// A built-in definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    /// The word on the command line.
    key: &'static str,
    /// The name that requests use.
    name: &'static str,
    /// `llama-cpp` when empty.
    backend: &'static str,
    /// Where the weights come from, or a file's name.
    model: &'static str,
}

const fn row(
    key: &'static str,
    name: &'static str,
    backend: &'static str,
    model: &'static str,
) -> Definition {
    Definition {
        key,
        name,
        backend,
        model,
    }
}

const ROWS: &[Definition] = &[
    row(
        "all-minilm-l6-v2",
        "all-minilm-l6-v2",
        "sentencetransformers",
        "all-MiniLM-L6-v2",
    ),
    row(
        "cerbero",
        "cerbero",
        "llama",
        "huggingface://galatolo/cerbero-7b-gguf/ggml-model-Q8_0.gguf",
    ),
    row(
        "codellama-7b",
        "codellama-7b",
        "transformers",
        "codellama/CodeLlama-7b-hf",
    ),
    row(
        "codellama-7b-gguf",
        "codellama-7b-gguf",
        "",
        "huggingface://TheBloke/CodeLlama-7B-GGUF/codellama-7b.Q4_K_M.gguf",
    ),
    row(
        "dolphin-2.5-mixtral-8x7b",
        "dolphin-mixtral-8x7b",
        "",
        "huggingface://TheBloke/dolphin-2.5-mixtral-8x7b-GGUF/dolphin-2.5-mixtral-8x7b.Q2_K.gguf",
    ),
    row(
        "hermes-2-pro-mistral",
        "hermes-2-pro-mistral",
        "",
        "huggingface://NousResearch/Hermes-2-Pro-Mistral-7B-GGUF/Hermes-2-Pro-Mistral-7B.Q6_K.gguf",
    ),
    row(
        "llama3-instruct",
        "llama3-8b-instruct",
        "",
        "huggingface://second-state/Llama-3-8B-Instruct-GGUF/Meta-Llama-3-8B-Instruct-Q5_K_M.gguf",
    ),
    row("mamba-chat", "mamba-chat", "mamba", "havenhq/mamba-chat"),
    row(
        "mistral-openorca",
        "mistral-openorca",
        "",
        "huggingface://TheBloke/Mistral-7B-OpenOrca-GGUF/mistral-7b-openorca.Q6_K.gguf",
    ),
    row(
        "mixtral-instruct",
        "mixtral-instruct",
        "",
        "huggingface://TheBloke/Mixtral-8x7B-Instruct-v0.1-GGUF/mixtral-8x7b-instruct-v0.1.Q2_K.gguf",
    ),
    row(
        "phi-2",
        "phi-2",
        "",
        "huggingface://TheBloke/phi-2-GGUF/phi-2.Q8_0.gguf",
    ),
    row(
        "phi-2-chat",
        "phi-2-chat",
        "",
        "huggingface://l3utterfly/phi-2-layla-v1-chatml-gguf/phi-2-layla-v1-chatml-Q8_0.gguf",
    ),
    row(
        "phi-2-orange",
        "phi-2-orange",
        "",
        "huggingface://l3utterfly/phi-2-orange-GGUF/phi-2-orange.Q6_K.gguf",
    ),
    row(
        "tinyllama-chat",
        "tinyllama-chat",
        "",
        "huggingface://TheBloke/TinyLlama-1.1B-Chat-v0.3-GGUF/tinyllama-1.1b-chat-v0.3.Q8_0.gguf",
    ),
    row(
        "transformers-tinyllama",
        "tinyllama-chat",
        "transformers",
        "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
    ),
];

/// The definition as a file, if the library has one of this name.
pub(crate) fn definition(key: &str) -> Option<String> {
    let row = ROWS.iter().find(|row| row.key == key)?;
    let backend = match row.backend {
        "" => String::new(),
        backend => format!("backend: {backend}\n"),
    };
    Some(format!(
        "name: {}\nmmap: true\n{backend}parameters:\n  model: {}\ncontext_size: 4096\nf16: true\n",
        row.name, row.model
    ))
}
