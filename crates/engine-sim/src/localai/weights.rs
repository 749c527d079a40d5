//! Weights in llama.cpp's files: a name or a file in, shape and size out.
//! A file that does not begin as such files do is refused, so that an error page saved as a model is noticed.

use std::io::Read as _;
use std::path::Path;

use crate::models::Model;

/// What every GGUF file begins with.
pub(crate) const MAGIC: &[u8; 4] = b"GGUF";
/// Older formats of the same library.
const OLDER: [&[u8; 4]; 3] = [b"lmgg", b"tjgg", b"fmgg"];
/// Files below this size are a test's markers, not weights.
const MARKER: u64 = 1 << 20;

/// Bits for a weight, by the quantization that the file's name tells (llama.cpp's own figures for 8B models).
const BITS: &[(&str, f64)] = &[
    ("iq1", 2.0),
    ("iq2", 2.7),
    ("q2-k", 3.2),
    ("iq3", 3.5),
    ("q3-k", 4.0),
    ("q4-0", 4.7),
    ("iq4", 4.5),
    ("q4-k", 4.9),
    ("q5-0", 5.6),
    ("q5-k", 5.7),
    ("q6-k", 6.6),
    ("q8-0", 8.5),
    ("f16", 16.0),
    ("f32", 32.0),
];

/// The shape of the model that a file's name or address tells.
pub(crate) fn shape(name: &str) -> Model {
    let last = name.rsplit('/').next().unwrap_or(name);
    let stem = last.split('?').next().unwrap_or(last);
    let folded = stem.to_lowercase().replace('_', "-");
    let known = |part: &&str| Model::is_known(part);
    // A file may be called just by its quantization; then its repository tells more.
    let told = [stem].into_iter().chain(name.rsplit('/').skip(1)).find(known);
    let mut shape = Model::by_name(told.unwrap_or(stem));
    if let Some((_, bits)) = BITS.iter().find(|(mark, _)| folded.contains(mark)) {
        shape.bytes_per_parameter = bits / 8.0;
    }
    shape
}

/// The size of a file's weights, or why it has none.
pub(crate) fn measured(path: &Path, shape: &Model) -> Result<u64, String> {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let opened = std::fs::File::open(path);
    let mut file = opened.map_err(|_| format!("stat {name}: no such file or directory"))?;
    let mut first = [0; 4];
    let read = file.read_exact(&mut first);
    if read.is_err() || (first != *MAGIC && !OLDER.iter().any(|magic| **magic == first)) {
        return Err(format!("gguf_init_from_file: invalid magic characters in {name}"));
    }
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    Ok(if length > MARKER {
        length
    } else {
        shape.weight_bytes()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantization_and_repository_are_read_from_names() {
        let gib = |name: &str| shape(name).weight_bytes() >> 20;
        let tiny =
            gib("huggingface://TheBloke/TinyLlama-1.1B-Chat-v0.3-GGUF/tinyllama-1.1b-chat-v0.3.Q8_0.gguf");
        assert!((1100..1200).contains(&tiny), "{tiny}");
        let large =
            gib("huggingface://b/Meta-Llama-3-70B-Instruct-GGUF/Meta-Llama-3-70B-Instruct-Q5_K_M.gguf");
        assert!((46_000..50_000).contains(&large), "{large}");
        let named = gib("huggingface://mys/mistral-7b/ggml-model-q4_k.gguf");
        assert!((4_000..4_500).contains(&named), "{named}");
    }
}
