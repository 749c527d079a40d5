//! Models by name.
//!
//! In: a name as people write it (`meta-llama/Llama-3.1-8B-Instruct`, `llama3.1:8b`). Out: its shape, from which memory is
//! computed ([`fit`](crate::fit)). It must not guess: an unknown name is unknown.
//!
//! Numbers come from the models' own `config.json`; weights agree with the sizes of their safetensors files.

use crate::models_table::{ROWS, Row};

/// What kind of network it is; it decides how much memory activations take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// All weights take part in every token.
    Dense,
    /// Mixture of experts.
    Moe,
}

/// How wide a stored weight is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 16 bits, as published.
    Bf16,
    /// 8 bits: fp8, int8.
    Bits8,
    /// 4 bits: AWQ, GPTQ, Ollama's default; with scales 0.28 of bf16.
    Bits4,
}

/// A model's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model {
    /// Its usual name.
    pub name: &'static str,
    /// Kind of network.
    pub family: Family,
    /// Attention heads.
    pub heads: u32,
    /// Heads of keys and values; 1 for MLA, whose cache every rank holds whole.
    pub kv_heads: u32,
    /// Longest sequence in tokens.
    pub context: u64,
    /// Weights as published, in MiB.
    pub published_mib: u64,
    /// Cache per token in bytes, 16 bits wide, over all GPUs.
    pub kv_bytes_per_token: u64,
    /// How wide the weights are under this name.
    pub precision: Precision,
}

impl Model {
    /// Size of the weights in MiB at their precision.
    pub const fn weights_mib(&self) -> u64 {
        match self.precision {
            Precision::Bf16 => self.published_mib,
            Precision::Bits8 => self.published_mib / 2,
            Precision::Bits4 => self.published_mib * 28 / 100,
        }
    }

    /// The model of that name, if it is known. The longest name in the catalogue that it contains wins.
    pub fn by_name(name: &str) -> Option<Self> {
        let plain = plain(name);
        if plain.contains("distill") {
            return None; // Another network with this one's name in it.
        }
        let row = ROWS
            .iter()
            .filter(|row| row.aliases.iter().any(|alias| plain.contains(alias)))
            .max_by_key(|row| {
                row.aliases
                    .iter()
                    .filter(|alias| plain.contains(**alias))
                    .map(|alias| alias.len())
                    .max()
            })?;
        Some(Self::of(row, precision(&name.to_ascii_lowercase())))
    }

    /// [`by_name`](Self::by_name) for Ollama's library, where a name without a precision means 4 bits.
    pub fn by_ollama_name(name: &str) -> Option<Self> {
        let model = Self::by_name(name)?;
        let said = name.contains("fp16") || name.contains("bf16") || model.precision != Precision::Bf16;
        Some(Self {
            precision: if said { model.precision } else { Precision::Bits4 },
            ..model
        })
    }

    fn of(row: &Row, precision: Precision) -> Self {
        Self {
            name: row.name,
            family: if row.moe { Family::Moe } else { Family::Dense },
            heads: row.heads,
            kv_heads: row.kv_heads,
            context: row.context,
            published_mib: row.weights_tenth_gib * 1024 / 10,
            kv_bytes_per_token: row.kv_bytes,
            precision,
        }
    }
}

/// Lower case letters and digits only; words that name a variant of the same shape are dropped.
fn plain(name: &str) -> String {
    let name = name.to_ascii_lowercase().replace("coder", "").replace("math", "");
    name.chars().filter(char::is_ascii_alphanumeric).collect()
}

fn precision(name: &str) -> Precision {
    let says = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if says(&["awq", "gptq", "int4", "4bit", "w4a16", "q4", "nvfp4", "mxfp4"]) {
        Precision::Bits4
    } else if says(&["fp8", "int8", "8bit", "w8a8", "q8"]) {
        Precision::Bits8
    } else {
        Precision::Bf16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_find_their_model_and_no_other() {
        let table = [
            ("meta-llama/Llama-3.1-8B-Instruct", Some("Llama-3.1-8B")),
            ("meta-llama/Llama-3.3-70B-Instruct", Some("Llama-3.1-70B")),
            ("llama3.1:8b", Some("Llama-3.1-8B")),
            ("llama2:7b", Some("Llama-2-7B")),
            ("llama2:70b", Some("Llama-2-70B")),
            ("codellama:34b", Some("CodeLlama-34B")),
            ("tinyllama", Some("TinyLlama-1.1B")),
            ("Qwen/Qwen2.5-72B-Instruct-AWQ", Some("Qwen2.5-72B")),
            ("Qwen/Qwen2.5-7B-Instruct", Some("Qwen2.5-7B")),
            ("Qwen/Qwen3-235B-A22B", Some("Qwen3-235B-A22B")),
            ("microsoft/Phi-4-mini-instruct", Some("Phi-4-mini")),
            ("microsoft/phi-4", Some("Phi-4")),
            ("google/gemma-3-12b-it", Some("Gemma-3-12B")),
            ("mistralai/Mixtral-8x7B-Instruct-v0.1", Some("Mixtral-8x7B")),
            ("deepseek-ai/DeepSeek-R1", Some("DeepSeek-V3")),
            ("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", None),
            ("Qwen/Qwen2.5-VL-7B", None),
            ("GPT-Small", None),
            ("", None),
        ];
        for (name, expected) in table {
            assert_eq!(Model::by_name(name).map(|model| model.name), expected, "{name}");
        }
    }

    #[test]
    fn precision_is_read_from_the_name() {
        let mib = |name: &str| Model::by_name(name).unwrap().weights_mib();
        assert_eq!(mib("Llama-3.1-8B"), 15_360);
        assert_eq!(mib("RedHatAI/Llama-3.1-8B-FP8"), 7_680);
        assert_eq!(mib("Llama-3.1-8B-AWQ"), 4_300);
        assert_eq!(Model::by_ollama_name("llama3.1:8b").unwrap().weights_mib(), 4_300);
        assert_eq!(
            Model::by_ollama_name("llama3.1:8b-instruct-fp16")
                .unwrap()
                .weights_mib(),
            15_360
        );
    }

    #[test]
    fn every_row_is_found_by_its_own_name() {
        for row in &ROWS {
            assert_eq!(Model::by_name(row.name).map(|model| model.name), Some(row.name));
        }
    }
}
