//! Every known bug of prem-operator (`docs/prem.md` lists them) has a test that fails while the bug is there. Those of
//! maps (3 and 4) stand in `prem_maps` as well, that of archives (7) where downloads run.

use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        core::v1::{Pod, Service},
        networking::v1::Ingress,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};
use kube::ResourceExt;
use serde_json::json;
use testkit::Target;

use crate::{
    common::bed,
    scene::{NAME, apply, edit, generic, pods, stopped},
    seen::{deployment, pod_spec, service, serving, wait_error, wait_word},
};

/// Bug 1.7-1: what somebody does to Deployment, Service and Ingress is undone, deletion included.
/// Promises: S4-7, S4-31
#[tokio::test]
async fn bug_1_7_1_drift_is_repaired() {
    let space = bed().await.space("drift").await;
    apply(&space, "small", generic(json!({}))).await;
    wait_word(&space, "small", "Ready").await;

    let image =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "serving", "image": "other"}]}}}});
    edit::<Deployment>(&space, "small", image).await;
    edit::<Service>(&space, "small", json!({"spec": {"selector": {NAME: "other"}}})).await;
    edit::<Ingress>(
        &space,
        "small",
        json!({"spec": {"rules": [{"host": "other.example.com"}]}}),
    )
    .await;
    let is = |deployment: &Deployment| {
        let pod = deployment.spec.as_ref().unwrap().template.spec.as_ref().unwrap();
        pod.containers[0].image.as_deref() == Some("your-registry/gpt-small:v1")
    };
    space.wait("has its image", "small", is).await;
    space
        .wait("leads to its Pods", "small", |service: &Service| {
            service.spec.as_ref().unwrap().selector == Some([(NAME.to_owned(), "small".to_owned())].into())
        })
        .await;
    space
        .wait("has its host", "small", |ingress| {
            hosts(ingress) == ["small.example.com"]
        })
        .await;

    let before: Deployment = space.api().get("small").await.unwrap();
    space.delete::<Deployment>("small").await;
    space.delete::<Service>("small").await;
    space.delete::<Ingress>("small").await;
    space
        .wait("is made anew", "small", |found: &Deployment| {
            found.uid() != before.uid() && is(found)
        })
        .await;
    space.wait("is made anew", "small", |_: &Service| true).await;
    space.wait("is made anew", "small", |_: &Ingress| true).await;
    wait_word(&space, "small", "Ready").await;
}

/// Hosts of an Ingress, in order.
fn hosts(ingress: &Ingress) -> Vec<&str> {
    let rules = ingress.spec.iter().flat_map(|spec| spec.rules.iter().flatten());
    rules.filter_map(|rule| rule.host.as_deref()).collect()
}

/// Bug 1.7-1: without an endpoint the status follows the Pods too, to ready, away from it and back.
/// Promises: S4-25, S4-31
#[tokio::test]
async fn bug_1_7_1_the_status_follows_the_pods() {
    let bed = bed().await;
    let space = bed.space("follows").await;
    let probe = json!({"name": "server", "image": "your-registry/gpt-small:v1", "readinessProbe":
        {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1}});
    let probed = json!({"endpoint": null, "deployment": {"template": {"spec": {"containers": [probe]}}}});
    apply(&space, "small", generic(probed)).await;
    wait_word(&space, "small", "Ready").await;
    let target = Target::pods(&space.namespace, "small-");
    let faults = bed.cluster.nodes().unwrap().faults();
    faults.fail_readiness(&target);
    let status = wait_word(&space, "small", "NotReady").await;
    assert_eq!(status.ready_replicas, Some(0));
    faults.heal(&target);
    let status = wait_word(&space, "small", "Ready").await;
    assert_eq!((status.ready_replicas, status.err_msg), (Some(1), None));
}

