//! prem-operator's hands: objects are created and then updated as a whole, at every look, by the field manager `manager`.

use api::premlabs_io::v1alpha1::{AIDeployment, AIModelMap};
use kube::{
    Api, ResourceExt,
    api::{DynamicObject, ListParams, Patch, PatchParams, PostParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};

use crate::common::{Space, repository_file};

/// The field manager of a controller-runtime binary called `manager`.
pub const OLD: &str = "manager";

/// What people wrote, for a namespace.
pub fn manifest(file: &str, space: &Space) -> String {
    let path = match file {
        "test.yaml" => "examples/test.yaml".to_owned(),
        "rich.yaml" | "fixed.yaml" | "kept.yaml" => {
            format!("crates/llm-operator/tests/prem_migration/manifests/{file}")
        }
        _ => format!("examples/prem/{file}"),
    };
    let text = repository_file(&path);
    let documents = text
        .split("\n---\n")
        .filter(|one| !one.contains("kind: Namespace"));
    let text = documents.collect::<Vec<_>>().join("\n---\n");
    let mut lines = Vec::new();
    for line in text.lines() {
        // An example for a namespace of its own.
        let of_namespace = line.trim_start().starts_with("namespace: ");
        lines.push(if of_namespace {
            format!("  namespace: {}", space.namespace)
        } else {
            line.to_owned()
        });
    }
    lines.join("\n")
}

/// What prem-operator made of it.
pub fn objects(file: &str) -> Vec<Value> {
    let text = repository_file(&format!(
        "crates/llm-operator/tests/prem_migration/objects/{file}"
    ));
    serde_saphyr::from_multiple(&text).unwrap()
}

/// Puts a manifest and all that prem-operator makes of it into the namespace.
pub async fn migrate_from(space: &Space, file: &str) {
    space.apply(&manifest(file, space)).await;
    for object in objects(file) {
        made(space, object).await;
    }
    for resource in space
        .api::<AIDeployment>()
        .list(&ListParams::default())
        .await
        .unwrap()
    {
        say(space, &resource.name_any()).await;
    }
}

/// Its status after a trouble that is over: it never takes `errMsg` back.
async fn say(space: &Space, name: &str) {
    let status = json!({"status": {"status": "Failed", "errMsg": "Reconciliation error: conflict"}});
    let params = PatchParams {
        field_manager: Some(OLD.to_owned()),
        ..PatchParams::default()
    };
    let api = space.api::<AIDeployment>();
    api.patch_status(name, &params, &Patch::Merge(status))
        .await
        .unwrap();
}

/// An object as prem-operator made it, for the resource of its name.
pub async fn made(space: &Space, mut object: Value) -> DynamicObject {
    let owner = owner(space, &object).await;
    object["metadata"]["ownerReferences"] = json!([owner]);
    made_as_is(space, object).await
}

/// The same with the owner that it says.
pub async fn made_as_is(space: &Space, mut object: Value) -> DynamicObject {
    object["metadata"]["namespace"] = json!(space.namespace);
    let api = api(space, &object);
    let params = PostParams {
        field_manager: Some(OLD.to_owned()),
        ..PostParams::default()
    };
    let object: DynamicObject = serde_json::from_value(object).unwrap();
    api.create(&params, &object).await.unwrap();
    // It updates at each look; the later ones find what controllers have added meanwhile.
    let mut latest = None;
    for _ in 0..3 {
        latest = Some(updated(&api, &params, &object).await);
    }
    latest.unwrap()
}

/// One look of prem-operator: the whole object as it wants it, without anything that it has not set itself.
pub async fn look(space: &Space, mut object: Value) {
    let owner = owner(space, &object).await;
    object["metadata"]["ownerReferences"] = json!([owner]);
    object["metadata"]["namespace"] = json!(space.namespace);
    let params = PostParams {
        field_manager: Some(OLD.to_owned()),
        ..PostParams::default()
    };
    let api = api(space, &object);
    updated(&api, &params, &serde_json::from_value(object).unwrap()).await;
}

async fn updated(api: &Api<DynamicObject>, params: &PostParams, object: &DynamicObject) -> DynamicObject {
    loop {
        let mut again = object.clone();
        let name = again.name_any();
        again.metadata.resource_version = api.get(&name).await.unwrap().resource_version();
        match api.replace(&name, params, &again).await {
            // A controller was faster.
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            replaced => return replaced.unwrap(),
        }
    }
}

/// The controller reference to the resource of the object's name.
async fn owner(space: &Space, object: &Value) -> Value {
    let name = object["metadata"]["name"].as_str().unwrap();
    let (kind, uid) = if object["kind"] == "ConfigMap" {
        (
            "AIModelMap",
            space.api::<AIModelMap>().get(name).await.unwrap().uid(),
        )
    } else {
        (
            "AIDeployment",
            space.api::<AIDeployment>().get(name).await.unwrap().uid(),
        )
    };
    json!({"apiVersion": "premlabs.io/v1alpha1", "kind": kind, "name": name, "uid": uid.unwrap(),
        "controller": true, "blockOwnerDeletion": true})
}

fn api(space: &Space, object: &Value) -> Api<DynamicObject> {
    let version = object["apiVersion"].as_str().unwrap();
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let kind = GroupVersionKind::gvk(group, version, object["kind"].as_str().unwrap());
    let resource = match kind.kind.as_str() {
        "Ingress" => ApiResource::from_gvk_with_plural(&kind, "ingresses"),
        _ => ApiResource::from_gvk(&kind),
    };
    Api::namespaced_with(space.client.clone(), &space.namespace, &resource)
}
