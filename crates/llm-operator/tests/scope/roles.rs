//! Some namespaces, with Roles in these alone.

use testkit::{
    Access,
    plane::audit::{Filter, Request},
};

use crate::{
    cluster,
    common::{
        EXTERNAL_METRICS, PATIENCE, Space, page, repository_file, scrape::scrape, spawn_operator,
        stand::small_deployments,
    },
    kinds::{self, SERVED, assert_untouched, wait_word},
};

/// What the log says is left out: where it is said, and what it means.
const LEFT_OUT: [[&str; 3]; 6] = [
    [
        "only some namespaces are watched",
        "--watch-namespace",
        "neither read nor written",
    ],
    [
        "Llmd and DataScienceCluster are left out",
        "whole cluster",
        "without a status",
    ],
    ["external metrics are left out", "no right", "/scale"],
    ["nodes left out", "may not list nodes", "which GPUs exist"],
    [
        "storageclasses left out",
        "may not list storageclasses",
        "a claim that waits",
    ],
    [
        "autonodelabelers left out",
        "may not patch nodes",
        "without effect",
    ],
];

/// A deployment of more GPUs than any node has.
const TOO_LARGE: &str = "
apiVersion: infra.example.com/v1
kind: NvidiaGpuLlm
metadata: {name: huge}
spec: {action: install, llmName: huge, gpuCount: 64}
---
apiVersion: ai.example.com/v1
kind: LLMModel
metadata: {name: anywhere}
spec: {modelName: qwen2.5-0.5b}
";

/// A `ServiceAccount` in `home` with the lease's Role there and the Role of a namespace in each of `watched`, and no `ClusterRole`.
async fn account(home: &Space, watched: &[&Space]) -> Access {
    let cluster = cluster().await;
    let subject = format!("name: llm-operator\n    namespace: {}", home.namespace);
    let at_home = |text: String| {
        let text = text.replace("name: llm-operator\n    namespace: llm-system", &subject);
        text.replace(
            "  namespace: llm-system",
            &format!("  namespace: {}", home.namespace),
        )
    };
    let account = at_home(repository_file("config/rbac/service_account.yaml"));
    let lease = at_home(repository_file("config/rbac/leader_election_role.yaml"));
    home.apply(&format!("{account}\n---\n{lease}")).await;
    let role = at_home(repository_file("config/rbac/namespaced_role.yaml"));
    for space in watched {
        space.apply(&role).await;
    }
    cluster
        .service_account(&home.namespace, "llm-operator")
        .await
        .unwrap()
}

fn denied(requests: &[Request]) -> Vec<&Request> {
    requests
        .iter()
        .filter(|one| [401, 403].contains(&one.status))
        .collect()
}

/// What is said of a Pod that no node can take, and of a model for which a GPU would have to be chosen, claims nothing of nodes.
async fn nothing_is_claimed_of_nodes(space: &Space) {
    space.apply(TOO_LARGE).await;
    wait_word(
        space,
        "nvidiagpullms.infra.example.com/huge",
        "/status/reason",
        "Unschedulable",
    )
    .await;
    let huge = kinds::get(space, "nvidiagpullms.infra.example.com/huge").await;
    let told = huge["status"].to_string();
    assert!(
        told.contains("Insufficient nvidia.com/gpu") || told.contains("lack free nvidia.com/gpu"),
        "{told}"
    );
    assert!(told.contains("may not read nodes"), "{told}");
    for claim in ["no node carries", "such GPU", "are taken"] {
        assert!(!told.contains(claim), "{claim}: {told}");
    }
    wait_word(
        space,
        "llmmodels.ai.example.com/anywhere",
        "/status/state",
        "Invalid",
    )
    .await;
    let anywhere = kinds::get(space, "llmmodels.ai.example.com/anywhere").await;
    let told = anywhere["status"].to_string();
    assert!(
        told.contains("no type of GPU is said") && !told.contains("no node has"),
        "{told}"
    );
}

