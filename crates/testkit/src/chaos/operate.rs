//! What users do, done. In: an operation. Out: the resource as asked for, however often the API server has to be asked.

use serde_json::{Value, json};

use super::declared::{Declared, Id, Written};
use super::desk::{Desk, Refused};
use super::kinds::Kind;
use super::plan::Operation;

/// Does it. `declared` says what refers to what; what exists in it does not matter.
pub async fn operate(desk: &Desk, declared: &Declared, id: Id, operation: Operation) -> Result<(), String> {
    let path = format!("{}/{}", id.kind.path(&id.namespace()), id.name());
    let what = format!("{} {}", operation.name(), id.title());
    match operation {
        Operation::Create(written) => create(desk, &what, id, &declared.body(id, written), "").await,
        Operation::Edit(written) => {
            let spec = json!({"spec": declared.body(id, written)["spec"]});
            Desk::insist(&what, async || desk.merge(&path, &spec).await)
                .await
                .map(drop)
        }
        Operation::Scale(Written { .. }) if !id.kind.scales() => Ok(()),
        Operation::Scale(written) => {
            let scale = json!({"spec": {"replicas": Declared::replicas(id, written)}});
            // It alone has no subresource for that.
            let path = if id.kind == Kind::Graph {
                path
            } else {
                format!("{path}/scale")
            };
            Desk::insist(&what, async || desk.merge(&path, &scale).await)
                .await
                .map(drop)
        }
        Operation::Delete => Desk::insist(&what, async || desk.delete(&path).await).await,
        Operation::Recreate(written) => {
            let old = Desk::insist(&what, async || desk.get(&path).await).await?;
            Desk::insist(&what, async || desk.delete(&path).await).await?;
            let old = old["metadata"]["uid"].as_str().unwrap_or_default();
            create(desk, &what, id, &declared.body(id, written), old).await
        }
    }
}

/// An answer may be lost, and the old one may still be going: there has to be one that is neither `old` nor going.
async fn create(desk: &Desk, what: &str, id: Id, body: &Value, old: &str) -> Result<(), String> {
    let collection = id.kind.path(&id.namespace());
    let path = format!("{collection}/{}", id.name());
    Desk::insist(what, async || match desk.post(&collection, body).await {
        Err(Refused { code: 409, .. }) => {
            let there = desk.get(&path).await?;
            let meta = &there["metadata"];
            if meta["uid"] != old && meta["deletionTimestamp"].is_null() {
                return Ok(());
            }
            desk.post(&collection, body).await.map(drop)
        }
        other => other.map(drop),
    })
    .await
}
