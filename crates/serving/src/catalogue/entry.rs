//! One model.
//!
//! In: an entry as it is written ([`RawEntry`]). Out: typed values within limits that no arithmetic of
//! [`sizing`](crate::sizing) can overflow, or the field that is wrong. It must not fetch anything.

use std::collections::{BTreeMap, btree_map::Entry as Vacancy};

use api::shared::Engine;

use super::{
    EntryError, Precision, Version,
    raw::{Amount, RawEntry, RawVariant},
};
use crate::{quantity::Quantity, source::ModelSource};

/// A model of the catalogue. Only the catalogue makes one, so every value is within its limits.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Entry {
    /// Short name, for example `llama-3-70b`; also what the engine is told to call it.
    pub name: String,
    /// Other names.
    pub aliases: Vec<String>,
    /// The licence's short name, where it is known.
    pub licence: Option<String>,
    /// The engine that serves it unless another is asked for.
    pub engine: Engine,
    /// Image instead of the engine's default.
    pub image: Option<String>,
    /// The oldest version of the engine that has the architecture.
    pub min_version: Option<Version>,
    /// Arguments that the engine needs for this model.
    pub args: Vec<String>,
    /// Name in Ollama's library.
    pub ollama: Option<String>,
    /// Its network.
    pub shape: Shape,
    /// Longest sequence in tokens, prompt and answer together.
    pub context: u64,
    /// What it is served with when nobody asks; at most `context`.
    pub default_context: u64,
    /// How the weights are published.
    pub published: Precision,
    /// Everything that can be loaded, the published one among them.
    pub variants: BTreeMap<Precision, Variant>,
}

/// A network, as far as memory and time depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Parameters.
    pub parameters: u64,
    /// Parameters that one token passes through; fewer than all for mixtures of experts.
    pub active_parameters: u64,
    /// Parameters of the embeddings and the head, which quantization leaves alone; 0 when unknown.
    pub embedding_parameters: u64,
    /// Layers.
    pub layers: u32,
    /// Attention heads.
    pub heads: u32,
    /// What the cache holds.
    pub attention: Attention,
}

/// What the cache holds of every token, in every layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attention {
    /// A key and a value per head; heads are spread over the GPUs.
    Heads {
        /// Heads of keys and values.
        kv_heads: u32,
        /// Values of a head.
        head_dim: u32,
    },
    /// Multi-head latent attention: that many values, whole on every GPU.
    Latent {
        /// Values.
        width: u32,
    },
}

/// Weights that can be loaded.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Where they come from.
    pub source: ModelSource,
    /// The hub asks for a token whose owner accepted the licence.
    pub gated: bool,
    /// Bytes in the memory of all GPUs together.
    pub weights_bytes: u64,
    /// Bytes to download and to keep.
    pub files_bytes: u64,
    /// The engine quantizes while it loads; it must be told to.
    pub while_loading: bool,
}

impl Shape {
    /// A mixture of experts.
    pub const fn is_mixture(&self) -> bool {
        self.active_parameters < self.parameters
    }

    /// Heads of keys and values that can be spread over GPUs; 1 for latent attention.
    pub const fn kv_heads(&self) -> u32 {
        match self.attention {
            Attention::Heads { kv_heads, .. } => kv_heads,
            Attention::Latent { .. } => 1,
        }
    }

    /// Bytes of cache per token, 16 bits wide, over all layers and heads, held once.
    pub fn kv_bytes_per_token(&self) -> u64 {
        let per_layer = match self.attention {
            Attention::Heads { kv_heads, head_dim } => 2 * u64::from(kv_heads) * u64::from(head_dim),
            Attention::Latent { width } => u64::from(width),
        };
        u64::from(self.layers) * per_layer * 2
    }
}

impl Entry {
    /// The published weights.
    pub fn published_variant(&self) -> Option<&Variant> {
        self.variants.get(&self.published)
    }

    /// Bytes of the weights at a precision: those of a variant, else computed.
    pub fn weights_bytes(&self, precision: Precision) -> u64 {
        self.variants.get(&precision).map_or_else(
            || precision.bytes(self.shape.parameters, self.shape.embedding_parameters),
            |variant| variant.weights_bytes,
        )
    }
}

