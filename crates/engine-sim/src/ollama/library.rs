//! Ollama's public library as far as it is known here: a name in, whether it is there, its size, layers and details out.
//! Sizes of the five families that are listed are those of the published files; others follow from the name.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::name::{LIBRARY, Name, REGISTRY};
use crate::models::Model;

/// Models of the public library (those that small clusters are likely to ask for).
const PUBLISHED: &str = "all-minilm codegemma codellama codestral command-r deepseek-coder deepseek-r1 deepseek-v3 dolphin-mistral \
    gemma gemma2 gemma3 gpt-oss granite3.3 llama2 llama2-uncensored llama3 llama3.1 llama3.2 llama3.3 llava mistral \
    mistral-nemo mistral-small mixtral neural-chat nomic-embed-text olmo2 openchat orca-mini phi phi3 phi4 phi4-mini qwen qwen2 qwen2.5 \
    qwen2.5-coder qwen3 smollm smollm2 solar stablelm2 starcoder2 starling-lm tiny tinyllama vicuna wizardlm2 yi zephyr";

/// Tags without a digit that there are.
const WORDS: [&str; 9] = [
    "latest", "instruct", "chat", "text", "code", "python", "mini", "medium", "small",
];

/// One size of a family.
#[derive(Clone, Copy, Debug)]
struct Row {
    model: &'static str,
    /// As in tags.
    size: &'static str,
    /// Bytes of the layer with the weights, at `quantization`.
    bytes: u64,
    /// As the files themselves say it.
    parameters: &'static str,
    family: &'static str,
    quantization: &'static str,
}

const fn row(model: &'static str, size: &'static str, bytes: u64, parameters: &'static str) -> Row {
    Row {
        model,
        size,
        bytes,
        parameters,
        family: "llama",
        quantization: "Q4_0",
    }
}

/// The first size of a family is its `latest`.
const ROWS: &[Row] = &[
    row("tinyllama", "1.1b", 637_699_456, "1B"),
    row("llama2", "7b", 3_825_807_040, "7B"),
    row("llama2", "13b", 7_365_834_624, "13B"),
    row("llama2", "70b", 38_871_947_872, "69B"),
    Row {
        quantization: "Q4_K_M",
        ..row("mistral", "7b", 4_372_811_936, "7.2B")
    },
    Row {
        family: "phi2",
        ..row("phi", "2.7b", 1_602_461_536, "3B")
    },
    row("codellama", "7b", 3_825_898_144, "7B"),
    row("codellama", "13b", 7_365_960_704, "13B"),
    row("codellama", "34b", 19_052_049_085, "34B"),
    row("codellama", "70b", 38_871_974_464, "69B"),
];

/// Bits per weight by quantization, scales included.
const BITS: [(&str, f64); 9] = [
    ("q2", 3.0),
    ("q3", 3.9),
    ("q4", 4.55),
    ("q5", 5.6),
    ("q6", 6.6),
    ("q8", 8.5),
    ("bf16", 16.0),
    ("fp16", 16.0),
    ("f16", 16.0),
];

/// One file of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(crate) media_type: &'static str,
    /// 64 hexadecimal digits.
    pub(crate) digest: String,
    pub(crate) bytes: u64,
}

/// What a model's files say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Details {
    pub(crate) family: String,
    pub(crate) parameters: String,
    pub(crate) quantization: String,
}

fn public(name: &Name) -> bool {
    name.host == REGISTRY && name.namespace == LIBRARY
}

/// The size that a tag begins with: `7b` of `7b-chat`.
fn size_in(tag: &str) -> Option<&str> {
    let first = tag.split('-').next()?;
    let digits = first.strip_suffix('b')?;
    digits.parse::<f64>().is_ok().then_some(first)
}

fn row_of(name: &Name) -> Option<&'static Row> {
    let tag = name.tag.to_lowercase();
    let size = size_in(&tag);
    ROWS.iter()
        .filter(|row| public(name) && row.model.eq_ignore_ascii_case(&name.model))
        .find(|row| size.is_none_or(|size| size == row.size))
}

/// Whether the registry has it. The public library's names are known; others exist unless they say otherwise.
pub(crate) fn is_published(name: &Name) -> bool {
    if !public(name) {
        let all = name.short().to_lowercase();
        return !["does-not-exist", "no-such", "nonexistent"]
            .iter()
            .any(|mark| all.contains(mark));
    }
    let tag = name.tag.to_lowercase();
    let known_tag = tag.contains(|c: char| c.is_ascii_digit()) || WORDS.contains(&tag.as_str());
    let listed = ROWS.iter().any(|row| row.model.eq_ignore_ascii_case(&name.model));
    let published = PUBLISHED
        .split_whitespace()
        .any(|known| known.eq_ignore_ascii_case(&name.model));
    known_tag && published && (!listed || row_of(name).is_some())
}

/// The name with `latest` spelled out: both are the same files.
fn canonical(name: &Name) -> String {
    match row_of(name) {
        Some(row) if name.tag == "latest" => format!("{}:{}", row.model, row.size),
        _ => name.short(),
    }
}

