//! Changes of the resource: versions, values, charts that come and go, another namespace.

use k8s_openapi::api::apps::v1::Deployment;
use kube::{Api, api::ListParams};
use serde_json::{Value, json};

use crate::bed::{Bed, DOCUMENT, PATIENCE, condition, message};

/// Waits until every Deployment is as its controller leaves it, with no Pod on its way out: until then it writes about them.
async fn rolled_out(bed: &Bed) {
    let deployments: Api<Deployment> = Api::namespaced(bed.client.clone(), "llm-d");
    let is_done = |one: &Deployment| {
        let number = |number: Option<i32>| number.unwrap_or(0);
        let wanted = number(one.spec.as_ref().and_then(|spec| spec.replicas));
        let status = one.status.clone().unwrap_or_default();
        let counts = [
            status.replicas,
            status.updated_replicas,
            status.available_replicas,
        ];
        status.observed_generation == one.metadata.generation
            && counts.map(number) == [wanted; 3]
            && number(status.terminating_replicas) == 0
    };
    testkit::until("the rollouts to be over", PATIENCE, async || {
        let all = deployments.list(&ListParams::default()).await.unwrap().items;
        match all.iter().find(|one| !is_done(one)) {
            None => Ok(()),
            Some(one) => Err(format!("{:?}: {:?}", one.metadata.name, one.status)),
        }
    })
    .await
    .unwrap();
}

/// Another version and other values upgrade one release and no other; values of a ConfigMap and of the spec win over the operator's;
/// values that a chart refuses touch nothing; a chart that is switched off is uninstalled, and the others are fitted to it.
/// Promises: S1-20, S1-27, S1-29, S1-30
#[tokio::test]
async fn versions_and_values_are_followed() {
    let bed = Bed::new().await;
    bed.apply(DOCUMENT).await;
    bed.ready().await;

    bed.patch(json!({"spec": {"modelService": {"version": "v0.2.12"}}}))
        .await;
    let llmd = bed
        .wait("the upgrade", |llmd| {
            version(llmd, "llm-d-modelservice") == ("0.2.12".to_owned(), 2)
        })
        .await;
    assert_eq!(
        version(&llmd, "llm-d-infra"),
        ("1.3.3".to_owned(), 1),
        "others stay"
    );
    bed.ready().await;

    let values = "decode:\n  replicas: 3\nrouting:\n  servicePort: 9000\n";
    bed.apply(
        &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "values", "namespace": "llm-d"},
                "data": {"values.yaml": values}})
        .to_string(),
    )
    .await;
    bed.patch(json!({"spec": {"modelService": {
        "valuesFrom": [{"kind": "ConfigMap", "name": "values"}],
        "values": {"decode": {"replicas": 2}},
    }}}))
    .await;
    bed.wait("the new values", |llmd| {
        version(llmd, "llm-d-modelservice").1 == 3
    })
    .await;
    let route = bed
        .kubectl(&["get", "httproute", "-n", "llm-d", "-o", "yaml"])
        .await;
    assert!(route.contains("port: 9000"), "{route}");
    let decode = [
        "get",
        "deployment",
        "llm-d-modelservice-decode",
        "-n",
        "llm-d",
        "-o",
        "jsonpath={.spec.replicas}",
    ];
    assert_eq!(bed.kubectl(&decode).await, "2", "the spec wins");

    bed.patch(json!({"spec": {"modelService": {"values": {"decode": {"replicaz": 2}}}}}))
        .await;
    let llmd = bed
        .wait("values are refused", |llmd| {
            condition(llmd, "Ready").1 == "ValuesRefused"
        })
        .await;
    assert!(
        message(&llmd, "Ready").contains("replicaz"),
        "{}",
        message(&llmd, "Ready")
    );
    assert_eq!(version(&llmd, "llm-d-modelservice").1, 3, "nothing is touched");
    assert_eq!(bed.kubectl(&decode).await, "2");
    bed.patch(json!({"spec": {"modelService": {"values": {"decode": {"replicaz": null}}}}}))
        .await;
    bed.ready().await;

    bed.patch(json!({"spec": {"gatewayAPI": {"enabled": false}}}))
        .await;
    bed.wait("the pool's chart goes", |llmd| {
        let releases = &llmd.status.as_ref().unwrap().releases;
        releases.len() == 2 && version(llmd, "llm-d-modelservice").1 == 4
    })
    .await;
    bed.ready().await;
    let list = bed.helm(&["list", "-q"]).await;
    assert!(!list.contains("inferencepool"), "{list}");
    let own = bed
        .kubectl(&["get", "deployment", "-n", "llm-d", "-o", "name"])
        .await;
    assert!(
        own.contains("llm-d-modelservice-epp") && !own.contains("inferencepool-epp"),
        "{own}"
    );

    bed.patch(json!({"spec": {"infra": null, "modelService": null}}))
        .await;
    bed.wait("all go", |llmd| llmd.status.as_ref().unwrap().releases.is_empty())
        .await;
    let left = bed
        .kubectl(&["get", "httproute,gateway,deployment", "-n", "llm-d", "-o", "name"])
        .await;
    assert_eq!(left, "", "the route of a hook, too");
}

