//! Who refers to a map: each engine gets its own variant, an edit reaches whoever serves it, and they are counted.

use api::premlabs_io::v1alpha1::AIDeployment;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::ConfigMap};
use kube::api::{ListParams, PostParams};

use crate::{
    common::{Space, bed},
    seen::{map, wait_map},
};

const MAP: &str = "
  localai:
    - {variant: small, uri: phi-2}
  vllm:
    - {variant: small, uri: microsoft/phi-2, dataType: float16, quantization: awq}
    - {variant: large, uri: microsoft/phi-3}
  deepspeed-mii:
    - {variant: small, uri: microsoft/phi-2-mii}
  tensor_rt:
    - {variant: small, uri: 'http://models.example.com/phi.plan'}
";

fn user(name: &str, engine: &str, variant: &str) -> String {
    format!(
        "apiVersion: premlabs.io/v1alpha1\nkind: AIDeployment\nmetadata: {{name: {name}}}\nspec:
  engine: {{name: {engine}}}
  models:
  - modelMapRef: {{name: phi, variant: {variant}}}
  deployment: {{replicas: 0}}
"
    )
}

/// Arguments of the engine, with the variables of init containers behind them.
fn words(deployment: &Deployment) -> String {
    let pod = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.template.spec.as_ref());
    let pod = pod.unwrap();
    let engine = pod.containers.iter().find(|one| one.name == "serving").unwrap();
    let args = engine.args.clone().unwrap_or_default();
    let variables = pod
        .init_containers
        .iter()
        .flatten()
        .flat_map(|init| init.env.iter().flatten());
    let values = variables.filter_map(|variable| variable.value.clone());
    args.into_iter().chain(values).collect::<Vec<_>>().join(" ")
}

async fn wait_words(space: &Space, name: &str, wanted: &[&str]) {
    space
        .wait(&wanted.join(" "), name, |deployment: &Deployment| {
            let words = words(deployment);
            wanted.iter().all(|word| words.contains(word))
        })
        .await;
}

/// One map over four engines, used by several deployments: each engine finds its own list, and URI, data type and
/// quantization of the variant reach it. The map counts who refers to it.
/// Promises: S4-3, S4-4, S4-5
#[tokio::test]
async fn each_engine_gets_its_own_variant() {
    let space = bed().await.space("engines").await;
    // In the wrong order on purpose.
    for (name, engine) in [
        ("a", "localai"),
        ("b", "vllm"),
        ("c", "deepspeed-mii"),
        ("d", "triton"),
    ] {
        space.apply(&user(name, engine, "small")).await;
    }
    space.apply(&map("phi", MAP)).await;
    wait_words(&space, "a", &["phi-2"]).await;
    wait_words(
        &space,
        "b",
        &["--model microsoft/phi-2", "--dtype float16", "--quantization awq"],
    )
    .await;
    wait_words(&space, "c", &["--uri microsoft/phi-2-mii"]).await;
    wait_words(&space, "d", &["http://models.example.com/phi.plan"]).await;
    wait_map(&space, "phi", "four users", |status| status.used_by == Some(4)).await;

    space.delete::<AIDeployment>("a").await;
    wait_map(&space, "phi", "three users", |status| status.used_by == Some(3)).await;
    let inline =
        user("b", "vllm", "large").replace("modelMapRef: {name: phi, variant: large}", "uri: other/model");
    space.apply(&inline).await;
    wait_map(&space, "phi", "two users", |status| status.used_by == Some(2)).await;
}

/// 1.7-3: an edit of a variant rolls the Deployments that use it, and no other.
/// Promises: S4-31
#[tokio::test]
async fn an_edit_rolls_whoever_uses_it() {
    let space = bed().await.space("rolls").await;
    space.apply(&map("phi", MAP)).await;
    space.apply(&user("small", "vllm", "small")).await;
    space.apply(&user("large", "vllm", "large")).await;
    wait_words(&space, "small", &["--model microsoft/phi-2"]).await;
    wait_words(&space, "large", &["--model microsoft/phi-3"]).await;
    let other: Deployment = space.api().get("large").await.unwrap();
    space
        .apply(&map(
            "phi",
            &MAP.replace("microsoft/phi-2,", "microsoft/phi-2.5,"),
        ))
        .await;
    wait_words(&space, "small", &["--model microsoft/phi-2.5"]).await;
    let after: Deployment = space.api().get("large").await.unwrap();
    assert_eq!(after.metadata.generation, other.metadata.generation);
}

/// The items that the engine's configuration volume takes from the `ConfigMap` `phi`.
fn mounted(deployment: &Deployment) -> Vec<(String, String)> {
    let pod = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.template.spec.as_ref());
    let volumes = pod.and_then(|pod| pod.volumes.as_ref()).into_iter().flatten();
    let sources = volumes
        .filter(|volume| volume.name == "configs")
        .filter_map(|volume| volume.projected.as_ref()?.sources.as_ref())
        .flatten();
    let maps = sources.filter_map(|source| source.config_map.as_ref());
    maps.filter(|map| map.name == "phi")
        .flat_map(|map| map.items.iter().flatten())
        .map(|item| (item.key.clone(), item.path.clone()))
        .collect()
}