/// Most characters of a name.
const NAME_LENGTH: usize = 63;

/// Reads the fields of one entry, and remembers whose they are.
struct Reader<'a> {
    name: &'a str,
}

impl Reader<'_> {
    fn error(&self, field: &str, message: impl Into<String>) -> EntryError {
        EntryError {
            entry: self.name.to_owned(),
            field: field.to_owned(),
            message: message.into(),
        }
    }

    fn needed<T>(&self, field: &str, value: Option<T>, example: &str) -> Result<T, EntryError> {
        value.ok_or_else(|| {
            self.error(
                field,
                format!("it is missing; a new model needs it, for example {example}"),
            )
        })
    }

    fn within<T: Copy + PartialOrd + std::fmt::Display>(
        &self,
        field: &str,
        value: T,
        least: T,
        most: T,
    ) -> Result<T, EntryError> {
        if value < least || value > most {
            return Err(self.error(field, format!("{value} is not between {least} and {most}")));
        }
        Ok(value)
    }

    fn amount(&self, field: &str, amount: &Amount, least: u64, most: u64) -> Result<u64, EntryError> {
        let value = match amount {
            Amount::Number(number) => *number,
            Amount::Text(text) => {
                // Parameters are counted in B (billions), where quantities say G.
                let quantity = match text.strip_suffix('B') {
                    Some(billions) => format!("{billions}G").parse::<Quantity>(),
                    None => text.parse::<Quantity>(),
                };
                let wrong = || {
                    self.error(
                        field,
                        format!("{text:?} is no number; write 70.55B, 13.5Gi or digits"),
                    )
                };
                let quantity = quantity.map_err(|_| wrong())?;
                u64::try_from(quantity.ceil_units()).map_err(|_| wrong())?
            }
        };
        self.within(field, value, least, most)
    }

    fn source(&self, field: &str, text: &str) -> Result<ModelSource, EntryError> {
        text.parse::<ModelSource>()
            .map_err(|wrong| self.error(field, wrong.to_string()))
    }
}

impl Entry {
    pub(super) fn parse(name: &str, raw: RawEntry) -> Result<Self, EntryError> {
        let reader = Reader { name };
        if !is_short_name(name) {
            let words = format!(
                "{name:?} is no short name; use small letters, digits, '-' and '.', for example llama-3-70b"
            );
            return Err(reader.error("", words));
        }
        let shape = shape(&reader, &raw)?;
        let context = reader.needed("context", raw.context, "131072")?;
        let context = reader.within("context", context, 256, 1 << 24)?;
        let default_context = raw.default_context.unwrap_or(context);
        let default_context = reader.within("defaultContext", default_context, 256, context)?;
        let published = raw.precision.unwrap_or(Precision::Bf16);
        let min_version =
            match &raw.min_version {
                Some(text) => Some(text.parse().map_err(|()| {
                    reader.error("minVersion", format!("{text:?} is no version; write 0.10.1"))
                })?),
                None => None,
            };
        let variants = variants(&reader, &raw, &shape, published)?;
        for alias in raw.aliases.iter().flatten() {
            if super::names::key(alias).is_empty() || alias.len() > 256 {
                return Err(reader.error("aliases", format!("{alias:?} is no name")));
            }
        }
        Ok(Self {
            name: name.to_owned(),
            aliases: raw.aliases.unwrap_or_default(),
            licence: raw.licence,
            engine: raw.engine.unwrap_or(Engine::Vllm),
            image: raw.image,
            min_version,
            args: raw.args.unwrap_or_default(),
            ollama: raw.ollama,
            shape,
            context,
            default_context,
            published,
            variants,
        })
    }
}

fn is_short_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let edges = name.starts_with(['-', '.']) || name.ends_with(['-', '.']);
    !name.is_empty() && name.len() <= NAME_LENGTH && name.chars().all(allowed) && !edges
}

