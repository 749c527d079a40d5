//! The catalogue of known models: a name in, its architecture and size out.
//! Rows are the published configurations; sizes of names that are not here are guessed from the name. It must not read files.

/// Architecture of a decoder model, as far as memory and speed depend on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Parameters.
    pub parameters: f64,
    /// Parameters that one token uses (fewer than all for mixtures of experts).
    pub active_parameters: f64,
    /// Decoder layers.
    pub layers: u32,
    /// Attention heads.
    pub heads: u32,
    /// Key-value heads.
    pub kv_heads: u32,
    /// Size of one head.
    pub head_dim: u32,
    /// Longest context, in tokens.
    pub context: u64,
    /// Class name in `config.json`.
    pub architecture: &'static str,
    /// Bytes per parameter of the published checkpoint.
    pub bytes_per_parameter: f64,
}

impl Model {
    /// Bytes of the weights in the checkpoint.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn weight_bytes(&self) -> u64 {
        (self.parameters * self.bytes_per_parameter) as u64
    }

    /// Bytes of key-value cache that one token takes, `bytes` per element.
    pub fn kv_bytes_per_token(&self, bytes: u64) -> u64 {
        2 * u64::from(self.layers) * u64::from(self.kv_heads) * u64::from(self.head_dim) * bytes
    }

    /// The model of this name: a repository (`meta-llama/Llama-3.1-8B-Instruct`), a folder, or an Ollama name (`llama3.1:8b`).
    pub fn by_name(name: &str) -> Self {
        let key = key_of(name);
        let row = ROWS
            .iter()
            .filter(|row| key.contains(row.key))
            .max_by_key(|row| row.key.len());
        let mut model = row.map_or_else(|| guessed(&key), Row::model);
        model.bytes_per_parameter = checkpoint_bytes(&key).unwrap_or(model.bytes_per_parameter);
        model
    }

    /// The `config.json` that lies beside such weights.
    pub fn config_json(&self) -> String {
        serde_json::json!({
            "architectures": [self.architecture],
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "head_dim": self.head_dim,
            "max_position_embeddings": self.context,
        })
        .to_string()
    }

    /// Whether the catalogue has a row for the name.
    pub fn is_known(name: &str) -> bool {
        let key = key_of(name);
        ROWS.iter().any(|row| key.contains(row.key))
    }
}

/// Lower case, the last path segment, one kind of separator.
fn key_of(name: &str) -> String {
    let last = name.trim_end_matches('/').rsplit('/').next().unwrap_or(name);
    let folded: String = last
        .to_lowercase()
        .chars()
        .map(|c| if matches!(c, '_' | ':' | ' ') { '-' } else { c })
        .collect();
    let spelled = [
        ("meta-llama", "llama"),
        ("phi3", "phi-3"),
        ("phi4", "phi-4"),
        ("gemma2", "gemma-2"),
        ("gemma3", "gemma-3"),
    ];
    spelled
        .iter()
        .fold(folded, |name, (from, to)| name.replace(from, to))
}

/// Bytes per parameter when the name says how the checkpoint is quantized (scales and unquantized embeddings included).
fn checkpoint_bytes(key: &str) -> Option<f64> {
    let has = |words: &[&str]| words.iter().any(|word| key.contains(word));
    if has(&[
        "awq", "gptq", "int4", "w4a16", "nvfp4", "mxfp4", "4bit", "bnb-4bit",
    ]) {
        Some(0.62)
    } else if has(&["fp8", "int8", "w8a8", "8bit"]) {
        Some(1.03)
    } else {
        None
    }
}

