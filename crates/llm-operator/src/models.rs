//! `llm-operator models`: the catalogue of models as a table or as JSON.
//!
//! In: a file with a cluster's entries, or none. Out: what can be served by name. It decides nothing.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Value, json};
use serving::catalogue::{Attention, Catalogue, Entry, EntryError, Precision};

use crate::cli::{ModelsArgs, ModelsOutput};

/// Prints the catalogue; entries of the file that are wrong are the error.
pub fn main(args: &ModelsArgs) -> Result<(), String> {
    let (catalogue, wrong) = catalogue(args.catalogue.as_deref())?;
    let text = match args.output {
        ModelsOutput::Table => table(&rows(&catalogue, false)),
        ModelsOutput::Wide => table(&rows(&catalogue, true)),
        ModelsOutput::Json => {
            let all: Vec<Value> = catalogue.entries().map(json).collect();
            let text = serde_json::to_string_pretty(&all).map_err(|error| error.to_string())?;
            format!("{text}\n")
        }
    };
    crate::print(&text)?;
    if wrong.is_empty() {
        return Ok(());
    }
    let wrong: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    Err(format!("entries that are left out: {}", wrong.join("; ")))
}

/// The built-in catalogue and a file's entries: a `ConfigMap`, or only its data.
pub fn catalogue(file: Option<&Path>) -> Result<(Catalogue, Vec<EntryError>), String> {
    let Some(file) = file else {
        return Ok((Catalogue::builtin().clone(), Vec::new()));
    };
    let text =
        fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let value: Value =
        serde_saphyr::from_str(&text).map_err(|error| format!("{} is no YAML: {error}", file.display()))?;
    let data = match value {
        Value::Object(mut object) if object.get("kind").is_some_and(|kind| kind == "ConfigMap") => {
            object.remove("data").unwrap_or_else(|| json!({}))
        }
        other => other,
    };
    let Value::Object(data) = data else {
        return Err(format!(
            "{} has no models; write short names as keys, and the fields of a model below each",
            file.display()
        ));
    };
    let text = |value: Value| match value {
        Value::String(text) => text,
        // JSON is YAML too.
        other => other.to_string(),
    };
    let data: BTreeMap<String, String> = data
        .into_iter()
        .map(|(name, value)| (name, text(value)))
        .collect();
    Ok(Catalogue::builtin().overridden_by(&data))
}

fn rows(catalogue: &Catalogue, wide: bool) -> Vec<Vec<String>> {
    let mut titles = vec![
        "NAME",
        "PARAMETERS",
        "CONTEXT",
        "PUBLISHED",
        "QUANTIZATIONS",
        "TOKEN",
    ];
    if wide {
        titles.extend(["ENGINE", "LICENCE", "SOURCE", "ALIASES"]);
    }
    let titles = titles.into_iter().map(ToOwned::to_owned).collect();
    std::iter::once(titles)
        .chain(catalogue.entries().map(|entry| row(entry, wide)))
        .collect()
}

fn row(entry: &Entry, wide: bool) -> Vec<String> {
    let shape = &entry.shape;
    let parameters = if shape.is_mixture() {
        format!(
            "{} ({} active)",
            billions(shape.parameters),
            billions(shape.active_parameters)
        )
    } else {
        billions(shape.parameters)
    };
    let others: Vec<&str> = entry
        .variants
        .keys()
        .filter(|precision| **precision != entry.published)
        .map(|precision| precision.as_str())
        .collect();
    let mut row = vec![
        entry.name.clone(),
        parameters,
        entry.context.to_string(),
        entry.published.to_string(),
        or_dash(&others.join(",")),
        if gated(entry) { "needed" } else { "-" }.to_owned(),
    ];
    if wide {
        let engine = match entry.min_version {
            Some(least) => format!("{}>={least}", entry.engine.as_str()),
            None => entry.engine.as_str().to_owned(),
        };
        row.extend([
            engine,
            or_dash(entry.licence.as_deref().unwrap_or_default()),
            source(entry),
            or_dash(&entry.aliases.join(",").replace(' ', "_")),
        ]);
    }
    row
}

fn gated(entry: &Entry) -> bool {
    entry.published_variant().is_some_and(|variant| variant.gated)
}

fn source(entry: &Entry) -> String {
    entry
        .published_variant()
        .map(|variant| variant.source.to_string())
        .unwrap_or_default()
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-" } else { text }.to_owned()
}

/// `70.55B`.
fn billions(count: u64) -> String {
    let hundredths = count / 10_000_000 + u64::from(count % 10_000_000 >= 5_000_000);
    format!("{}.{:02}B", hundredths / 100, hundredths % 100)
}

/// Columns as wide as their longest cell; the last one is not filled up.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(String::len)
            .max()
    };
    let widths: Vec<usize> = (0..columns)
        .map(|column| width(column).unwrap_or_default())
        .collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn json(entry: &Entry) -> Value {
    let shape = &entry.shape;
    let (kv_heads, head_dim, latent) = match shape.attention {
        Attention::Heads { kv_heads, head_dim } => (Some(kv_heads), Some(head_dim), None),
        Attention::Latent { width } => (None, None, Some(width)),
    };
    let variant = |precision: &Precision| {
        let variant = &entry.variants[precision];
        json!({
            "source": variant.source.to_string(),
            "gated": variant.gated,
            "weightsBytes": variant.weights_bytes,
            "filesBytes": variant.files_bytes,
            "whileLoading": variant.while_loading,
        })
    };
    let variants: BTreeMap<&str, Value> = entry
        .variants
        .keys()
        .map(|precision| (precision.as_str(), variant(precision)))
        .collect();
    json!({
        "name": entry.name,
        "aliases": entry.aliases,
        "source": source(entry),
        "ollama": entry.ollama,
        "licence": entry.licence,
        "gated": gated(entry),
        "engine": entry.engine.as_str(),
        "image": entry.image,
        "minVersion": entry.min_version.map(|version| version.to_string()),
        "args": entry.args,
        "parameters": shape.parameters,
        "activeParameters": shape.active_parameters,
        "layers": shape.layers,
        "heads": shape.heads,
        "kvHeads": kv_heads,
        "headDim": head_dim,
        "latent": latent,
        "context": entry.context,
        "defaultContext": entry.default_context,
        "kvBytesPerToken": shape.kv_bytes_per_token(),
        "published": entry.published.as_str(),
        "quantizations": variants,
    })
}
