//! How wide stored weights are.
//!
//! In: a word (`fp8`, `awq`), or a name that has one in it. Out: a precision and what it makes of a number of parameters.
//! It must not know a model.

use std::{fmt, str::FromStr};

use serde::Deserialize;

/// How weights are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 16 bits, bf16 or fp16.
    Bf16,
    /// 8 bits, floating point.
    Fp8,
    /// 8 bits, integers.
    Int8,
    /// 4 bits, activation-aware.
    Awq,
    /// 4 bits, GPTQ.
    Gptq,
    /// 4 bits, other integers (`w4a16` of compressed-tensors).
    Int4,
    /// 4 bits, microscaling floating point.
    Mxfp4,
    /// 4 bits, floating point of Blackwell.
    Nvfp4,
    /// 4 to 5 bits as `llama.cpp` and Ollama have them (`q4_K_M`).
    Q4,
}

/// Words in names that tell the precision, the telling ones first.
const WORDS: [(&str, Precision); 17] = [
    ("nvfp4", Precision::Nvfp4),
    ("mxfp4", Precision::Mxfp4),
    ("awq", Precision::Awq),
    ("gptq", Precision::Gptq),
    ("w4a16", Precision::Int4),
    ("int4", Precision::Int4),
    ("4bit", Precision::Int4),
    ("q4", Precision::Q4),
    ("fp8", Precision::Fp8),
    ("w8a8", Precision::Int8),
    ("int8", Precision::Int8),
    ("8bit", Precision::Int8),
    ("q8", Precision::Int8),
    ("bf16", Precision::Bf16),
    ("fp16", Precision::Bf16),
    ("float16", Precision::Bf16),
    ("f16", Precision::Bf16),
];

impl Precision {
    /// The word in the catalogue and in resources.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bf16 => "bf16",
            Self::Fp8 => "fp8",
            Self::Int8 => "int8",
            Self::Awq => "awq",
            Self::Gptq => "gptq",
            Self::Int4 => "int4",
            Self::Mxfp4 => "mxfp4",
            Self::Nvfp4 => "nvfp4",
            Self::Q4 => "q4",
        }
    }

    /// The precision that a repository's name tells; `None` when it tells none.
    pub fn told_by(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        WORDS
            .iter()
            .find(|(word, _)| name.contains(word))
            .map(|(_, precision)| *precision)
    }

    /// Bytes of `parameters`, of which `embeddings` stay 16 bits wide, as all formats but Ollama's leave them.
    ///
    /// Thousandths of a byte per parameter, scales included: fp8 and int8 1.005, four bits 0.53 (files of Qwen3-8B-AWQ are 5.68 GiB),
    /// `q4_K_M` 0.61 over everything.
    pub fn bytes(self, parameters: u64, embeddings: u64) -> u64 {
        let embeddings = embeddings.min(parameters);
        let others = parameters - embeddings;
        let (others_thousandths, embeddings_thousandths) = match self {
            Self::Bf16 => (2_000, 2_000),
            Self::Fp8 | Self::Int8 => (1_005, 2_000),
            Self::Awq | Self::Gptq | Self::Int4 | Self::Mxfp4 | Self::Nvfp4 => (530, 2_000),
            Self::Q4 => (610, 610),
        };
        let thousandths = |count: u64, each: u64| u128::from(count) * u128::from(each);
        let sum = thousandths(others, others_thousandths) + thousandths(embeddings, embeddings_thousandths);
        u64::try_from(sum.div_ceil(1000)).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Precision {
    type Err = UnknownPrecision;

    fn from_str(text: &str) -> Result<Self, UnknownPrecision> {
        let wanted = text.trim().to_ascii_lowercase();
        let exact = WORDS.iter().find(|(word, _)| *word == wanted);
        exact
            .map(|(_, precision)| *precision)
            .ok_or_else(|| UnknownPrecision(text.chars().take(32).collect()))
    }
}

/// A word that names no precision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no quantization that is known; use bf16, fp8, int8, awq, gptq, int4, mxfp4 or nvfp4")]
pub struct UnknownPrecision(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back() {
        for precision in WORDS.map(|(_, precision)| precision) {
            assert_eq!(precision.as_str().parse(), Ok(precision));
        }
        assert_eq!("FP8".parse(), Ok(Precision::Fp8));
        assert!(
            "fp9"
                .parse::<Precision>()
                .unwrap_err()
                .to_string()
                .contains("awq")
        );
    }

    #[test]
    fn files_have_the_sizes_that_were_seen() {
        let gib = |bytes: u64| bytes / (1 << 20) * 10 / 1024;
        // Qwen3-8B-AWQ: 5.68 GiB; the embeddings are 151936 * 4096 * 2.
        assert_eq!(gib(Precision::Awq.bytes(8_190_000_000, 1_244_659_712)), 57);
        assert_eq!(gib(Precision::Bf16.bytes(70_550_000_000, 0)), 1314);
        assert_eq!(Precision::Fp8.bytes(u64::MAX, u64::MAX), u64::MAX);
    }

    #[test]
    fn names_tell() {
        assert_eq!(Precision::told_by("Qwen/Qwen3-32B-AWQ"), Some(Precision::Awq));
        assert_eq!(
            Precision::told_by("llama3.1:8b-instruct-fp16"),
            Some(Precision::Bf16)
        );
        assert_eq!(Precision::told_by("meta-llama/Llama-3.1-8B"), None);
    }
}