/// With Roles in two namespaces and the lease's, and no `ClusterRole`: every family that makes Pods is served in both, nothing is asked
/// or done in a third, no request is ever denied, and what is left out is said with why and what it means.
#[tokio::test]
async fn roles_in_two_namespaces_are_enough() {
    let cluster = cluster().await;
    let home = Space::of(cluster, "home").await;
    let spaces = [Space::of(cluster, "one").await, Space::of(cluster, "two").await];
    let other = Space::of(cluster, "other").await;
    let access = account(&home, &[&spaces[0], &spaces[1]]).await;
    let mark = cluster.audit_log().mark();
    for space in spaces.iter().chain([&other]) {
        kinds::apply(space).await;
    }
    let list = format!("{},{}", spaces[0].namespace, spaces[1].namespace);
    let own = [
        "--watch-namespace",
        &list,
        "--lease-namespace",
        &home.namespace,
        "--secure-metrics=false",
        "--resync-period",
        "2s",
    ];
    let args = [&own[..], &EXTERNAL_METRICS].concat();
    let mut operator = spawn_operator(&access, &home.namespace, &args);
    let url = format!("{}/readyz", operator.url);
    operator.process.wait_ready(&url, PATIENCE).await.unwrap();
    for space in &spaces {
        for (resource, pointer, word) in SERVED {
            wait_word(space, resource, pointer, word).await;
        }
    }
    assert_untouched(&other).await;

    // A change after the start, and resources about which nodes would tell more.
    spaces[1].apply(&small_deployments(["later"])).await;
    spaces[1].wait_state("later", "Ready").await;
    nothing_is_claimed_of_nodes(&spaces[0]).await;

    // Several resyncs later: nothing was ever refused, nothing asked of the cluster or of another namespace.
    let looks = async || {
        let page = scrape(&operator).await;
        page.sum(
            "llm_operator_reconcile_duration_seconds_count",
            &[("kind", "LLMDeployment")],
        )
    };
    let before = looks().await;
    testkit::until("three resyncs", PATIENCE, async || {
        (looks().await >= before + 9.0).then_some(())
    })
    .await
    .unwrap();
    let user = format!("system:serviceaccount:{}:llm-operator", home.namespace);
    let requests = cluster
        .audit_log()
        .requests_since(&mark, &Filter::user(&user).with_leases())
        .unwrap();
    assert!(requests.len() > 100, "{}", requests.len());
    assert!(denied(&requests).is_empty(), "{:#?}", denied(&requests));
    let known = [&home.namespace, &spaces[0].namespace, &spaces[1].namespace];
    for request in &requests {
        let of_everybody = request.resource.is_empty() || request.resource == "selfsubjectaccessreviews";
        assert!(of_everybody || known.contains(&&request.namespace), "{request:?}");
    }

    // Said once each, and the pages tell it too.
    let log = operator.process.log();
    for words in LEFT_OUT {
        let lines = log
            .lines()
            .map(|line| line.replace("resource=\"", "").replace("\" ", " "));
        let lines: Vec<String> = lines.filter(|line| says(line, words)).collect();
        assert_eq!(lines.len(), 1, "{words:?} in\n{log}");
    }
    let (code, text) = page(&url).await;
    assert!(code == 200 && text.contains("note: nodes: "), "{text}");
    assert_eq!(operator.process.terminate(PATIENCE).await.unwrap(), 0);
}

/// Whether a line has all words; of the first the last one may stand before the others.
fn says(line: &str, words: [&str; 3]) -> bool {
    let [first, rest @ ..] = words;
    let first = match first.split_once(" left out") {
        Some((resource, "")) if !resource.contains(' ') => {
            line.contains("left out: ") && line.contains(resource)
        }
        _ => line.contains(first),
    };
    first && rest.iter().all(|word| line.contains(word))
}
