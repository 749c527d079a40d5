//! The bill of materials as `CycloneDX` 1.6 has it. Pure.

use serde_json::{Value, json};

use super::component::Component;

/// The document. It has no time and no random number: the same sources give the same bytes.
pub fn document(all: &[Component]) -> Result<String, String> {
    let product = all.iter().find(|one| one.name == "llm-operator");
    let product = product.ok_or("llm-operator itself is not among the components")?;
    let components: Vec<Value> = all.iter().filter(|one| *one != product).map(component).collect();
    let document = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "container",
                "name": product.name,
                "version": product.version,
                "bom-ref": "image",
                "licenses": [{ "expression": product.licence }],
            },
        },
        "components": components,
    });
    serde_json::to_string_pretty(&document)
        .map(|text| text + "\n")
        .map_err(|error| error.to_string())
}

fn component(one: &Component) -> Value {
    let mut value = json!({
        "type": "library",
        "name": one.name,
        "version": one.version,
        "purl": one.purl(),
        "bom-ref": one.purl(),
        // Licences are joined by a slash in older crates; expressions have a word for it.
        "licenses": [{ "expression": one.licence.as_deref().unwrap_or_default().replace('/', " OR ") }],
        "properties": [{ "name": "llm-operator:program", "value": one.program }],
    });
    if let Some(sha256) = &one.sha256 {
        value["hashes"] = json!([{ "alg": "SHA-256", "content": sha256 }]);
    }
    value
}
