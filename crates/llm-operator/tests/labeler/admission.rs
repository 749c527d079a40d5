//! What the API server lets in.

use crate::{
    common::{Space, stand::cluster},
    scene::told,
};

async fn try_spec(space: &Space, spec: &str) -> (bool, String) {
    let yaml = format!(
        "apiVersion: premlabs.io/v1alpha1\nkind: AutoNodeLabeler\nmetadata: {{name: tried}}\nspec: {spec}\n"
    );
    space.try_apply(&yaml).await
}

/// Fields on which prem-operator crashed are refused, by field and in plain words; so is what could never match or label.
/// Promises: S4-29
#[tokio::test]
async fn nil_fields_are_refused() {
    let space = Space::of(cluster().await, "admission").await;
    for (spec, words) in [
        ("{}", "spec.matchExpression"),
        ("{labels: {a: b}}", "spec.matchExpression"),
        ("{matchExpression: null, labels: {a: b}}", "spec.matchExpression"),
        (
            "{matchExpression: {}, labels: {a: b}}",
            "spec.matchExpression.operator",
        ),
        (
            "{matchExpression: {key: k}, labels: {a: b}}",
            "spec.matchExpression.operator",
        ),
        (
            "{matchExpression: {operator: Exists}, labels: {a: b}}",
            "spec.matchExpression.key",
        ),
        (
            "{matchExpression: {key: null, operator: Exists}, labels: {a: b}}",
            "spec.matchExpression.key",
        ),
        (
            "{matchExpression: {key: k, operator: null}, labels: {a: b}}",
            "spec.matchExpression.operator",
        ),
        ("{matchExpression: {key: k, operator: Exists}}", "spec.labels"),
        (
            "{matchExpression: {key: k, operator: Exists}, labels: null}",
            "spec.labels",
        ),
        (
            "{matchExpression: {key: k, operator: Exists}, labels: {}}",
            "spec.labels",
        ),
        (
            "{matchExpression: {key: k, operator: Gt, values: ['1']}, labels: {a: b}}",
            "supported values",
        ),
        (
            "{matchExpression: {key: k, operator: In}, labels: {a: b}}",
            "need at least one entry in values",
        ),
        (
            "{matchExpression: {key: k, operator: In, values: []}, labels: {a: b}}",
            "need at least one entry",
        ),
        (
            "{matchExpression: {key: k, operator: NotIn, values: null}, labels: {a: b}}",
            "need at least one entry",
        ),
        (
            "{matchExpression: {key: k, operator: DoesNotExist, values: [a]}, labels: {a: b}}",
            "use NotIn",
        ),
        (
            "{matchExpression: {key: 'a b', operator: Exists}, labels: {a: b}}",
            "key must be a label key",
        ),
        (
            "{matchExpression: {key: 'a..b/x', operator: Exists}, labels: {a: b}}",
            "key must be a label key",
        ),
        (
            "{matchExpression: {key: k, operator: Exists}, labels: {'a.-b/x': c}}",
            "every key must be a label key",
        ),
        (
            "{matchExpression: {key: k, operator: Exists}, labels: {'a b': c}}",
            "every key must be a label key",
        ),
        (
            "{matchExpression: {key: k, operator: Exists}, labels: {'-a/b': c}}",
            "every key must be a label key",
        ),
        (
            "{matchExpression: {key: k, operator: Exists}, labels: {a: 'b c'}}",
            "spec.labels.a",
        ),
    ] {
        let (accepted, text) = try_spec(&space, spec).await;
        assert!(!accepted && text.contains(words), "{spec}: {words}: {text}");
    }
    for spec in [
        "{matchExpression: {key: kubernetes.io/arch, operator: Exists}, labels: {foo/bar.com: baz}}",
        "{matchExpression: {key: kubernetes.io/arch, operator: In, values: [amd64]}, labels: {a: ''}}",
        "{matchExpression: {key: k, operator: Exists, values: [a]}, labels: {a: b}}",
        "{matchExpression: {key: k, operator: Exists, values: null}, labels: {a: b}}",
        "{matchExpression: {key: k, operator: DoesNotExist, values: []}, labels: {a: b}}",
        "{matchExpression: {key: k, operator: NotIn, values: [a]}, labels: {a: b}}",
        "{matchExpression: {key: a.b-c.d/x, operator: Exists}, labels: {e.f0/g: b}}",
    ] {
        let (accepted, text) = try_spec(&space, spec).await;
        assert!(accepted, "{spec}: {text}");
    }
}

/// A labeler that an earlier definition let in is told what is wrong with it, and disturbs no other.
/// Promises: S4-29
#[tokio::test]
async fn what_an_earlier_definition_let_in_is_told() {
    let cluster = crate::whole_cluster::own_cluster().await;
    let space = Space::of(cluster, "earlier").await;
    let definition = api::crds()
        .into_iter()
        .find(|crd| crd.metadata.name.as_deref() == Some("autonodelabelers.premlabs.io"))
        .unwrap();
    let mut loose = serde_json::to_value(&definition).unwrap();
    let open = serde_json::json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    loose["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] = open;
    cluster.apply_yaml(&loose.to_string()).await.unwrap();
    for (name, spec) in [
        ("empty", "{}"),
        ("half", "{matchExpression: {key: k}, labels: {a: b}}"),
        (
            "unknown",
            "{matchExpression: {key: k, operator: Gt}, labels: {a: b}}",
        ),
        ("unreadable", "{matchExpression: always, labels: {a: b}}"),
    ] {
        let head = "apiVersion: premlabs.io/v1alpha1\nkind: AutoNodeLabeler";
        let finalizers = "finalizers: [premlabs.io/node-labels]";
        let yaml = format!("{head}\nmetadata: {{name: {name}, {finalizers}}}\nspec: {spec}\n");
        testkit::until("the looser definition", crate::common::PATIENCE, async || {
            let (accepted, text) = space.try_apply(&yaml).await;
            if accepted { Ok(()) } else { Err(text) }
        })
        .await
        .unwrap();
    }
    let access = crate::common::operator_access(cluster).await;
    let _operator = crate::common::start_operator(&access, "earlier", &["--leader-elect", "false"]).await;
    // One that cannot be read at all is told so too, and can be deleted; under the present definition the API server itself
    // would refuse both.
    testkit::until("it is told so", crate::common::PATIENCE, async || {
        let path = "jsonpath={.status.reason}";
        let (_, text) = space
            .kubectl(&["get", "autonodelabeler", "unreadable", "-o", path])
            .await;
        (text == "Unreadable").then_some(()).ok_or(text)
    })
    .await
    .unwrap();
    let (worked, text) = space
        .kubectl(&["delete", "autonodelabeler", "unreadable", "--timeout=60s"])
        .await;
    assert!(worked, "{text}");
    cluster
        .apply_yaml(&serde_json::to_string(&definition).unwrap())
        .await
        .unwrap();
    for name in ["empty", "half", "unknown"] {
        let status = crate::scene::wait_reason(&space, name, "InvalidSpec").await;
        assert_eq!(told(&status, "Accepted"), ("False", "InvalidSpec"));
    }
    let labels = [("foo/bar.com".to_owned(), "baz")].into();
    space
        .apply(&crate::scene::labeler("good", "nowhere", "Exists", &[], &labels))
        .await;
    crate::scene::wait_reason(&space, "good", "Ready").await;
}
