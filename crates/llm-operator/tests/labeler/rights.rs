//! Who may make labelers: they act on the nodes of the whole cluster.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::{Api, api::PostParams};

use crate::common::{Space, repository_file, root, stand::cluster};

async fn may(space: &Space, user: &str, verb: &str) -> bool {
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(user.to_owned()),
            resource_attributes: Some(ResourceAttributes {
                namespace: Some(space.namespace.clone()),
                group: Some("premlabs.io".to_owned()),
                resource: Some("autonodelabelers".to_owned()),
                verb: Some(verb.to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let reviews: Api<SubjectAccessReview> = Api::all(space.client.clone());
    let answer = reviews.create(&PostParams::default(), &review).await.unwrap();
    answer.status.unwrap().allowed
}

async fn bind(space: &Space, user: &str, role: &str) {
    let yaml = serde_json::json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": user},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}],
    });
    space.apply(&yaml.to_string()).await;
}

/// With every shipped role installed, neither the editors nor the administrators of a namespace may make a labeler; the
/// role for it has to be bound on purpose.
/// Promises: S4-29
#[tokio::test]
async fn no_tenant_may_make_labelers() {
    let cluster = cluster().await;
    let space = Space::of(cluster, "tenant").await;
    for entry in std::fs::read_dir(root().join("config/rbac")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.strip_suffix(".yaml").is_none() {
            continue;
        }
        let text = repository_file(&format!("config/rbac/{name}"));
        cluster.apply_yaml(&text).await.unwrap();
    }
    for role in ["view", "edit", "admin"] {
        let user = format!("{}-{role}", space.namespace);
        bind(&space, &user, role).await;
        for verb in ["create", "update", "patch", "delete"] {
            assert!(!may(&space, &user, verb).await, "{role} may {verb}");
        }
    }
    let chosen = format!("{}-chosen", space.namespace);
    bind(&space, &chosen, "llm-operator-node-labeler-admin").await;
    testkit::until("the binding is known", crate::common::PATIENCE, async || {
        may(&space, &chosen, "create")
            .await
            .then_some(())
            .ok_or("not yet")
    })
    .await
    .unwrap();
    // The refusals above were not only early.
    let editor = format!("{}-edit", space.namespace);
    assert!(!may(&space, &editor, "create").await);
    let file = repository_file("config/rbac/node_labeler_admin_role.yaml");
    assert!(!file.contains("aggregate-to"), "{file}");
}
