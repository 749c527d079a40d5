//! The Pods of an `AIDeployment`: what each engine may do, and who may reach it.

use std::collections::BTreeMap;

use api::premlabs_io::v1alpha1::AIDeployment;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Container, PodSpec},
    networking::v1::NetworkPolicy,
};
use serde_json::{Value, json};

use crate::{
    common::{Space, repository_file},
    scene::bed,
};

/// Applies an `AIDeployment` without replicas, and returns the Pods that it would have.
async fn pods_of(space: &Space, name: &str, spec: &Value) -> PodSpec {
    let object = json!({
        "apiVersion": "premlabs.io/v1alpha1", "kind": "AIDeployment", "metadata": {"name": name}, "spec": spec,
    });
    space.apply(&object.to_string()).await;
    let made: Deployment = space.wait("exists", name, |_: &Deployment| true).await;
    made.spec.unwrap().template.spec.unwrap()
}

async fn ports(space: &Space, name: &str) -> Value {
    let policy: NetworkPolicy = space
        .wait("exists", &format!("{name}-llm-operator"), |_: &NetworkPolicy| {
            true
        })
        .await;
    let spec = policy.spec.unwrap();
    assert_eq!(
        json!(spec.pod_selector),
        json!({"matchLabels": {"mlcontroller.premlabs.io/ai-deployment": name}})
    );
    assert_eq!(
        spec.policy_types,
        Some(vec!["Ingress".to_owned(), "Egress".to_owned()])
    );
    let egress = spec.egress.unwrap();
    let dns = json!(egress[1].ports);
    assert_eq!(
        dns,
        json!([{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}])
    );
    let rules = spec.ingress.unwrap();
    assert_eq!(rules.len(), 1);
    let ports = rules[0].ports.iter().flatten().map(|port| json!(port.port));
    ports.collect()
}

fn all(pod: &PodSpec) -> impl Iterator<Item = &Container> {
    pod.init_containers.iter().flatten().chain(&pod.containers)
}

/// Every engine's new Pods: no token, seccomp, no privilege escalation, downloads included; the image's own user; and
/// behind a policy that opens the ports of the table in docs/security.md and no other.
/// Promises: S2-23
#[tokio::test]
async fn every_engine_is_hardened_and_closed() {
    let page = repository_file("docs/security.md");
    let space = bed().await.space("prem").await;
    let url = json!([{"uri": "http://models.example.com/m.tar.gz"}]);
    let container = json!({"containers": [{"name": "server", "image": "your-registry/gpt-small:v1"}]});
    let generic = json!({
        "endpoint": [{"domain": "a.example.com", "port": 8081}, {"domain": "b.example.com", "port": 9090}],
        "deployment": {"template": {"spec": container}},
    });
    for (engine, more, open) in [
        ("localai", json!({"models": url}), json!([8080])),
        ("vllm", json!({"models": [{"uri": "org/name"}]}), json!([8000])),
        (
            "deepspeed-mii",
            json!({"models": [{"uri": "org/name"}]}),
            json!([8080, 50051]),
        ),
        ("triton", json!({"models": url}), json!([8000, 8001, 8002])),
        ("generic", generic, json!([])),
    ] {
        let mut spec = json!({"engine": {"name": engine}, "deployment": {}});
        for (key, value) in more.as_object().unwrap() {
            spec[key] = value.clone();
        }
        spec["deployment"]["replicas"] = json!(0);
        let pod = pods_of(&space, engine, &spec).await;
        assert_eq!(pod.automount_service_account_token, Some(false), "{engine}");
        assert_eq!(
            json!(pod.security_context),
            json!({"seccompProfile": {"type": "RuntimeDefault"}}),
            "{engine}"
        );
        for container in all(&pod) {
            let context = container.security_context.clone().unwrap();
            assert_eq!(
                json!(context),
                json!({"allowPrivilegeEscalation": false}),
                "{engine} {}",
                container.name
            );
        }
        assert_eq!(ports(&space, engine).await, open, "{engine}");
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| `AIDeployment` with `{engine}` |")));
        let row = row.unwrap_or_else(|| panic!("docs/security.md has no row for {engine}"));
        let told = open
            .as_array()
            .unwrap()
            .iter()
            .all(|port| row.contains(&port.to_string()));
        assert!(engine == "generic" || told, "{row}");
    }
}

/// A sidecar of the template listens nobody knows where: then every port is open, to whom `access` admits.
/// Promises: S2-23
#[tokio::test]
async fn a_sidecar_opens_the_ports_and_access_narrows_who_comes() {
    let space = bed().await.space("sidecar").await;
    let template = json!({"spec": {"containers": [{"name": "metrics", "image": "traefik/whoami"}]}});
    let peers = json!([{"podSelector": {"matchLabels": {"app": "client"}}}]);
    let spec = json!({"engine": {"name": "localai"}, "deployment": {"replicas": 0, "template": template},
        "access": {"from": peers}});
    pods_of(&space, "side", &spec).await;
    assert_eq!(ports(&space, "side").await, json!([]));
    let policy: NetworkPolicy = space.api().get("side-llm-operator").await.unwrap();
    let from = json!(policy.spec.unwrap().ingress.unwrap()[0].from);
    assert_eq!(
        from.as_array().unwrap().len(),
        2,
        "the client and the operator: {from}"
    );
    assert_eq!(from[0], peers[0]);
}

/// What a template says about security is the person's, field by field; it is never more than that, and a namespace that
/// enforces a level is told, not worked around.
/// Promises: S2-23
#[tokio::test]
async fn a_template_decides_field_by_field() {
    let space = bed().await.space("person").await;
    let level = BTreeMap::from([("pod-security.kubernetes.io/enforce", "restricted")]);
    let patch = kube::api::Patch::Merge(json!({"metadata": {"labels": level}}));
    kube::Api::<k8s_openapi::api::core::v1::Namespace>::all(space.client.clone())
        .patch(&space.namespace, &kube::api::PatchParams::default(), &patch)
        .await
        .unwrap();
    let with = |name: &str, pod: Value, container: Value| {
        let mut server = json!({"name": "server", "image": "your-registry/gpt-small:v1"});
        server["securityContext"] = container;
        let mut template = json!({"containers": [server]});
        template["securityContext"] = pod;
        json!({
            "apiVersion": "premlabs.io/v1alpha1", "kind": "AIDeployment", "metadata": {"name": name},
            "spec": {"engine": {"name": "generic"}, "endpoint": [{"domain": "a.example.com", "port": 8080}],
                "deployment": {"template": {"spec": template}}},
        })
        .to_string()
    };
    space.apply(&with("plain", json!(null), json!(null))).await;
    let strict = (
        json!({"runAsNonRoot": true, "runAsUser": 2000}),
        json!({"capabilities": {"drop": ["ALL"]}}),
    );
    space.apply(&with("strict", strict.0, strict.1)).await;
    let word = |reason: &'static str| {
        move |object: &AIDeployment| {
            object.status.as_ref().and_then(|status| status.reason.as_deref()) == Some(reason)
        }
    };
    let refused = space
        .wait("is refused", "plain", word("PodSecurityViolation"))
        .await;
    assert!(refused.status.unwrap().err_msg.unwrap().contains("restricted"));
    space.wait("serves", "strict", word("AllReplicasReady")).await;
}
