//! `install`, `deploy`, `undeploy`, `uninstall` and `help` on a real control plane.

use api::{
    infra_example_com::v1::NvidiaGpuLlm, opendatahub_io::components::v1alpha1::Llmd,
    premlabs_io::v1alpha1::AutoNodeLabeler,
};
use k8s_openapi::{
    api::{apps::v1::Deployment, rbac::v1::ClusterRole},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Resource, ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use serde::de::DeserializeOwned;
use testkit::Cluster;

use crate::{
    common::{PATIENCE, leftovers::FINALIZED},
    make, text,
    undeploy::{left_overs, with_image},
};

/// Only the other's finalizer is left; then that one goes too.
async fn let_go<K>(resources: &Api<K>, name: &str)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let left = resources.get(name).await.unwrap();
    assert_eq!(left.finalizers(), ["example.com/other"], "{}", K::kind(&()));
    let patch = Patch::Merge(serde_json::json!({"metadata": {"finalizers": null}}));
    resources
        .patch(name, &PatchParams::default(), &patch)
        .await
        .unwrap();
}

/// Promises: S1-15, S2-16, S4-8
#[tokio::test]
async fn the_operator_is_installed_and_removed() {
    let cluster = with_image("make-targets").await;
    let kubeconfig = cluster.kubeconfig();
    let kubectl = format!("KUBECTL={}", cluster.kubectl_path().display());
    let run = async |target: &str| {
        let args = [target, &kubectl, "IMG=example/llm-operator:test"];
        let output = make(&args, &[("KUBECONFIG", &kubeconfig)]).await;
        assert!(output.status.success(), "make {target}: {}", text(&output));
        text(&output)
    };
    let client = cluster.admin_client().await.unwrap();
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let count = async || {
        definitions
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .len()
    };

    run("install").await;
    assert_eq!(count().await, api::crds().len());
    run("deploy").await;
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), "llm-system");
    let deployment = deployments.get("llm-operator").await.unwrap();
    let containers = deployment.spec.unwrap().template.spec.unwrap().containers;
    assert_eq!(containers[0].image.as_deref(), Some("example/llm-operator:test"));
    let roles: Api<ClusterRole> = Api::all(client.clone());
    assert!(roles.get_opt("llm-operator").await.unwrap().is_some());
    run("deploy").await;
    run("install-optional").await;
    run("install-optional").await;
    assert_eq!(
        count().await,
        api::crds().len() + api::optional_crds().len(),
        "only when asked for"
    );

    // After it nobody is left who would take them off.
    cluster
        .apply_yaml(&FINALIZED.replace("NAMESPACE", "default"))
        .await
        .unwrap();
    let said = run("undeploy").await;
    assert!(
        said.contains("AutoNodeLabeler default/left waits for nobody now"),
        "{said}"
    );
    assert_eq!(left_overs(&cluster).await, Vec::<String>::new());
    let labelers: Api<AutoNodeLabeler> = Api::default_namespaced(client.clone());
    let models: Api<NvidiaGpuLlm> = Api::default_namespaced(client.clone());
    let_go(&labelers, "left").await;
    let_go(&models, "left").await;
    let_go(&Api::<Llmd>::all(client.clone()), "default-llm-d").await;
    run("uninstall").await;
    testkit::until("no definition is left", PATIENCE, async || {
        let left = count().await;
        if left == 0 {
            Ok(())
        } else {
            Err(format!("{left} definitions"))
        }
    })
    .await
    .unwrap();
    // There is no definition left to let go by, and that is no reason to fail.
    run("undeploy").await;
    assert_eq!(left_overs(&cluster).await, Vec::<String>::new());
}

/// A definition of the same name that others have installed is neither overwritten nor deleted.
#[tokio::test]
async fn what_belongs_to_others_stays() {
    let cluster = Cluster::builder().start().await.unwrap();
    let kubeconfig = cluster.kubeconfig();
    let kubectl = format!("KUBECTL={}", cluster.kubectl_path().display());
    let run = async |target: &str| make(&[target, &kubectl], &[("KUBECONFIG", &kubeconfig)]).await;
    let mut theirs = api::optional_crds().remove(0);
    theirs.metadata.labels = None;
    let name = theirs.metadata.name.clone().unwrap();
    cluster
        .apply_yaml(&serde_json::to_string(&theirs).unwrap())
        .await
        .unwrap();
    let definitions: Api<CustomResourceDefinition> = Api::all(cluster.admin_client().await.unwrap());
    let before = definitions.get(&name).await.unwrap();

    let refused = run("install-optional").await;
    let words = text(&refused);
    assert!(!refused.status.success(), "{words}");
    assert!(
        words.contains("dynamographdeployments.nvidia.com belongs to others"),
        "{words}"
    );
    let uninstalled = run("uninstall").await;
    assert!(uninstalled.status.success(), "{}", text(&uninstalled));
    let after = definitions.get(&name).await.unwrap();
    assert_eq!(after.metadata.uid, before.metadata.uid);
    assert_eq!(after.spec, before.spec);
    assert_eq!(after.metadata.labels, None);
}

/// The document's build path, as far as a machine without Docker goes: every step names the image.
/// Promises: S1-15, S2-16
#[tokio::test]
async fn the_image_is_built_pushed_and_deployed_by_its_name() {
    let image = "myregistry/llm-operator:v0.1.0";
    let args = [
        "--dry-run",
        "docker-build",
        "docker-push",
        "manifests",
        "deploy",
        "IMG=myregistry/llm-operator:v0.1.0",
        "DOCKER=docker",
    ];
    let said = text(&make(&args, &[]).await);
    for step in [
        format!("docker build -t {image} ."),
        format!("docker push {image}"),
        "crds --output-dir config/crd".to_owned(),
        format!("image: {image}|"),
    ] {
        assert!(said.contains(&step), "{step}: {said}");
    }
}

/// Promises: S4-8
#[tokio::test]
async fn help_lists_what_the_documents_promise() {
    let help = text(&make(&["help"], &[]).await);
    for target in [
        "kind-setup",
        "install",
        "install-optional",
        "deploy",
        "test",
        "manifests",
        "uninstall",
        "undeploy",
        "help",
        "demo",
    ] {
        assert!(
            help.contains(&format!("make {target} ")),
            "{target} is missing:\n{help}"
        );
    }
    assert!(make(&["--help"], &[]).await.status.success());
}
