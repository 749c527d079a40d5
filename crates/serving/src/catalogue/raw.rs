//! An entry as it is written.
//!
//! In: YAML or JSON. Out: its fields, each of which may be missing, since an entry of the cluster may change one field of a
//! built-in one. It must not check values; [`entry`](super::entry) does.

use std::collections::BTreeMap;

use api::shared::Engine;
use serde::Deserialize;
use serde_json::Value;

use super::{EntryError, Precision};

/// A number with or without a unit: `8030000000`, `8.03B`, `13.5Gi`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum Amount {
    Number(u64),
    Text(String),
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawEntry {
    pub aliases: Option<Vec<String>>,
    pub source: Option<String>,
    pub ollama: Option<String>,
    pub licence: Option<String>,
    pub gated: Option<bool>,
    pub engine: Option<Engine>,
    pub image: Option<String>,
    pub min_version: Option<String>,
    pub args: Option<Vec<String>>,
    pub parameters: Option<Amount>,
    pub active_parameters: Option<Amount>,
    pub layers: Option<u32>,
    pub hidden: Option<u32>,
    pub heads: Option<u32>,
    pub kv_heads: Option<u32>,
    pub head_dim: Option<u32>,
    pub latent: Option<u32>,
    pub vocabulary: Option<u32>,
    pub tied_embeddings: Option<bool>,
    pub context: Option<u64>,
    pub default_context: Option<u64>,
    pub precision: Option<Precision>,
    pub quantizations: Option<BTreeMap<Precision, RawVariant>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawVariant {
    pub source: Option<String>,
    pub gated: Option<bool>,
    pub weights: Option<Amount>,
    pub files: Option<Amount>,
}

impl RawEntry {
    /// Reads one entry; the error names the field.
    pub(super) fn parse(name: &str, text: &str) -> Result<Self, EntryError> {
        let error = |field: String, message: String| EntryError {
            entry: name.to_owned(),
            field,
            message,
        };
        let value: Value = serde_saphyr::from_str(text).map_err(|wrong| {
            let line = wrong.to_string();
            let line = line.lines().next().unwrap_or_default();
            error(String::new(), format!("it is no YAML: {line}"))
        })?;
        if !value.is_object() {
            return Err(error(
                String::new(),
                "it is no YAML or JSON object with the fields of a model".to_owned(),
            ));
        }
        serde_path_to_error::deserialize(value).map_err(|wrong| {
            let field = wrong.path().to_string();
            let field = if field == "." { String::new() } else { field };
            error(field, wrong.into_inner().to_string())
        })
    }

    /// These fields, and those of `base` that are not said here. Another source is another repository: whether `base` is gated
    /// says nothing about it.
    pub(super) fn over(self, base: Self) -> Self {
        let gated = if self.source.is_some() {
            self.gated
        } else {
            self.gated.or(base.gated)
        };
        let quantizations = match (self.quantizations, base.quantizations) {
            (Some(own), Some(mut all)) => {
                all.extend(own);
                Some(all)
            }
            (own, base) => own.or(base),
        };
        Self {
            aliases: self.aliases.or(base.aliases),
            source: self.source.or(base.source),
            ollama: self.ollama.or(base.ollama),
            licence: self.licence.or(base.licence),
            gated,
            engine: self.engine.or(base.engine),
            image: self.image.or(base.image),
            min_version: self.min_version.or(base.min_version),
            args: self.args.or(base.args),
            parameters: self.parameters.or(base.parameters),
            active_parameters: self.active_parameters.or(base.active_parameters),
            layers: self.layers.or(base.layers),
            hidden: self.hidden.or(base.hidden),
            heads: self.heads.or(base.heads),
            kv_heads: self.kv_heads.or(base.kv_heads),
            head_dim: self.head_dim.or(base.head_dim),
            latent: self.latent.or(base.latent),
            vocabulary: self.vocabulary.or(base.vocabulary),
            tied_embeddings: self.tied_embeddings.or(base.tied_embeddings),
            context: self.context.or(base.context),
            default_context: self.default_context.or(base.default_context),
            precision: self.precision.or(base.precision),
            quantizations,
        }
    }
}
