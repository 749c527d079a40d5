//! Service and Ingress, field by field, and how they follow the spec.

use k8s_openapi::api::{apps::v1::Deployment, core::v1::Service, networking::v1::Ingress};
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::{
    common::{Space, bed},
    scene::{NAME, apply, generic, stopped},
    seen::{service, serving, wait_word},
};

async fn ingress(space: &Space, name: &str) -> Ingress {
    space.wait("exists", name, |_: &Ingress| true).await
}

/// The Service has the engine's port by number, a person's labels and annotations beside the default one, and goes by
/// one label; both are followed when they change.
/// Promises: S4-1, S4-23
#[tokio::test]
async fn service_labels_and_annotations() {
    let space = bed().await.space("service").await;
    let with = |labels: Value, annotations: Value| {
        stopped(
            "localai",
            json!({"service": {"labels": labels, "annotations": annotations}}),
        )
    };
    apply(
        &space,
        "small",
        with(
            json!({"team": "a", "app.kubernetes.io/name": "mine", "llm-operator.io/name": "stolen"}),
            json!({"prometheus.io/scrape": "true"}),
        ),
    )
    .await;
    let made = service(&space, "small").await;
    let spec = made.spec.clone().unwrap();
    assert_eq!(
        json!(spec.ports),
        json!([{"port": 8080, "targetPort": 8080, "protocol": "TCP"}])
    );
    assert_eq!(spec.type_.as_deref(), Some("ClusterIP"));
    assert_eq!(json!(spec.selector), json!({NAME: "small"}));
    assert_eq!(made.annotations()[NAME], "small");
    assert_eq!(made.annotations()["prometheus.io/scrape"], "true");
    assert_eq!(made.labels()["team"], "a");
    assert_eq!(made.labels()["app.kubernetes.io/name"], "mine");
    assert_eq!(
        made.labels()["llm-operator.io/name"],
        "small",
        "by this the operator finds it"
    );

    apply(&space, "small", with(json!({"team": "b"}), json!(null))).await;
    let changed: Service = space
        .wait("has the new label", "small", |found: &Service| {
            found.labels().get("team").is_some_and(|team| team == "b")
        })
        .await;
    assert!(!changed.annotations().contains_key("prometheus.io/scrape"));
    assert_eq!(changed.annotations()[NAME], "small");
    assert_eq!(
        changed.spec.unwrap().cluster_ip,
        spec.cluster_ip,
        "the same Service"
    );
}