fn shape(reader: &Reader<'_>, raw: &RawEntry) -> Result<Shape, EntryError> {
    let parameters = reader.needed("parameters", raw.parameters.as_ref(), "8.03B")?;
    let parameters = reader.amount("parameters", parameters, 1_000_000, 100_000_000_000_000)?;
    let active_parameters = match &raw.active_parameters {
        Some(active) => reader.amount("activeParameters", active, 1_000_000, parameters)?,
        None => parameters,
    };
    let layers = reader.needed("layers", raw.layers, "32")?;
    let heads = reader.needed("heads", raw.heads, "32")?;
    let heads = reader.within("heads", heads, 1, 4096)?;
    let hidden = raw
        .hidden
        .map(|hidden| reader.within("hidden", hidden, 1, 1 << 20))
        .transpose()?;
    let vocabulary = raw
        .vocabulary
        .map(|vocabulary| reader.within("vocabulary", vocabulary, 1, 1 << 24))
        .transpose()?;
    let tables = if raw.tied_embeddings == Some(true) { 1 } else { 2 };
    let embeddings = match (hidden, vocabulary) {
        (Some(hidden), Some(vocabulary)) => u64::from(hidden) * u64::from(vocabulary) * tables,
        _ => 0,
    };
    Ok(Shape {
        parameters,
        active_parameters,
        embedding_parameters: embeddings.min(parameters),
        layers: reader.within("layers", layers, 1, 4096)?,
        heads,
        attention: attention(reader, raw, heads, hidden)?,
    })
}

fn attention(
    reader: &Reader<'_>,
    raw: &RawEntry,
    heads: u32,
    hidden: Option<u32>,
) -> Result<Attention, EntryError> {
    if let Some(width) = raw.latent {
        let width = reader.within("latent", width, 1, 1 << 16)?;
        return Ok(Attention::Latent { width });
    }
    let kv_heads = reader.within("kvHeads", raw.kv_heads.unwrap_or(heads), 1, heads)?;
    let head_dim = raw.head_dim.or_else(|| hidden.map(|hidden| hidden / heads));
    let head_dim = reader.needed("headDim", head_dim, "128, or hidden: 4096")?;
    Ok(Attention::Heads {
        kv_heads,
        head_dim: reader.within("headDim", head_dim, 1, 4096)?,
    })
}

/// What is listed, the published weights, and what the engine can make of them while it loads.
fn variants(
    reader: &Reader<'_>,
    raw: &RawEntry,
    shape: &Shape,
    published: Precision,
) -> Result<BTreeMap<Precision, Variant>, EntryError> {
    let source = reader.needed("source", raw.source.as_deref(), "hf://org/name")?;
    let source = reader.source("source", source)?;
    let gated = raw.gated.unwrap_or(false) && matches!(source, ModelSource::HuggingFace { .. });
    let read = |precision: Precision, raw: &RawVariant| -> Result<Variant, EntryError> {
        let field = |name: &str| format!("quantizations.{precision}.{name}");
        let size = |name: &str, amount: &Option<Amount>, default: u64| match amount {
            Some(amount) => reader.amount(&field(name), amount, 1 << 20, 1 << 50),
            None => Ok(default),
        };
        let computed = precision.bytes(shape.parameters, shape.embedding_parameters);
        let weights_bytes = size("weights", &raw.weights, computed)?;
        let own = match &raw.source {
            Some(text) => Some(reader.source(&field("source"), text)?),
            None if precision == published => None,
            None => {
                let words = format!("it is missing; the model's own source holds {published}");
                return Err(reader.error(&field("source"), words));
            }
        };
        Ok(Variant {
            gated: raw.gated.unwrap_or(own.is_none() && gated),
            source: own.unwrap_or_else(|| source.clone()),
            weights_bytes,
            files_bytes: size("files", &raw.files, weights_bytes)?,
            while_loading: false,
        })
    };
    let mut variants = BTreeMap::new();
    for (precision, raw) in raw.quantizations.iter().flatten() {
        variants.insert(*precision, read(*precision, raw)?);
    }
    if let Vacancy::Vacant(vacant) = variants.entry(published) {
        vacant.insert(read(published, &RawVariant::default())?);
    }
    let wide = variants.get(&Precision::Bf16).cloned();
    if let (Some(wide), false) = (wide, variants.contains_key(&Precision::Fp8)) {
        let narrow = Variant {
            weights_bytes: Precision::Fp8.bytes(shape.parameters, shape.embedding_parameters),
            while_loading: true,
            ..wide
        };
        variants.insert(Precision::Fp8, narrow);
    }
    Ok(variants)
}