/// What is edited or deleted by hand is put right without a new revision, and an unchanged cluster is left alone.
/// Promises: S1-8
#[tokio::test]
async fn drift_is_put_right_and_rest_is_quiet() {
    let bed = Bed::new().await;
    bed.apply(DOCUMENT).await;
    let before = bed.ready().await;
    let deployment = "deployment/llm-d-modelservice-decode";
    bed.kubectl(&[
        "-n",
        "llm-d",
        "set",
        "image",
        deployment,
        "vllm=traefik/whoami:other",
    ])
    .await;
    bed.kubectl(&["-n", "llm-d", "delete", "service", "inferencepool-epp"])
        .await;
    bed.kubectl(&[
        "-n",
        "llm-d",
        "label",
        "serviceaccount",
        "llm-d-modelservice",
        "app.kubernetes.io/part-of-",
    ])
    .await;
    // A route that a hook has made is forgotten by Helm, and kept all the same.
    bed.kubectl(&["-n", "llm-d", "delete", "httproute", "llm-d-modelservice"])
        .await;
    testkit::until("everything is as it was", PATIENCE, async || {
        let image = "jsonpath={.spec.template.spec.containers[0].image}";
        let image = bed
            .try_kubectl(&["-n", "llm-d", "get", deployment, "-o", image])
            .await
            .1;
        let service = bed
            .try_kubectl(&["-n", "llm-d", "get", "service", "inferencepool-epp"])
            .await
            .0;
        let label = "jsonpath={.metadata.labels.app\\.kubernetes\\.io/part-of}";
        let label = bed
            .try_kubectl(&[
                "-n",
                "llm-d",
                "get",
                "serviceaccount",
                "llm-d-modelservice",
                "-o",
                label,
            ])
            .await
            .1;
        let route = ["-n", "llm-d", "get", "httproute", "llm-d-modelservice"];
        let found = (image, service && bed.try_kubectl(&route).await.0, label);
        let wanted = ("traefik/whoami:v1.10".to_owned(), true, "llm-d".to_owned());
        if found == wanted {
            Ok(())
        } else {
            Err(format!("{found:?}"))
        }
    })
    .await
    .unwrap_or_else(|error| panic!("{error}\n{}", bed.log()));
    let after = bed.ready().await;
    for release in ["llm-d-infra", "inferencepool", "llm-d-modelservice"] {
        assert_eq!(version(&before, release), version(&after, release), "no revision");
    }

    // It was Ready all the while or is so again; what was put right is still rolled out, and told.
    rolled_out(&bed).await;
    bed.quiet().await;
    let rest = bed.llmds().get("default-llm-d").await.unwrap();
    let secrets = [
        "-n",
        "llm-d",
        "get",
        "secrets,deployments,services",
        "-o",
        "jsonpath={.items[*].metadata.resourceVersion}",
    ];
    let stored = bed.kubectl(&secrets).await;
    for turn in 0..20 {
        let turn = format!("example.com/turn={turn}");
        bed.kubectl(&["annotate", "--overwrite", "llmd", "default-llm-d", &turn])
            .await;
    }
    bed.patch(json!({"metadata": {"annotations": {"example.com/turn": Value::Null}}}))
        .await;
    bed.ready().await;
    assert_eq!(bed.kubectl(&secrets).await, stored, "nothing is written at rest");
    let now = bed.llmds().get("default-llm-d").await.unwrap();
    assert_eq!(now.status, rest.status);
}