/// Bug 1.7-2: `errMsg` goes when what it tells is mended, be it the spec or somebody else's object.
/// Promises: S4-25, S4-31
#[tokio::test]
async fn bug_1_7_2_the_error_clears() {
    let space = bed().await.space("clears").await;
    space
        .apply(&json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "small"}, "spec": {"ports": [{"port": 1}]}}).to_string())
        .await;
    apply(&space, "small", generic(json!({"engine": {"name": "genericc"}}))).await;
    let status = wait_error(&space, "small", "unknown engine genericc").await;
    assert_eq!(status.status.as_deref(), Some("Failed"));
    apply(&space, "small", generic(json!({}))).await;
    let status = wait_error(&space, "small", "Service small").await;
    assert_eq!(status.status.as_deref(), Some("Failed"));
    space.delete::<Service>("small").await;
    // An edit wakes it; else the name is looked at again after a while.
    let edited = json!({"env": [{"name": "A", "value": "b"}]});
    apply(&space, "small", generic(edited)).await;
    let status = wait_word(&space, "small", "Ready").await;
    assert_eq!(status.err_msg, None);
    assert_eq!(status.observed_generation, Some(3));
}

/// Bug 1.7-8: a template without containers is told; a probe's override without the probe makes one; port 0 and no
/// endpoint at all are ports nobody named, not ports that are refused.
/// Promises: S4-20, S4-31
#[tokio::test]
async fn bug_1_7_8_generic_is_forgiving() {
    let space = bed().await.space("generic").await;
    for (name, template) in [
        ("no-containers", json!({"spec": {"containers": []}})),
        ("no-spec", json!({})),
    ] {
        let mut spec = generic(json!({}));
        spec["deployment"]["template"] = template;
        apply(&space, name, spec).await;
        wait_error(
            &space,
            name,
            "engine generic requires a pod template with a container",
        )
        .await;
    }
    let mut spec = generic(json!({}));
    spec["deployment"].as_object_mut().unwrap().remove("template");
    apply(&space, "no-template", spec).await;
    wait_error(&space, "no-template", "engine generic requires a pod template").await;

    let change = json!({"deployment": {"livenessProbe": {"periodSeconds": 7}}});
    apply(&space, "probe", generic(change)).await;
    wait_word(&space, "probe", "Ready").await;
    let probe = serving(&space, "probe").await.liveness_probe.unwrap();
    assert_eq!(probe.period_seconds, Some(7));
    assert_eq!(probe.tcp_socket.unwrap().port, IntOrString::Int(8080));

    for (name, endpoint) in [
        ("zero", json!([{"domain": "a.example.com", "port": 0}])),
        ("none", json!(null)),
    ] {
        apply(&space, name, generic(json!({ "endpoint": endpoint }))).await;
        wait_word(&space, name, "Ready").await;
        let ports = service(&space, name).await.spec.unwrap().ports.unwrap();
        assert_eq!(ports[0].port, 8000, "{name}");
        assert_eq!(serving(&space, name).await.ports, None, "{name}");
    }
}

