//! Install, upgrade, rollback, uninstall.

use helm::{Helm, HelmError, Operation};
use k8s_openapi::api::{
    core::v1::{ConfigMap, Secret},
    rbac::v1::ClusterRole,
};
use kube::{
    Api,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::json;

use crate::bed::{Desk, PATIENCE, fault, listed};

#[tokio::test]
async fn a_release_is_helms_own_and_its_objects_carry_our_labels() {
    let desk = Desk::new("install").await;
    let chart = desk.plain().await;
    let release = desk.release("web");
    let spec = desk.spec("web", json!({ "message": "one" }));
    let install = Operation::Install {
        chart: chart.clone(),
        spec,
    };
    desk.helm.run(&release, &install, PATIENCE).await.unwrap();
    assert_eq!(desk.list().await, [listed("web", 1, "deployed")]);

    let maps: Api<ConfigMap> = Api::namespaced(desk.client.clone(), &desk.namespace);
    for name in ["web-settings", "web-hook"] {
        let map = maps.get(name).await.unwrap();
        assert_eq!(map.metadata.labels.unwrap()["app.kubernetes.io/part-of"], "llm-d");
    }
    let data = maps.get("web-settings").await.unwrap().data.unwrap();
    assert_eq!(data["number"], "0123");
    assert_eq!(data["truth"], "yes");
    assert_eq!(data["date"], "2026-01-02");
    assert_eq!(data["lines"], "first\n\n  indented: one\nlast\n");
    let roles: Api<ClusterRole> = Api::all(desk.client.clone());
    let role = roles.get("web-install").await.unwrap();
    assert_eq!(
        role.metadata.labels.unwrap()["app.kubernetes.io/part-of"],
        "llm-d"
    );
    let secrets: Api<Secret> = Api::namespaced(desk.client.clone(), &desk.namespace);
    let ours = ListParams::default().labels("owner=helm,llm-operator.io/name=mine");
    assert_eq!(secrets.list(&ours).await.unwrap().items.len(), 1);

    // What somebody else has set is taken back by the next revision.
    let edit = json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": { "message": "theirs" } });
    let params = PatchParams::apply("somebody").force();
    maps.patch("web-settings", &params, &Patch::Apply(edit))
        .await
        .unwrap();
    let upgrade = Operation::Upgrade {
        chart,
        spec: desk.spec("web", json!({ "message": "two" })),
    };
    desk.helm.run(&release, &upgrade, PATIENCE).await.unwrap();
    assert_eq!(desk.list().await, [listed("web", 2, "deployed")]);
    assert_eq!(
        maps.get("web-settings").await.unwrap().data.unwrap()["message"],
        "two"
    );
    assert_eq!(
        maps.get("web-hook").await.unwrap().data.unwrap()["message"],
        "two"
    );

    let rollback = Operation::Rollback { revision: 1 };
    desk.helm.run(&release, &rollback, PATIENCE).await.unwrap();
    assert_eq!(desk.list().await, [listed("web", 3, "deployed")]);
    assert_eq!(
        maps.get("web-settings").await.unwrap().data.unwrap()["message"],
        "one"
    );
    assert_eq!(
        secrets.list(&ours).await.unwrap().items.len(),
        3,
        "a rollback is ours too"
    );

    desk.helm
        .run(&release, &Operation::Uninstall, PATIENCE)
        .await
        .unwrap();
    assert_eq!(desk.list().await, []);
    assert!(maps.get_opt("web-settings").await.unwrap().is_none());
    assert!(
        maps.get_opt("web-hook").await.unwrap().is_some(),
        "objects of hooks survive: the caller removes them"
    );
    assert!(roles.get_opt("web-install").await.unwrap().is_none());
    desk.helm
        .run(&release, &Operation::Uninstall, PATIENCE)
        .await
        .unwrap();
}

#[tokio::test]
async fn what_the_api_refuses_is_told_and_the_release_has_failed() {
    let desk = Desk::new("refused").await;
    let chart = desk.plain().await;
    let release = desk.release("web");
    let install = |values| Operation::Install {
        chart: chart.clone(),
        spec: desk.spec("web", values),
    };
    let refused = desk
        .helm
        .run(&release, &install(fault("refused", "always")), PATIENCE)
        .await;
    let Err(HelmError::Failed { message }) = refused else {
        panic!("{refused:?}")
    };
    assert!(message.contains("99999"), "{message}");
    assert!(!message.contains("INSTALLATION FAILED"), "{message}");
    assert_eq!(desk.list().await, [listed("web", 1, "failed")]);

    let upgrade = |values| Operation::Upgrade {
        chart: chart.clone(),
        spec: desk.spec("web", values),
    };
    desk.helm
        .run(&release, &upgrade(json!({})), PATIENCE)
        .await
        .unwrap();
    let refused = desk
        .helm
        .run(&release, &upgrade(fault("refused", "on-upgrade")), PATIENCE)
        .await;
    assert!(matches!(refused, Err(HelmError::Failed { .. })), "{refused:?}");
    assert_eq!(desk.list().await, [listed("web", 3, "failed")]);
}

#[tokio::test]
async fn values_against_the_schema_touch_nothing() {
    let desk = Desk::new("schema").await;
    let chart = desk.plain().await;
    let release = desk.release("web");
    let spec = desk.spec(
        "web",
        json!({ "unheard": 1, "deployment": { "replicas": -1 }, "word": "9" }),
    );
    let install = Operation::Install {
        chart: chart.clone(),
        spec: spec.clone(),
    };
    for result in [
        desk.helm.run(&release, &install, PATIENCE).await,
        desk.helm.render(&chart, &spec).await.map(|_| ()),
    ] {
        let Err(HelmError::Values { message }) = result else {
            panic!("{result:?}")
        };
        let lines: Vec<&str> = message.lines().collect();
        assert_eq!(lines.len(), 3, "{message}");
        for path in ["unheard", "/deployment/replicas", "/word"] {
            assert!(lines.iter().any(|line| line.contains(path)), "{message}");
        }
    }
    assert_eq!(desk.list().await, []);
    let maps: Api<ConfigMap> = Api::namespaced(desk.client.clone(), &desk.namespace);
    assert!(maps.get_opt("web-settings").await.unwrap().is_none());
}

#[tokio::test]
async fn kinds_that_nobody_knows_are_told_apart() {
    let desk = Desk::new("unknown").await;
    let install = Operation::Install {
        chart: desk.plain().await,
        spec: desk.spec("web", fault("unknownKind", true)),
    };
    let result = desk.helm.run(&desk.release("web"), &install, PATIENCE).await;
    let Err(HelmError::UnknownKind { message }) = result else {
        panic!("{result:?}")
    };
    assert!(message.contains("Mystery"), "{message}");
    assert_eq!(desk.list().await, []);
}

#[tokio::test]
async fn a_definition_that_went_away_is_what_keeps_a_release_from_going() {
    let desk = Desk::new("gone-kind").await;
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": "mysteries.nobody.example.com" },
        "spec": {
            "group": "nobody.example.com",
            "scope": "Namespaced",
            "names": { "kind": "Mystery", "plural": "mysteries" },
            "versions": [{ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true,
            } } }],
        },
    });
    // Another test of this program asks for a cluster without this kind: it has a group of its own here.
    let text = definition
        .to_string()
        .replace("nobody.example.com", "somebody.example.com");
    desk.bed.cluster.apply_yaml(&text).await.unwrap();
    let directory = desk.home.path().join("mystery");
    std::fs::create_dir_all(directory.join("templates")).unwrap();
    std::fs::write(
        directory.join("Chart.yaml"),
        "apiVersion: v2\nname: mystery\nversion: 1.0.0\n",
    )
    .unwrap();
    let object = "apiVersion: somebody.example.com/v1\nkind: Mystery\nmetadata:\n  name: one\n";
    std::fs::write(directory.join("templates/mystery.yaml"), object).unwrap();
    let chart = desk.helm.pull(&crate::bed::local(directory)).await.unwrap();
    let release = desk.release("mystery");
    let install = Operation::Install {
        chart,
        spec: desk.spec("mystery", json!({})),
    };
    desk.helm.run(&release, &install, PATIENCE).await.unwrap();
    let deleted = desk
        .bed
        .cluster
        .kubectl(&["delete", "crd", "mysteries.somebody.example.com"])
        .await
        .unwrap();
    assert!(deleted.status.success());
    let result = desk.helm.run(&release, &Operation::Uninstall, PATIENCE).await;
    let Err(HelmError::UnknownKind { message }) = result else {
        panic!("{result:?}")
    };
    assert!(message.contains("Mystery"), "{message}");
}