/// A small dense model with the parameters that the name tells (`my-model-3b`), or half a billion.
fn guessed(key: &str) -> Model {
    let billions = key
        .split(['-', '.'])
        .filter_map(|part| part.strip_suffix('b'))
        .find_map(|digits| digits.parse::<f64>().ok())
        .filter(|b| *b > 0.0 && *b < 2000.0)
        .unwrap_or(0.5);
    let (layers, heads, kv_heads, head_dim) = match billions {
        b if b < 2.0 => (24, 16, 8, 64),
        b if b < 20.0 => (32, 32, 8, 128),
        _ => (80, 64, 8, 128),
    };
    Model {
        parameters: billions * 1e9,
        active_parameters: billions * 1e9,
        layers,
        heads,
        kv_heads,
        head_dim,
        context: 32_768,
        architecture: "LlamaForCausalLM",
        bytes_per_parameter: 2.0,
    }
}

#[derive(Clone, Copy)]
struct Row {
    key: &'static str,
    billions: f64,
    active: f64,
    layers: u32,
    heads: u32,
    kv_heads: u32,
    head_dim: u32,
    context: u64,
    architecture: &'static str,
    bytes: f64,
}

impl Row {
    fn model(&self) -> Model {
        Model {
            parameters: self.billions * 1e9,
            active_parameters: self.active * 1e9,
            layers: self.layers,
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
            context: self.context,
            architecture: self.architecture,
            bytes_per_parameter: self.bytes,
        }
    }
}

const LLAMA: &str = "LlamaForCausalLM";
const MISTRAL: &str = "MistralForCausalLM";
const MIXTRAL: &str = "MixtralForCausalLM";
const QWEN2: &str = "Qwen2ForCausalLM";
const QWEN3: &str = "Qwen3ForCausalLM";
const QWEN3_MOE: &str = "Qwen3MoeForCausalLM";
const PHI3: &str = "Phi3ForCausalLM";
const GEMMA2: &str = "Gemma2ForCausalLM";
const GEMMA3: &str = "Gemma3ForConditionalGeneration";
const GPT2: &str = "GPT2LMHeadModel";
const OPT: &str = "OPTForCausalLM";

#[allow(clippy::too_many_arguments)]
const fn row(
    key: &'static str,
    billions: f64,
    layers: u32,
    heads: u32,
    kv_heads: u32,
    head_dim: u32,
    context: u64,
    architecture: &'static str,
) -> Row {
    Row {
        key,
        billions,
        active: billions,
        layers,
        heads,
        kv_heads,
        head_dim,
        context,
        architecture,
        bytes: 2.0,
    }
}

const fn experts(row: Row, active: f64) -> Row {
    Row { active, ..row }
}

const fn stored(row: Row, bytes: f64) -> Row {
    Row { bytes, ..row }
}