/// One rule for each host, everything under it to the Service's port, the Secret `<name>-tls` for all hosts, a person's
/// labels and annotations, no class unless said.
/// Promises: S4-1, S4-24
#[tokio::test]
async fn ingress_field_by_field() {
    let space = bed().await.space("ingress").await;
    let with = |ingress: Value| {
        let endpoints = json!([{"domain": "a.example.com"}, {"domain": "b.example.com", "port": 1234}]);
        stopped("localai", json!({"endpoint": endpoints, "ingress": ingress}))
    };
    apply(&space, "small", with(json!(null))).await;
    let made = ingress(&space, "small").await;
    let rule = |host: &str| {
        let backend = json!({"service": {"name": "small", "port": {"number": 8080}}});
        json!({"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}})
    };
    let rules = json!([rule("a.example.com"), rule("b.example.com")]);
    assert_eq!(json!(made.spec), json!({ "rules": rules }));
    assert_eq!(made.annotations()[NAME], "small");
    assert_eq!(json!(made.owner_references()[0].kind), "AIDeployment");
    let status = wait_word(&space, "small", "NotReady").await;
    assert_eq!(
        status.endpoints,
        ["http://a.example.com/", "http://b.example.com/"]
    );

    let more = json!({"tls": true, "className": "traefik", "labels": {"team": "a"},
        "annotations": {"cert-manager.io/cluster-issuer": "letsencrypt"}});
    apply(&space, "small", with(more)).await;
    let secured: Ingress = space
        .wait("has TLS", "small", |found: &Ingress| {
            found.spec.as_ref().unwrap().tls.is_some()
        })
        .await;
    let tls = json!([{"hosts": ["a.example.com", "b.example.com"], "secretName": "small-tls"}]);
    assert_eq!(
        json!(secured.spec),
        json!({"rules": rules, "tls": tls, "ingressClassName": "traefik"})
    );
    assert_eq!(secured.labels()["team"], "a");
    assert_eq!(
        secured.annotations()["cert-manager.io/cluster-issuer"],
        "letsencrypt"
    );
    let status = crate::seen::wait_status(&space, "small", "https", |status| {
        status
            .endpoints
            .first()
            .is_some_and(|url| url == "https://a.example.com/")
    })
    .await;
    assert_eq!(
        status.url,
        Some(format!("http://small.{}.svc:8080", space.namespace))
    );

    apply(&space, "small", with(json!({"tls": false}))).await;
    let plain: Ingress = space
        .wait("has no TLS", "small", |found: &Ingress| {
            found.spec.as_ref().unwrap().tls.is_none()
        })
        .await;
    assert_eq!(json!(plain.spec), json!({ "rules": rules }));
    assert!(!plain.labels().contains_key("team"));
}

/// There is no Ingress without an endpoint; it comes with the first, follows each, and goes with the last.
/// Promises: S4-2, S4-24
#[tokio::test]
async fn the_ingress_comes_and_goes_with_the_endpoints() {
    let space = bed().await.space("endpoints").await;
    let with = |endpoint: Value| stopped("localai", json!({ "endpoint": endpoint }));
    apply(&space, "small", with(json!(null))).await;
    wait_word(&space, "small", "NotReady").await;
    assert_eq!(space.api::<Ingress>().get_opt("small").await.unwrap(), None);
    for host in ["a.example.com", "b.example.com"] {
        apply(&space, "small", with(json!([{ "domain": host }]))).await;
        space
            .wait(host, "small", |found: &Ingress| {
                found.spec.as_ref().unwrap().rules.as_ref().unwrap()[0]
                    .host
                    .as_deref()
                    == Some(host)
            })
            .await;
    }
    apply(&space, "small", with(json!([]))).await;
    space.wait_gone::<Ingress>("small").await;
    let status = crate::seen::wait_status(&space, "small", "no endpoints", |status| {
        status.endpoints.is_empty()
    })
    .await;
    assert_eq!(status.err_msg, None);
}

/// What is added later is rolled out: a variable, an argument, a host.
/// Promises: S4-2, S4-7, S4-27
#[tokio::test]
async fn updates_are_rolled_out() {
    let space = bed().await.space("updates").await;
    apply(
        &space,
        "small",
        generic(json!({"endpoint": null, "env": [{"name": "PORT", "value": "8080"}]})),
    )
    .await;
    wait_word(&space, "small", "Ready").await;
    let edited = json!({
        "endpoint": [{"domain": "late.example.com", "port": 8081}],
        "env": [{"name": "A", "value": "b"}],
        "args": ["--port", "8081"],
    });
    apply(&space, "small", generic(edited)).await;
    space
        .wait("the new version alone", "small", |found: &Deployment| {
            found.status.as_ref().is_some_and(|status| {
                status.observed_generation == found.metadata.generation
                    && (status.updated_replicas, status.replicas, status.ready_replicas)
                        == (Some(1), Some(1), Some(1))
            }) && found.metadata.generation.is_some_and(|generation| generation > 1)
        })
        .await;
    let status = wait_word(&space, "small", "Ready").await;
    assert_eq!(status.observed_generation, Some(2));
    let container = serving(&space, "small").await;
    assert_eq!(json!(container.env), json!([{"name": "A", "value": "b"}]));
    assert_eq!(json!(container.args), json!(["--port", "8081"]));
    assert_eq!(
        service(&space, "small").await.spec.unwrap().ports.unwrap()[0].port,
        8081
    );
    let backend = json!(ingress(&space, "small").await.spec.unwrap().rules.unwrap()[0].http);
    assert_eq!(
        backend["paths"][0]["backend"]["service"]["port"],
        json!({"number": 8081})
    );
}

/// A person's arguments come after the engine's, with every engine.
/// Promises: S4-27
#[tokio::test]
async fn arguments_follow_the_engines_own() {
    let space = bed().await.space("arguments").await;
    for (engine, models, own) in [
        ("localai", json!([{"uri": "phi-2"}]), json!(["phi-2"])),
        (
            "vllm",
            json!([{"uri": "org/name"}]),
            json!(["--model", "org/name"]),
        ),
        (
            "deepspeed-mii",
            json!([{"uri": "org/name"}]),
            json!(["--uri", "org/name"]),
        ),
        (
            "triton",
            json!([]),
            json!(["tritonserver", "--model-repository=/models"]),
        ),
    ] {
        apply(
            &space,
            engine,
            stopped(engine, json!({"models": models, "args": ["--more", "1"]})),
        )
        .await;
        let mut expected = own.as_array().unwrap().clone();
        expected.extend([json!("--more"), json!("1")]);
        assert_eq!(
            json!(serving(&space, engine).await.args),
            Value::from(expected),
            "{engine}"
        );
    }
}