/// `LocalAI` gets the variant's configuration file out of the map's `ConfigMap`; an edit of the file makes new Pods
/// (1.7-3), since an init container has copied the old one.
/// Promises: S4-4, S4-18, S4-31
#[tokio::test]
async fn localai_mounts_the_file_of_its_variant() {
    let space = bed().await.space("mounts").await;
    let with = |file: &str| {
        map(
            "phi",
            &format!(
                "  localai:\n  - {{variant: small, engineConfigFile: '{file}'}}\n  - {{variant: b, engineConfigFile: x}}\n"
            ),
        )
    };
    space.apply(&with("name: one")).await;
    space.apply(&user("chat", "localai", "small")).await;
    let item = ("localai-small-engineConfigFile", "engine/phi-small.yaml");
    let item = (item.0.to_owned(), item.1.to_owned());
    let first: Deployment = space
        .wait("mounts the file", "chat", |deployment: &Deployment| {
            mounted(deployment) == [item.clone()]
        })
        .await;
    space.apply(&with("name: two")).await;
    let template = |deployment: &Deployment| deployment.spec.as_ref().map(|spec| spec.template.clone());
    space
        .wait("has another template", "chat", |deployment: &Deployment| {
            template(deployment) != template(&first) && mounted(deployment) == [item.clone()]
        })
        .await;
}

/// A `ConfigMap` of the map's name that is somebody else's is not mounted in place of the map's: the engine gets the
/// file all the same, out of one of its own.
/// Promises: S4-31
#[tokio::test]
async fn somebody_elses_file_is_not_mounted() {
    let space = bed().await.space("theirs").await;
    let theirs = serde_json::from_value(serde_json::json!({
        "metadata": {"name": "phi"}, "data": {"localai-small-engineConfigFile": "theirs"},
    }));
    let files = space.api::<ConfigMap>();
    files
        .create(&PostParams::default(), &theirs.unwrap())
        .await
        .unwrap();
    space
        .apply(&map(
            "phi",
            "  localai:\n  - {variant: small, engineConfigFile: 'name: ours'}\n",
        ))
        .await;
    space.apply(&user("chat", "localai", "small")).await;
    wait_map(&space, "phi", "is blocked", |status| {
        status.state == Some(api::shared::State::Blocked)
    })
    .await;
    space
        .wait("mounts a file of its own", "chat", |deployment: &Deployment| {
            mounted(deployment).is_empty()
        })
        .await;
    let of_resource = ListParams::default().labels("llm-operator.io/name=chat");
    let own = files.list(&of_resource).await.unwrap().items;
    let data: Vec<_> = own.into_iter().filter_map(|one| one.data).flatten().collect();
    assert_eq!(data.len(), 1, "{data:?}");
    assert_eq!(data[0].1, "name: ours");
}

/// A map or variant that is missing is told by name, and forgotten when it comes.
/// Promises: S4-31
#[tokio::test]
async fn what_is_missing_is_told_until_it_comes() {
    let space = bed().await.space("missing").await;
    let told = async |reason: &str, words: &[&str]| {
        let what = format!("{reason}: {words:?}");
        space
            .wait(&what, "chat", |resource: &AIDeployment| {
                resource.status.as_ref().is_some_and(|status| {
                    let message = status.err_msg.as_deref().unwrap_or_default();
                    status.reason.as_deref() == Some(reason)
                        && status.status.as_deref() == Some("Failed")
                        && words.iter().all(|word| message.contains(word))
                })
            })
            .await;
    };
    space.apply(&user("chat", "vllm", "small")).await;
    told("ModelMapNotFound", &["AIModelMap phi"]).await;
    space
        .apply(&map("phi", "  vllm:\n  - {variant: large, uri: a/b}\n"))
        .await;
    told("VariantNotFound", &["small", "vllm", "large"]).await;
    space.apply(&map("phi", MAP)).await;
    space
        .wait("recovers", "chat", |resource: &AIDeployment| {
            let status = resource.status.as_ref();
            status.is_some_and(|status| status.err_msg.is_none() && status.observed_generation == Some(1))
        })
        .await;
}

/// A map of another namespace is open unless it names those that may refer to it.
#[tokio::test]
async fn another_namespace_needs_to_be_admitted_once_there_is_a_list() {
    let bed = bed().await;
    let (owner, guest) = (bed.space("owner").await, bed.space("guest").await);
    let lists = |allowed: &str| {
        format!("  allowedNamespaces: [{allowed}]\n  vllm:\n  - {{variant: small, uri: a/b}}\n")
    };
    let elsewhere = user("chat", "vllm", "small").replace(
        "name: phi,",
        &format!("namespace: {}, name: phi,", owner.namespace),
    );
    owner.apply(&map("phi", &lists(""))).await;
    guest.apply(&elsewhere).await;
    let reason = |wanted: &'static str| {
        move |resource: &AIDeployment| {
            let status = resource.status.as_ref();
            status.and_then(|status| status.reason.as_deref()) == Some(wanted)
        }
    };
    guest.wait("is refused", "chat", reason("NotAllowed")).await;
    assert!(guest.api::<Deployment>().get_opt("chat").await.unwrap().is_none());
    owner.apply(&map("phi", &lists(&guest.namespace))).await;
    wait_words(&guest, "chat", &["--model a/b"]).await;
    wait_map(&owner, "phi", "one user", |status| status.used_by == Some(1)).await;
}