/// Bug 1.7-9: a label of a person that would replace the one by which Pods are found is told, in either place, and what
/// serves goes on. The Service goes by that label alone, so that it leads to old and new Pods while others change.
/// Promises: S4-23, S4-31
#[tokio::test]
async fn bug_1_7_9_the_selector_is_not_a_persons() {
    let space = bed().await.space("labels").await;
    let with = |selected: &str, team: &str| {
        generic(json!({"deployment": {"labels": {NAME: selected, "team": team}}}))
    };
    let selector = Some([(NAME.to_owned(), "small".to_owned())].into());
    apply(&space, "small", with("small", "a")).await;
    wait_word(&space, "small", "Ready").await;
    let first = pods(&space, "small").await.remove(0);
    assert_eq!(first.labels()["team"], "a");
    assert_eq!(service(&space, "small").await.spec.unwrap().selector, selector);

    let mut in_template = generic(json!({}));
    in_template["deployment"]["template"]["metadata"] = json!({"labels": {NAME: "other"}});
    for stolen in [with("other", "a"), in_template] {
        apply(&space, "small", stolen).await;
        let status = wait_error(
            &space,
            "small",
            "selects the Pods and is always the resource's name",
        )
        .await;
        assert_eq!(
            (status.status.as_deref(), status.ready_replicas),
            (Some("Failed"), Some(1))
        );
        apply(&space, "small", with("small", "a")).await;
        wait_word(&space, "small", "Ready").await;
    }
    assert_eq!(pods(&space, "small").await[0].name_any(), first.name_any());

    apply(&space, "small", with("small", "b")).await;
    space.wait_gone::<Pod>(&first.name_any()).await;
    let status = wait_word(&space, "small", "Ready").await;
    assert_eq!(status.err_msg, None);
    assert_eq!(pods(&space, "small").await[0].labels()["team"], "b");
    assert_eq!(service(&space, "small").await.spec.unwrap().selector, selector);
    let spec = deployment(&space, "small").await.spec.unwrap();
    assert_eq!(spec.selector.match_labels, selector);
}

/// Bug 1.7-10: vLLM has what the template says; variables reach DeepSpeed-MII and Triton.
/// Promises: S4-31
#[tokio::test]
async fn bug_1_7_10_templates_and_variables_of_every_engine() {
    let space = bed().await.space("honours").await;
    let template = json!({"spec": {
        "imagePullSecrets": [{"name": "mirror"}],
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "containers": [],
        "volumes": [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}],
        "priorityClassName": "system-cluster-critical",
    }});
    for (name, models) in [
        ("vllm", json!([{"uri": "org/name"}])),
        ("deepspeed-mii", json!([{"uri": "org/name"}])),
        ("triton", json!([])),
        ("localai", json!([])),
    ] {
        let spec = json!({"models": models, "deployment": {"template": template}, "env": [{"name": "A", "value": "b"}]});
        apply(&space, name, stopped(name, spec)).await;
        let pod = pod_spec(&space, name).await;
        assert_eq!(
            json!(pod.image_pull_secrets),
            json!([{"name": "mirror"}]),
            "{name}"
        );
        let tolerations = pod.tolerations.clone().unwrap();
        assert!(
            tolerations.iter().any(|one| one.key.as_deref() == Some("gpu")),
            "{name}: {tolerations:?}"
        );
        let volumes = pod.volumes.clone().unwrap();
        assert_eq!(volumes[0].name, "shm", "{name}");
        assert_eq!(
            pod.priority_class_name.as_deref(),
            Some("system-cluster-critical"),
            "{name}"
        );
        let env = serving(&space, name).await.env.unwrap();
        assert_eq!(
            (env[0].name.as_str(), env[0].value.as_deref()),
            ("A", Some("b")),
            "{name}"
        );
    }
}

/// Bug 1.7-11: GPUs that stand in the limits alone are GPUs.
/// Promises: S4-15, S4-31
#[tokio::test]
async fn bug_1_7_11_limits_alone_ask_for_gpus() {
    let space = bed().await.space("limits").await;
    let spec = json!({"deployment": {
        "accelerator": {"interface": "CUDA"},
        "resources": {"limits": {"nvidia.com/gpu": 2}},
    }});
    apply(&space, "small", generic(spec)).await;
    let status = wait_word(&space, "small", "Ready").await;
    assert_eq!(status.gpu.as_deref(), Some("2 x GPU"));
    let pod = pods(&space, "small").await.remove(0).spec.unwrap();
    assert_eq!(pod.runtime_class_name.as_deref(), Some("nvidia"));
    let resources = pod.containers[0].resources.clone().unwrap();
    let two =
        |amounts: Option<std::collections::BTreeMap<_, _>>| json!(amounts.unwrap()["nvidia.com/gpu"]) == "2";
    assert!(two(resources.requests) && two(resources.limits));
}