/// Key (substring of the folded name; the longest wins), parameters in billions, layers, heads, kv heads, head size, context.
const ROWS: &[Row] = &[
    row("tinyllama", 1.10, 22, 32, 4, 64, 2_048, LLAMA),
    row("llama-2", 6.74, 32, 32, 32, 128, 4_096, LLAMA),
    row("llama-2-13b", 13.02, 40, 40, 40, 128, 4_096, LLAMA),
    row("llama-2-70b", 68.98, 80, 64, 8, 128, 4_096, LLAMA),
    row("llama2", 6.74, 32, 32, 32, 128, 4_096, LLAMA),
    row("llama2-13b", 13.02, 40, 40, 40, 128, 4_096, LLAMA),
    row("llama2-70b", 68.98, 80, 64, 8, 128, 4_096, LLAMA),
    row("codellama", 6.74, 32, 32, 32, 128, 16_384, LLAMA),
    row("codellama-13b", 13.02, 40, 40, 40, 128, 16_384, LLAMA),
    row("codellama-34b", 33.74, 48, 64, 8, 128, 16_384, LLAMA),
    row("codellama-70b", 68.98, 80, 64, 8, 128, 4_096, LLAMA),
    row("llama-3.2", 3.21, 28, 24, 8, 128, 131_072, LLAMA),
    row("llama-3.2-1b", 1.24, 16, 32, 8, 64, 131_072, LLAMA),
    row("llama3.2", 3.21, 28, 24, 8, 128, 131_072, LLAMA),
    row("llama3.2-1b", 1.24, 16, 32, 8, 64, 131_072, LLAMA),
    row("llama-3-8b", 8.03, 32, 32, 8, 128, 8_192, LLAMA),
    row("llama-3-70b", 70.55, 80, 64, 8, 128, 8_192, LLAMA),
    row("llama3", 8.03, 32, 32, 8, 128, 8_192, LLAMA),
    row("llama3-70b", 70.55, 80, 64, 8, 128, 8_192, LLAMA),
    row("llama-3.1", 8.03, 32, 32, 8, 128, 131_072, LLAMA),
    row("llama-3.1-70b", 70.55, 80, 64, 8, 128, 131_072, LLAMA),
    row("llama-3.1-405b", 405.85, 126, 128, 8, 128, 131_072, LLAMA),
    row("llama3.1", 8.03, 32, 32, 8, 128, 131_072, LLAMA),
    row("llama3.1-70b", 70.55, 80, 64, 8, 128, 131_072, LLAMA),
    row("llama3.1-405b", 405.85, 126, 128, 8, 128, 131_072, LLAMA),
    row("llama-3.3", 70.55, 80, 64, 8, 128, 131_072, LLAMA),
    row("llama3.3", 70.55, 80, 64, 8, 128, 131_072, LLAMA),
    row(
        "deepseek-r1-distill-llama-8b",
        8.03,
        32,
        32,
        8,
        128,
        131_072,
        LLAMA,
    ),
    row(
        "deepseek-r1-distill-llama-70b",
        70.55,
        80,
        64,
        8,
        128,
        131_072,
        LLAMA,
    ),
    row("mistral", 7.25, 32, 32, 8, 128, 32_768, MISTRAL),
    row("mistral-nemo", 12.25, 40, 32, 8, 128, 131_072, MISTRAL),
    row("mistral-small", 23.57, 40, 32, 8, 128, 32_768, MISTRAL),
    experts(row("mixtral", 46.70, 32, 32, 8, 128, 32_768, MIXTRAL), 12.9),
    experts(
        row("mixtral-8x22b", 140.62, 56, 48, 8, 128, 65_536, MIXTRAL),
        39.2,
    ),
    row("qwen2.5-0.5b", 0.49, 24, 14, 2, 64, 32_768, QWEN2),
    row("qwen2.5-1.5b", 1.54, 28, 12, 2, 128, 32_768, QWEN2),
    row("qwen2.5-3b", 3.09, 36, 16, 2, 128, 32_768, QWEN2),
    row("qwen2.5", 7.62, 28, 28, 4, 128, 32_768, QWEN2),
    row("qwen2.5-14b", 14.77, 48, 40, 8, 128, 32_768, QWEN2),
    row("qwen2.5-32b", 32.76, 64, 40, 8, 128, 32_768, QWEN2),
    row("qwen2.5-72b", 72.70, 80, 64, 8, 128, 32_768, QWEN2),
    row("qwen3-0.6b", 0.60, 28, 16, 8, 128, 40_960, QWEN3),
    row("qwen3-1.7b", 1.72, 28, 16, 8, 128, 40_960, QWEN3),
    row("qwen3-4b", 4.02, 36, 32, 8, 128, 40_960, QWEN3),
    row("qwen3", 8.19, 36, 32, 8, 128, 40_960, QWEN3),
    row("qwen3-14b", 14.77, 40, 40, 8, 128, 40_960, QWEN3),
    row("qwen3-32b", 32.76, 64, 64, 8, 128, 40_960, QWEN3),
    experts(
        row("qwen3-30b-a3b", 30.53, 48, 32, 4, 128, 40_960, QWEN3_MOE),
        3.4,
    ),
    experts(
        row("qwen3-235b-a22b", 235.09, 94, 64, 4, 128, 40_960, QWEN3_MOE),
        22.2,
    ),
    row("phi", 2.78, 32, 32, 32, 80, 2_048, "PhiForCausalLM"),
    row("phi-3", 3.82, 32, 32, 32, 96, 4_096, PHI3),
    row("phi-3-medium", 13.96, 40, 40, 10, 128, 4_096, PHI3),
    row("phi-4", 14.66, 40, 40, 10, 128, 16_384, PHI3),
    row("phi-4-mini", 3.84, 32, 24, 8, 128, 131_072, PHI3),
    row("gemma-2", 9.24, 42, 16, 8, 256, 8_192, GEMMA2),
    row("gemma-3", 3.88, 34, 8, 4, 256, 131_072, GEMMA3),
    row("gemma-2-2b", 2.61, 26, 8, 4, 256, 8_192, GEMMA2),
    row("gemma-2-9b", 9.24, 42, 16, 8, 256, 8_192, GEMMA2),
    row("gemma-2-27b", 27.23, 46, 32, 16, 128, 8_192, GEMMA2),
    row("gemma-3-1b", 1.00, 26, 4, 1, 256, 32_768, "Gemma3ForCausalLM"),
    row("gemma-3-4b", 3.88, 34, 8, 4, 256, 131_072, GEMMA3),
    row("gemma-3-12b", 11.77, 48, 16, 8, 256, 131_072, GEMMA3),
    row("gemma-3-27b", 27.01, 62, 32, 16, 128, 131_072, GEMMA3),
    row("gpt2", 0.124, 12, 12, 12, 64, 1_024, GPT2),
    row("gpt-small", 0.124, 12, 12, 12, 64, 1_024, GPT2),
    row("opt-125m", 0.125, 12, 12, 12, 64, 2_048, OPT),
    experts(
        stored(
            row("gpt-oss-20b", 20.9, 24, 64, 8, 64, 131_072, "GptOssForCausalLM"),
            0.65,
        ),
        3.6,
    ),
    experts(
        stored(
            row("gpt-oss-120b", 116.8, 36, 64, 8, 64, 131_072, "GptOssForCausalLM"),
            0.56,
        ),
        5.1,
    ),
    // Latent attention: one "head" of 512 + 64 values per layer for keys and values together, hence 288 twice.
    experts(
        stored(
            row(
                "deepseek-v3",
                671.0,
                61,
                128,
                1,
                288,
                163_840,
                "DeepseekV3ForCausalLM",
            ),
            1.03,
        ),
        37.0,
    ),
    experts(
        stored(
            row(
                "deepseek-r1",
                671.0,
                61,
                128,
                1,
                288,
                163_840,
                "DeepseekV3ForCausalLM",
            ),
            1.03,
        ),
        37.0,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_style_find_their_row() {
        let cases = [
            ("meta-llama/Llama-3.1-8B-Instruct", 8.03, 131_072, 131_072),
            ("meta-llama/Meta-Llama-3.1-70B-Instruct", 70.55, 327_680, 131_072),
            ("/models/Llama-3.1-8B/", 8.03, 131_072, 131_072),
            ("llama3.1:70b", 70.55, 327_680, 131_072),
            ("Qwen/Qwen2.5-0.5B-Instruct", 0.49, 12_288, 32_768),
            ("Qwen/Qwen3-30B-A3B", 30.53, 98_304, 40_960),
            ("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", 8.03, 131_072, 131_072),
            ("deepseek-ai/DeepSeek-V3", 671.0, 70_272, 163_840),
        ];
        for (name, billions, kv, context) in cases {
            let model = Model::by_name(name);
            assert!(
                (model.parameters / 1e9 - billions).abs() < 1e-6,
                "{name}: {}",
                model.parameters
            );
            assert_eq!(
                (model.kv_bytes_per_token(2), model.context),
                (kv, context),
                "{name}"
            );
        }
    }

    #[test]
    fn the_name_tells_quantization_and_the_size_of_strangers() {
        assert!(Model::by_name("Qwen/Qwen3-8B-AWQ").weight_bytes() < 6 << 30);
        assert!((Model::by_name("acme/own-13b-chat").parameters - 13e9).abs() < 1.0);
        assert!((Model::by_name("acme/secret").parameters - 0.5e9).abs() < 1.0);
        assert!(!Model::is_known("acme/secret"));
    }
}