/// Charts that need unknown kinds wait, the others are deployed, and it heals by itself; a release of somebody else is left alone.
#[tokio::test]
async fn missing_kinds_and_foreign_releases_are_told() {
    let bed = Bed::with(&[]).await;
    bed.apply(DOCUMENT).await;
    let llmd = bed
        .wait("kinds are missing", |llmd| {
            condition(llmd, "DependenciesAvailable").1 == "KindsMissing"
        })
        .await;
    let said = message(&llmd, "DependenciesAvailable");
    for kind in [
        "Gateway (gateway.networking.k8s.io/v1)",
        "InferencePool (inference.networking.k8s.io/v1)",
        "Telemetry",
    ] {
        assert!(said.contains(kind), "{said}");
    }
    assert_eq!(bed.helm(&["list", "-q"]).await, "", "no chart is half installed");
    for kind in &crate::bed::FOREIGN {
        bed.define(kind).await;
    }
    bed.ready().await;
    bed.kubectl(&["delete", "llmd", "default-llm-d", "--timeout=60s"])
        .await;
    let (gone, said) = bed
        .try_kubectl(&["wait", "--for=delete", "namespace/llm-d", "--timeout=60s"])
        .await;
    assert!(gone, "{said}");

    bed.kubectl(&["create", "namespace", "llm-d"]).await;
    let archive = bed.charts_dir().join("llm-d-infra-v1.3.3.tgz");
    bed.helm(&[
        "install",
        "llm-d-infra",
        &archive.to_string_lossy(),
        "--set",
        "gateway.fullnameOverride=mine",
    ])
    .await;
    bed.apply(DOCUMENT).await;
    let llmd = bed
        .wait("a release is somebody's", |llmd| {
            condition(llmd, "Ready").1 == "ReleaseTaken"
        })
        .await;
    let said = message(&llmd, "Ready");
    assert!(
        said.contains("kubectl -n llm-d label secret -l owner=helm,name=llm-d-infra"),
        "{said}"
    );
    let command: Vec<&str> = said
        .split("hand it over: kubectl ")
        .nth(1)
        .unwrap()
        .split(' ')
        .collect();
    bed.kubectl(&command).await;
    bed.ready().await;
    let gateway = bed
        .kubectl(&["get", "gateway", "-n", "llm-d", "-o", "name"])
        .await;
    assert_eq!(
        gateway.trim(),
        "gateway.gateway.networking.k8s.io/inference-gateway"
    );
    bed.kubectl(&["delete", "llmd", "default-llm-d", "--timeout=60s"])
        .await;
    let namespace = bed
        .kubectl(&["get", "namespace", "llm-d", "-o", "jsonpath={.status.phase}"])
        .await;
    assert_eq!(namespace, "Active", "one that a person made stays");
}

/// The releases move to another namespace; a wrong name is refused at admission, and so are a second one and a range of versions.
/// Promises: S1-1, S1-28
#[tokio::test]
async fn another_namespace_and_refusals_at_admission() {
    let bed = Bed::new().await;
    for (edit, words) in [
        (
            ("name: default-llm-d", "name: mine"),
            "Llmd name must be default-llm-d",
        ),
        (("version: \"1.3.3\"", "version: \"^1.3.0\""), "not a range"),
        (
            ("enabled: true\n    version: \"1.3.3\"", "version: \"1.3.3\""),
            "enabled",
        ),
    ] {
        let yaml = DOCUMENT.replace(edit.0, edit.1);
        let refused = bed.cluster.apply_yaml(&yaml).await.unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
    }
    bed.apply(DOCUMENT).await;
    bed.ready().await;
    bed.patch(json!({"spec": {"namespace": "serving"}})).await;
    bed.wait("the move", |llmd| {
        let status = llmd.status.as_ref().unwrap();
        status.namespace.as_deref() == Some("serving") && condition(llmd, "Ready").0 == "True"
    })
    .await;
    let (gone, said) = bed
        .try_kubectl(&["wait", "--for=delete", "namespace/llm-d", "--timeout=60s"])
        .await;
    assert!(gone, "{said}");
    let there = bed
        .kubectl(&[
            "get",
            "deployment",
            "-n",
            "serving",
            "-l",
            "app.kubernetes.io/part-of=llm-d",
            "-o",
            "name",
        ])
        .await;
    assert_eq!(there.lines().count(), 3, "{there}");
}