/// The quantization that the tag says, in the tags' spelling.
fn quantization_in(tag: &str) -> Option<&str> {
    let start = BITS.iter().find_map(|(mark, _)| tag.rfind(mark))?;
    let from = tag[..start].rfind('-').map_or(0, |dash| dash + 1);
    Some(&tag[from..])
}

fn bits(quantization: &str) -> f64 {
    let quantization = quantization.to_lowercase();
    let found = BITS.iter().find(|(mark, _)| quantization.contains(mark));
    found.map_or(4.55, |(_, bits)| *bits)
}

/// The architecture behind a name, at the precision of its files.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn shape(name: &Name) -> Model {
    let mut shape = Model::by_name(&canonical(name));
    let tag = name.tag.to_lowercase();
    let row = row_of(name);
    let asked = quantization_in(&tag);
    let as_listed = row.filter(|row| asked.is_none_or(|asked| asked.eq_ignore_ascii_case(row.quantization)));
    shape.bytes_per_parameter = match as_listed {
        Some(row) => row.bytes as f64 / shape.parameters,
        None => match asked.map(bits) {
            Some(bits) => bits / 8.0,
            None => 0.58,
        },
    };
    shape
}

/// Bytes of a model's weights.
pub(crate) fn weight_bytes(name: &Name) -> u64 {
    let tag = name.tag.to_lowercase();
    let asked = quantization_in(&tag);
    let as_listed =
        row_of(name).filter(|row| asked.is_none_or(|asked| asked.eq_ignore_ascii_case(row.quantization)));
    as_listed.map_or_else(|| shape(name).weight_bytes(), |row| row.bytes)
}

/// The files of a model, in the order in which they are pulled: the weights and small ones.
pub(crate) fn layers(name: &Name) -> Vec<Layer> {
    let layer = |media_type, bytes| Layer {
        media_type,
        digest: digest(name, media_type),
        bytes,
    };
    vec![
        layer("application/vnd.ollama.image.model", weight_bytes(name)),
        layer("application/vnd.ollama.image.template", 70),
        layer("application/vnd.ollama.image.params", 98),
        layer("application/vnd.docker.container.image.v1+json", 483),
    ]
}

/// 64 hexadecimal digits that stand for the content of a layer.
pub(crate) fn digest(name: &Name, layer: &str) -> String {
    let quarter = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, layer, canonical(name)).hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    };
    (0..4).map(quarter).collect()
}

pub(crate) fn details(name: &Name) -> Details {
    let tag = name.tag.to_lowercase();
    let quantization = quantization_in(&tag).map(|word| word.to_uppercase().replace("FP16", "F16"));
    if let Some(row) = row_of(name) {
        return Details {
            family: row.family.to_owned(),
            parameters: row.parameters.to_owned(),
            quantization: quantization.unwrap_or_else(|| row.quantization.to_owned()),
        };
    }
    let family = name.model.split(|c: char| c.is_ascii_digit()).next();
    Details {
        family: family.unwrap_or("llama").trim_end_matches('-').to_owned(),
        parameters: format!("{:.1}B", shape(name).parameters / 1e9),
        quantization: quantization.unwrap_or_else(|| "Q4_K_M".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(word: &str) -> Name {
        Name::parse(word).unwrap()
    }

    #[test]
    fn the_five_families_have_their_published_sizes_and_tags() {
        let cases = [
            ("tinyllama", 638, "llama", "1B", "Q4_0"),
            ("llama2:7b", 3826, "llama", "7B", "Q4_0"),
            ("llama2:13b-chat", 7366, "llama", "13B", "Q4_0"),
            ("mistral", 4373, "llama", "7.2B", "Q4_K_M"),
            ("phi:2.7b", 1602, "phi2", "3B", "Q4_0"),
            ("codellama:34b-instruct", 19_052, "llama", "34B", "Q4_0"),
        ];
        for (word, megabytes, family, parameters, quantization) in cases {
            let name = name(word);
            let details = details(&name);
            assert!(is_published(&name), "{word}");
            assert_eq!((weight_bytes(&name) + 500_000) / 1_000_000, megabytes, "{word}");
            assert_eq!(
                (
                    details.family.as_str(),
                    details.parameters.as_str(),
                    details.quantization.as_str()
                ),
                (family, parameters, quantization),
                "{word}"
            );
        }
        for word in ["tinyllama:7b", "llama2:8b", "phi:nosuch", "nosuchmodel"] {
            assert!(!is_published(&name(word)), "{word}");
        }
        assert!(is_published(&name("mistral:v0.2")) && is_published(&name("codellama:python")));
    }

    #[test]
    fn a_tag_says_the_quantization_and_latest_is_a_size() {
        let half = name("llama2:7b-chat-fp16");
        assert_eq!(weight_bytes(&half) / 1_000_000_000, 13);
        assert_eq!(details(&half).quantization, "F16");
        assert_eq!(
            weight_bytes(&name("llama2:7b-chat-q4_0")),
            weight_bytes(&name("llama2"))
        );
        assert_eq!(layers(&name("llama2")), layers(&name("llama2:7b")));
        assert_ne!(layers(&name("llama2:13b")), layers(&name("llama2:7b")));
        assert_eq!(details(&name("llama3:8b-instruct-q8_0")).quantization, "Q8_0");
    }
}
