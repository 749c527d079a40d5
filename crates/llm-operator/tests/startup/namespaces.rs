//! One or several watched namespaces.

use api::llm_example_com::v1alpha1::LLMDeployment;
use k8s_openapi::api::apps::v1::Deployment;
use testkit::plane::audit::Filter;

use crate::common::{
    Space, operator_access,
    stand::{SMALL_MODEL, cluster, small_deployments},
    start_operator,
};

/// Two namespaces by flag, with the shipped roles: both are served, and in a third the operator touches and asks nothing.
#[tokio::test]
async fn only_the_named_namespaces_are_served() {
    let cluster = cluster().await;
    let spaces = [
        Space::of(cluster, "one").await,
        Space::of(cluster, "two").await,
        Space::of(cluster, "other").await,
    ];
    let [one, two, other] = &spaces;
    let mark = cluster.audit_log().mark();
    for space in [other, one, two] {
        space.apply(SMALL_MODEL).await;
        space.apply(&small_deployments(["chat"])).await;
    }
    let access = operator_access(cluster).await;
    let list = format!("{},{}", one.namespace, two.namespace);
    let args = ["--leader-elect", "false", "--watch-namespace", list.as_str()];
    let _operator = start_operator(&access, "several", &args).await;
    one.wait_state("chat", "Ready").await;
    two.wait_state("chat", "Ready").await;

    // Changes after the start come through as well, in each.
    for space in [other, one, two] {
        space.apply(&small_deployments(["later"])).await;
    }
    one.wait_state("later", "Ready").await;
    two.wait_state("later", "Ready").await;

    for name in ["chat", "later"] {
        let untouched: LLMDeployment = other.api().get(name).await.unwrap();
        assert!(untouched.status.is_none(), "{:?}", untouched.status);
        assert!(other.api::<Deployment>().get_opt(name).await.unwrap().is_none());
    }
    let filter = Filter::user("system:serviceaccount:llm-system:llm-operator");
    let requests = cluster.audit_log().requests_since(&mark, &filter).unwrap();
    let there: Vec<_> = requests
        .iter()
        .filter(|request| request.namespace == other.namespace)
        .collect();
    assert!(there.is_empty(), "{there:?}");
    assert!(requests.iter().any(|request| request.namespace == one.namespace));
}

/// A namespace that does not exist yet is no obstacle: it is served as soon as somebody makes it.
#[tokio::test]
async fn a_watched_namespace_may_come_later() {
    let cluster = cluster().await;
    let first = Space::of(cluster, "first").await;
    let name = format!("{}-later", first.namespace);
    let access = operator_access(cluster).await;
    let args = [
        "--leader-elect",
        "false",
        "--watch-namespace",
        &first.namespace,
        "--watch-namespace",
        &name,
    ];
    let _operator = start_operator(&access, "later-namespace", &args).await;
    let later = Space::named(cluster, &name).await;
    for space in [&first, &later] {
        space.apply(SMALL_MODEL).await;
        space.apply(&small_deployments(["chat"])).await;
        space.wait_state("chat", "Ready").await;
    }
}
