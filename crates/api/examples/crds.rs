//! Prints the definitions as JSON, one list: for a look at them or `kubectl apply -f -`.

fn main() -> serde_json::Result<()> {
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": api::crds()});
    println!("{}", serde_json::to_string_pretty(&list)?);
    Ok(())
}