/// What keeps the Pods of a chart from serving is told as for every other kind, and one chart alone is what its project made it.
/// Promises: S1-20
#[tokio::test]
async fn what_keeps_pods_is_told() {
    let bed = Bed::new().await;
    let container = json!({"name": "vllm", "image": "traefik/whoami:v1.10", "resources": {"limits": {"nvidia.com/gpu": "16"}}});
    let spec = json!({"modelService": {"enabled": true, "values": {"decode": {"containers": [container]}}}, "infra": {"enabled": false}});
    let llmd = json!({"apiVersion": "components.platform.opendatahub.io/v1alpha1", "kind": "Llmd",
                      "metadata": {"name": "default-llm-d"}, "spec": spec});
    bed.apply(&llmd.to_string()).await;
    let llmd = bed
        .wait("no node has as many GPUs", |llmd| {
            let said = message(llmd, "DeploymentsAvailable");
            let installed = condition(llmd, "ProvisioningSucceeded").0 == "True";
            installed && said.contains("2/3 deployments ready") && said.contains("nvidia.com/gpu")
        })
        .await;
    assert_eq!(
        condition(&llmd, "Ready"),
        ("False".to_owned(), "DeploymentsNotReady".to_owned())
    );
    bed.patch(json!({"spec": {"modelService": {"values": Value::Null}}}))
        .await;
    bed.ready().await;
}

/// Objects that a chart puts into another namespace are kept like the others, without end; texts of Secrets are in no status.
/// Promises: S1-27
#[tokio::test]
async fn objects_elsewhere_and_secret_values() {
    let bed = Bed::new().await;
    let elsewhere = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "elsewhere", "namespace": "kube-public"}, "data": {"a": "1"}});
    bed.kubectl(&["create", "namespace", "llm-d"]).await;
    // The API server refuses the object, and says what it was given.
    let secret = json!({"extraObjects": [elsewhere, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "bad"},
        "spec": {"type": "very-secret-word", "ports": [{"port": 80}]}}]});
    let stored = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "values", "namespace": "llm-d"},
                        "stringData": {"values.yaml": secret.to_string()}});
    bed.apply(&stored.to_string()).await;
    let llmd = json!({"apiVersion": "components.platform.opendatahub.io/v1alpha1", "kind": "Llmd",
        "metadata": {"name": "default-llm-d"}, "spec": {"remediation": {"retries": 0}, "modelService": {"enabled": true,
        "valuesFrom": [{"kind": "Secret", "name": "values"}]}}});
    bed.apply(&llmd.to_string()).await;
    let failed = bed
        .wait("it is refused", |llmd| {
            condition(llmd, "Ready").1 == "RetriesExhausted"
        })
        .await;
    let told = serde_json::to_string(&failed.status).unwrap();
    assert!(
        !told.contains("very-secret-word") && told.contains("***"),
        "{told}"
    );
    assert!(!bed.log().contains("very-secret-word"), "{}", bed.log());

    let right = json!({"extraObjects": [elsewhere]}).to_string();
    let patch = json!({"stringData": {"values.yaml": right}}).to_string();
    bed.kubectl(&["-n", "llm-d", "patch", "secret", "values", "-p", &patch])
        .await;
    bed.ready().await;
    let map = [
        "-n",
        "kube-public",
        "get",
        "configmap",
        "elsewhere",
        "-o",
        "jsonpath={.metadata.resourceVersion} {.data.a}",
    ];
    let before = bed.kubectl(&map).await;
    bed.kubectl(&["annotate", "llmd", "default-llm-d", "example.com/look=1"])
        .await;
    bed.kubectl(&[
        "annotate",
        "llmd",
        "default-llm-d",
        "example.com/look=2",
        "--overwrite",
    ])
    .await;
    bed.ready().await;
    assert_eq!(
        bed.kubectl(&map).await,
        before,
        "it is looked at, and left as it is"
    );
    bed.kubectl(&["delete", "llmd", "default-llm-d", "--timeout=60s"])
        .await;
    let (there, said) = bed
        .try_kubectl(&["-n", "kube-public", "get", "configmap", "elsewhere"])
        .await;
    assert!(!there, "{said}");
}

fn version(llmd: &api::opendatahub_io::components::v1alpha1::Llmd, release: &str) -> (String, i32) {
    let releases = llmd.status.iter().flat_map(|status| &status.releases);
    { releases }
        .find(|one| one.name == release)
        .map(|one| {
            (
                one.version.clone().unwrap_or_default(),
                one.revision.unwrap_or_default(),
            )
        })
        .unwrap_or_default()
}
