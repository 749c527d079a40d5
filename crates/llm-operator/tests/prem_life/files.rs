//! Configuration files of engines, and models by number and by name.

use std::collections::BTreeSet;

use k8s_openapi::api::{apps::v1::Deployment, core::v1::ConfigMap};
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::{
    common::{Space, bed},
    scene::{apply, apply_map, pods, stopped},
    seen::{deployment, pod_spec, wait_word},
};

/// `LocalAI` with these models.
fn local_ai(models: Value) -> Value {
    json!({"engine": {"name": "localai"}, "models": models})
}

/// What the operator keeps of configuration files for a resource.
async fn own_files(space: &Space, name: &str) -> Vec<String> {
    let map: ConfigMap = space
        .wait("exists", &format!("{name}-engine-config"), |_: &ConfigMap| true)
        .await;
    map.data.unwrap().into_values().collect()
}

/// Waits until the Pods of `name` are other ones than `before` and serve.
async fn wait_replaced(space: &Space, name: &str, before: &str) {
    testkit::until("a new Pod alone", crate::common::PATIENCE, async || {
        let names: Vec<String> = pods(space, name)
            .await
            .iter()
            .map(ResourceExt::name_any)
            .collect();
        if names.len() == 1 && names[0] != before {
            Ok(())
        } else {
            Err(format!("{names:?}"))
        }
    })
    .await
    .unwrap();
    wait_word(space, name, "Ready").await;
}

/// Bug 1.7-3: an edit of a file in a map replaces the Pods of everyone who uses that variant, and of nobody else.
/// Promises: S4-5, S4-31
#[tokio::test]
async fn bug_1_7_3_an_edited_map_replaces_the_pods_of_all_its_users() {
    let space = bed().await.space("map").await;
    let map = |used: &str| {
        json!({"localai": [
            {"variant": "used", "engineConfigFile": format!("name: {used}")},
            {"variant": "other", "engineConfigFile": "name: other"},
        ]})
    };
    let user = |variant: &str| local_ai(json!([{"modelMapRef": {"name": "shared", "variant": variant}}]));
    apply_map(&space, "shared", map("one")).await;
    for (name, variant) in [("first", "used"), ("second", "used"), ("third", "other")] {
        apply(&space, name, user(variant)).await;
    }
    let mut before = Vec::new();
    for name in ["first", "second", "third"] {
        wait_word(&space, name, "Ready").await;
        before.push(pods(&space, name).await.remove(0).name_any());
    }
    apply_map(&space, "shared", map("two")).await;
    wait_replaced(&space, "first", &before[0]).await;
    wait_replaced(&space, "second", &before[1]).await;
    assert_eq!(pods(&space, "third").await[0].name_any(), before[2]);
    let held: ConfigMap = space.api().get("shared").await.unwrap();
    assert_eq!(held.data.unwrap()["localai-used-engineConfigFile"], "name: two");
}

/// Bug 1.7-5: a file that stands in the resource, or in a map of another namespace, is held by a `ConfigMap` of the
/// resource; an edit of either replaces the Pods, and without files the `ConfigMap` goes.
/// Promises: S4-31
#[tokio::test]
async fn bug_1_7_5_files_without_a_map_beside_the_pods() {
    let bed = bed().await;
    let (space, owner) = (bed.space("inline").await, bed.space("owner").await);
    apply(
        &space,
        "inline",
        local_ai(json!([{"engineConfigFile": "name: mine"}])),
    )
    .await;
    apply_map(
        &owner,
        "shared",
        json!({"localai": [{"variant": "a", "engineConfigFile": "name: theirs"}]}),
    )
    .await;
    let reference =
        json!([{"modelMapRef": {"namespace": owner.namespace, "name": "shared", "variant": "a"}}]);
    apply(&space, "elsewhere", local_ai(reference)).await;

    wait_word(&space, "inline", "Ready").await;
    wait_word(&space, "elsewhere", "Ready").await;
    assert_eq!(own_files(&space, "inline").await, ["name: mine"]);
    assert_eq!(own_files(&space, "elsewhere").await, ["name: theirs"]);
    let inline = pods(&space, "inline").await.remove(0).name_any();
    let elsewhere = pods(&space, "elsewhere").await.remove(0).name_any();

    apply(
        &space,
        "inline",
        local_ai(json!([{"engineConfigFile": "name: edited"}])),
    )
    .await;
    apply_map(
        &owner,
        "shared",
        json!({"localai": [{"variant": "a", "engineConfigFile": "name: edited-too"}]}),
    )
    .await;
    wait_replaced(&space, "inline", &inline).await;
    wait_replaced(&space, "elsewhere", &elsewhere).await;
    assert_eq!(own_files(&space, "inline").await, ["name: edited"]);
    assert_eq!(own_files(&space, "elsewhere").await, ["name: edited-too"]);

    apply(&space, "inline", local_ai(json!([{"uri": "phi-2"}]))).await;
    space.wait_gone::<ConfigMap>("inline-engine-config").await;
    wait_word(&space, "inline", "Ready").await;
}

/// Bug 1.7-6: several models over HTTP, and maps whose names have dots, make init containers that the API server takes,
/// each with a file or folder of its own.
/// Promises: S4-31
#[tokio::test]
async fn bug_1_7_6_many_downloads_and_names_with_dots() {
    let space = bed().await.space("downloads").await;
    let url = |file: &str| format!("http://models.example.com/{file}");
    let variants = json!([
        {"variant": "small", "uri": url("small.gguf")},
        {"variant": "large", "uri": url("large.gguf")},
    ]);
    apply_map(
        &space,
        "phi-2.5",
        json!({"localai": variants, "tensor_rt": variants}),
    )
    .await;
    let of_map = |variant: &str| json!({"modelMapRef": {"name": "phi-2.5", "variant": variant}});
    let models = json!([of_map("small"), {"uri": url("a.gguf")}, of_map("large"), {"uri": url("b.gguf")}]);
    for engine in ["localai", "triton"] {
        apply(&space, engine, stopped(engine, json!({ "models": models }))).await;
        deployment(&space, engine).await;
        let init = pod_spec(&space, engine).await.init_containers.unwrap();
        let names: BTreeSet<&str> = init.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names.len(), 4, "{engine}: {names:?}");
        let variable = |name: &str| -> BTreeSet<String> {
            let env = init.iter().flat_map(|one| one.env.iter().flatten());
            env.filter(|one| one.name == name)
                .filter_map(|one| one.value.clone())
                .collect()
        };
        assert_eq!(
            variable("MODEL_NAME").len(),
            4,
            "{engine}: {:?}",
            variable("MODEL_NAME")
        );
        let urls: BTreeSet<String> = ["small.gguf", "large.gguf", "a.gguf", "b.gguf"].map(url).into();
        assert_eq!(variable("MODEL_PATH"), urls, "{engine}");
        wait_word(&space, engine, "NotReady").await;
    }
    let all = space
        .api::<Deployment>()
        .list(&kube::api::ListParams::default())
        .await
        .unwrap();
    assert_eq!(all.items.len(), 2);
}
