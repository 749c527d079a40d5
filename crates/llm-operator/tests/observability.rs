//! What an operator of the operator sees: metrics as documented, health pages, and a log that says what happens.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use api::llm_example_com::v1alpha1::{LLMDeployment, LLMModel};
use common::{
    PATIENCE, page, repository_file, root,
    scrape::{Scrape, scrape},
    stand::{Stand, cluster, small_deployments},
};
use k8s_openapi::api::core::v1::Service;
use serde_json::Value;
use testkit::plane::proxy::{Fault, Matching};

/// A scrape that satisfies `wanted`.
async fn scraped(stand: &Stand, what: &str, wanted: impl Fn(&Scrape) -> bool) -> Scrape {
    testkit::until(what, PATIENCE, async || {
        let found = scrape(&stand.operator).await;
        if wanted(&found) {
            Ok(found)
        } else {
            Err(format!("{found:#?}"))
        }
    })
    .await
    .unwrap()
}

fn is(found: f64, wanted: u32) -> bool {
    (found - f64::from(wanted)).abs() < 0.5
}

/// Not scraped: autoscalers read it from the API server.
const EXTERNAL_METRIC: &str = "llm_operator_desired_replicas";

/// `docs/metrics.md` and the operator agree: names, types and labels, in both directions; and no page of the docs speaks
/// of a metric that does not exist.
#[tokio::test]
async fn metrics_are_as_documented() {
    let stand = Stand::new("documented").await;
    stand.small_model().await;
    stand.proxy.fail_next(1, "PATCH", "/services/chat", 500, None);
    let promise = "replicas: 1\n  scaling: {timePerOutputToken: 100ms}";
    let chat = small_deployments(["chat"]).replace("replicas: 1", promise);
    stand.space.apply(&chat).await;
    stand.space.wait_state("chat", "Ready").await;
    let refused = Fault::Status {
        status: 500,
        retry_after: None,
    };
    stand.proxy.order(1, Matching::watch().path("/services"), refused);
    stand.proxy.cut_watches();
    let scrape = scraped(
        &stand,
        "a failed watch is counted, and a promise decided about",
        |scrape| {
            scrape.has("llm_operator_watch_restarts_total", &[])
                && scrape.has("llm_operator_scaling_desired_replicas", &[])
        },
    )
    .await;

    let page = repository_file("docs/metrics.md");
    let documented: BTreeMap<String, (String, BTreeSet<&str>)> = page
        .lines()
        .filter(|line| line.starts_with("| `llm_operator_"))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [name, kind, labels, meaning] = cells[..] else {
                panic!("four cells: {line}")
            };
            assert!(meaning.len() > 10, "{line}");
            let labels = labels.split(", ").map(|label| label.trim_matches('`'));
            let labels = labels.filter(|label| !label.is_empty()).collect();
            (name.trim_matches('`').to_owned(), (kind.to_owned(), labels))
        })
        .collect();
    let real: BTreeMap<String, (String, BTreeSet<&str>)> = scrape
        .types
        .iter()
        .map(|(family, kind)| {
            let suffix = if kind == "counter" { "_total" } else { "" };
            (
                format!("{family}{suffix}"),
                (kind.clone(), scrape.label_names(family)),
            )
        })
        .collect();
    assert_eq!(documented, real);

    for file in std::fs::read_dir(root().join("docs")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            let known = ["", "_bucket", "_sum", "_count"]
                .iter()
                .filter_map(|suffix| word.strip_suffix(suffix))
                .any(|name| real.contains_key(name) || name == EXTERNAL_METRIC);
            assert!(
                !word.starts_with("llm_operator_") || word == "llm_operator_" || known,
                "{}: {word}",
                path.display()
            );
        }
    }
}

/// Resources are counted by kind and state as they change, and leave nothing behind when they are deleted.
#[tokio::test]
async fn resources_are_counted_and_forgotten() {
    const NAME: &str = "llm_operator_resources";
    let stand = Stand::new("counted").await;
    stand.small_model().await;
    stand.space.apply(&small_deployments(["one", "two"])).await;
    stand
        .space
        .apply(&small_deployments(["lost"]).replace("modelRef: small", "modelRef: missing"))
        .await;
    let deployments =
        |scrape: &Scrape, state: &str| scrape.sum(NAME, &[("kind", "LLMDeployment"), ("state", state)]);
    let scrape = scraped(&stand, "two are ready and one is blocked", |scrape| {
        is(deployments(scrape, "Ready"), 2) && is(deployments(scrape, "Blocked"), 1)
    })
    .await;
    assert!(is(scrape.sum(NAME, &[("kind", "LLMModel")]), 1));
    assert!(
        is(scrape.sum(NAME, &[("kind", "LLMDeployment")]), 3),
        "each counts once"
    );

    let scaled = stand
        .space
        .kubectl(&["scale", "llmdeployment/one", "--replicas=0"])
        .await;
    assert!(scaled.0, "{}", scaled.1);
    scraped(&stand, "one is stopped", |scrape| {
        is(deployments(scrape, "Ready"), 1) && is(deployments(scrape, "Stopped"), 1)
    })
    .await;

    for name in ["one", "two", "lost"] {
        stand.space.delete::<LLMDeployment>(name).await;
    }
    stand.space.delete::<LLMModel>("small").await;
    scraped(&stand, "no series is left", |scrape| !scrape.has(NAME, &[])).await;
    scraped(&stand, "no object is left in the caches", |scrape| {
        ["llmdeployments", "llmmodels", "deployments", "services", "pods"]
            .iter()
            .all(|resource| {
                is(
                    scrape.sum("llm_operator_cached_objects", &[("resource", resource)]),
                    0,
                )
            })
    })
    .await;
}

/// With one worker and slow writes work piles up: depth and wait show it, and the depth is zero again afterwards.
#[tokio::test]
async fn a_queue_that_piles_up_is_seen() {
    let stand = Stand::with("queue", &["--workers", "1"]).await;
    stand.small_model().await;
    // Slower than kubectl creates them, also on a loaded machine.
    let slow = Fault::Delay(Duration::from_millis(500));
    stand.proxy.order_always(Matching::method("PATCH"), slow);
    let names: Vec<String> = (0..10).map(|number| format!("chat-{number}")).collect();
    stand
        .space
        .apply(&small_deployments(names.iter().map(String::as_str)))
        .await;
    scraped(&stand, "several wait", |scrape| {
        scrape.sum("llm_operator_queue_depth", &[]) >= 3.0
    })
    .await;
    stand.proxy.clear();
    for name in &names {
        stand.space.wait_state(name, "Ready").await;
    }
    let scrape = scraped(&stand, "nobody waits", |scrape| {
        is(scrape.sum("llm_operator_queue_depth", &[]), 0)
    })
    .await;
    assert!(scrape.sum("llm_operator_queue_wait_seconds_sum", &[]) > 0.3);
    assert!(scrape.sum("llm_operator_queue_wait_seconds_count", &[]) >= 10.0);
    let slow = scrape.sum(
        "llm_operator_reconcile_duration_seconds_sum",
        &[("kind", "LLMDeployment"), ("result", "ok")],
    );
    assert!(slow > 0.3, "the time of slow writes is in the duration: {slow}");
}

/// Requests are counted by verb, resource and code as the API server sees them.
#[tokio::test]
async fn requests_are_counted() {
    const NAME: &str = "llm_operator_api_requests_total";
    let stand = Stand::new("requests").await;
    stand.small_model().await;
    stand.space.apply(&small_deployments(["a", "b"])).await;
    stand.space.wait_state("a", "Ready").await;
    stand.space.wait_state("b", "Ready").await;
    let scrape = scraped(&stand, "Events are written", |scrape| {
        scrape.sum("llm_operator_events_total", &[]) >= 2.0
    })
    .await;
    for resource in ["deployments", "services", "networkpolicies"] {
        let found = scrape.sum(
            NAME,
            &[("verb", "apply"), ("resource", resource), ("code", "201")],
        );
        assert!(is(found, 2), "{resource}: {found}");
    }
    let statuses = scrape.sum(NAME, &[("verb", "apply"), ("resource", "llmdeployments/status")]);
    assert!(statuses >= 2.0, "{statuses}");
    let watched = scrape.values(NAME, "resource");
    for resource in ["llmmodels", "llmdeployments", "pods", "nodes", "events"] {
        assert!(watched.contains(resource), "{resource}: {watched:?}");
        assert!(scrape.has(NAME, &[("verb", "watch"), ("resource", resource)]));
    }
    let events = scrape.sum(
        NAME,
        &[("verb", "create"), ("resource", "events"), ("code", "201")],
    );
    assert!(is(scrape.sum("llm_operator_events_total", &[]) - events, 0));
    assert!(is(scrape.sum("llm_operator_events_dropped_total", &[]), 0));
    let sent: u64 = stand.proxy.counts().values().sum();
    let counted = scrape.sum(NAME, &[]);
    assert!(
        f64::from(u32::try_from(sent).unwrap()) >= counted,
        "{counted} counted, {sent} sent"
    );
}

/// The page names no object, so that the number of series does not grow with the number of models.
#[tokio::test]
async fn labels_are_bounded() {
    let stand = Stand::new("bounded").await;
    stand.small_model().await;
    let names = ["quite-unmistakable-0", "quite-unmistakable-1"];
    stand.space.apply(&small_deployments(names)).await;
    for name in names {
        stand.space.wait_state(name, "Ready").await;
    }
    let (code, text) = page(&format!("{}/metrics", stand.operator.url)).await;
    assert_eq!(code, 200);
    for word in ["unmistakable", stand.space.namespace.as_str()] {
        assert!(!text.contains(word), "{word} in\n{text}");
    }
}

/// The pages answer as the manifest's probes and Prometheus expect; what does not exist is 404.
#[tokio::test]
async fn pages_answer() {
    let stand = Stand::new("pages").await;
    let url = &stand.operator.url;
    assert_eq!(page(&format!("{url}/healthz")).await, (200, "ok\n".to_owned()));
    let (code, text) = page(&format!("{url}/readyz")).await;
    assert_eq!((code, text.as_str()), (200, "ok\nrole: leader\n"));
    assert_eq!(page(&format!("{url}/secrets")).await.0, 404);
    let output = tokio::process::Command::new("curl")
        .args(["-sS", "-o", "/dev/null", "-w", "%{content_type}"])
        .arg(format!("{url}/metrics"))
        .output()
        .await
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    assert!(is(
        scrape(&stand.operator).await.sum("llm_operator_leader", &[]),
        1
    ));
}

/// Where external metrics are off, the TLS port has the operator's own: for a `ServiceAccount` with the `ClusterRole` for it, and for
/// nobody else.
/// Promises: S2-23
#[tokio::test]
async fn metrics_over_tls_are_for_those_who_may() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let args = ["--secure-metrics", "true", "--external-metrics-address", &address];
    let stand = Stand::with("tls", &args).await;
    let cluster = cluster().await;
    let reader = format!(
        "apiVersion: v1
kind: ServiceAccount
metadata: {{name: prometheus}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: {namespace}-reader}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: llm-operator-metrics-reader}}
subjects: [{{kind: ServiceAccount, name: prometheus, namespace: {namespace}}}]
",
        namespace = stand.space.namespace
    );
    stand.space.apply(&reader).await;
    let token = |name: &'static str| cluster.token_for(&stand.space.namespace, name);
    let (reader, stranger) = (
        token("prometheus").await.unwrap(),
        token("default").await.unwrap(),
    );
    let ask = async |token: &str| {
        let output = tokio::process::Command::new("curl")
            .args(["-sk", "-m", "10", "-H", &format!("authorization: Bearer {token}")])
            .arg(format!("https://{address}/metrics"))
            .output()
            .await
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    testkit::until("the binding is known", PATIENCE, async || {
        match ask(&reader).await {
            told if told.contains("llm_operator_leader 1") && told.ends_with("# EOF\n") => Ok(()),
            other => Err(other),
        }
    })
    .await
    .unwrap();
    let told = ask(&stranger).await;
    assert!(
        told.contains("\"code\":403") && !told.contains("llm_operator_leader"),
        "{told}"
    );
}

/// At rest the operator looks at everything again and neither writes nor says anything; a drift that it repairs is one
/// line that names object and field; a failure is one line that names object, reason and the time of the next try.
#[tokio::test]
async fn the_log_tells_changes_and_nothing_else() {
    let stand = Stand::with("rest", &["--resync-period", "500ms"]).await;
    stand.small_model().await;
    stand.space.apply(&small_deployments(["chat"])).await;
    stand.space.wait_state("chat", "Ready").await;
    let reconciles = |scrape: &Scrape| scrape.sum("llm_operator_reconcile_duration_seconds_count", &[]);
    // What the way to Ready still has to say is said after one round; its Event is written beside the reconciles.
    let settled = reconciles(&scrape(&stand.operator).await);
    scraped(&stand, "one round, and an Event", |scrape| {
        reconciles(scrape) >= settled + 4.0 && scrape.sum("llm_operator_events_total", &[]) >= 1.0
    })
    .await;
    let (before, writes) = (stand.operator.process.log(), stand.writes());
    let start = reconciles(&scrape(&stand.operator).await);
    scraped(&stand, "three rounds at rest", |scrape| {
        reconciles(scrape) >= start + 6.0
    })
    .await;
    assert_eq!(
        stand.writes(),
        writes,
        "a resync of an unchanged cluster writes nothing"
    );
    assert_eq!(stand.operator.process.log(), before, "and says nothing");

    let (worked, said) = stand
        .space
        .kubectl(&[
            "patch",
            "service/chat",
            "--type=json",
            r#"-p=[{"op":"replace","path":"/spec/selector/llm-operator.io~1name","value":"nobody"}]"#,
        ])
        .await;
    assert!(worked, "{said}");
    stand
        .space
        .wait::<Service>("has its selector again", "chat", |service| {
            let selector = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
            selector.is_some_and(|selector| selector["llm-operator.io/name"] == "chat")
        })
        .await;
    let log = stand.operator.process.log();
    let repairs: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("repairing drift"))
        .collect();
    assert_eq!(repairs.len(), 1, "{log}");
    for word in ["Service", "chat", "selector", stand.space.namespace.as_str()] {
        assert!(repairs[0].contains(word), "{word}: {}", repairs[0]);
    }

    stand.proxy.fail_next(1, "PATCH", "/services/other", 503, None);
    stand.space.apply(&small_deployments(["other"])).await;
    stand.space.wait_state("other", "Ready").await;
    let log = stand.operator.process.log();
    let failures: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("reconcile failed"))
        .collect();
    assert_eq!(failures.len(), 1, "{log}");
    let object = format!("LLMDeployment {}/other", stand.space.namespace);
    for word in [object.as_str(), "ApiUnavailable", "again_in", "Service other"] {
        assert!(failures[0].contains(word), "{word}: {}", failures[0]);
    }
}

/// Targets whose every line is said in a reconcile.
const RECONCILE: [&str; 3] = ["reconcile::runner", "reconcile::apply", "reconcile::status"];

/// Every line of a reconcile says of which resource it is, in which generation: those of the operator, and those of the libraries that
/// do its requests.
#[tokio::test]
async fn lines_of_a_reconcile_carry_kind_namespace_name_and_generation() {
    let stand = Stand::with("lines", &["--log-format", "json", "--log-level", "trace"]).await;
    stand.small_model().await;
    stand.proxy.fail_next(1, "PATCH", "/services/chat", 503, None);
    stand.space.apply(&small_deployments(["chat"])).await;
    stand.space.wait_state("chat", "Ready").await;
    let more = small_deployments(["chat"]).replace("replicas: 1", "replicas: 2");
    stand.space.apply(&more).await;
    stand.space.wait_state("chat", "Ready").await;
    stand.space.delete::<LLMDeployment>("chat").await;
    let lines = testkit::until("the deletion is looked at", PATIENCE, async || {
        let log = stand.operator.process.log();
        let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let lines: Vec<Value> = whole
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let gone = |line: &Value| {
            line["message"] == "reconciled" && line["name"] == "chat" && line["generation"] == 0
        };
        lines.iter().any(gone).then_some(lines)
    })
    .await
    .unwrap();

    let of_a_reconcile = |line: &&Value| {
        let target = line["target"].as_str().unwrap();
        RECONCILE.iter().any(|prefix| target.starts_with(prefix))
    };
    for line in lines.iter().filter(of_a_reconcile) {
        let kind = line["kind"].as_str().unwrap_or_else(|| panic!("no kind: {line}"));
        let name = line["name"].as_str().unwrap_or_else(|| panic!("no name: {line}"));
        assert!(["LLMModel", "LLMDeployment", "Node"].contains(&kind), "{line}");
        let namespace = if kind == "Node" {
            ""
        } else {
            &stand.space.namespace
        };
        assert_eq!(line["namespace"], namespace, "{line}");
        assert!(!name.is_empty() && line["generation"].is_u64(), "{line}");
    }
    let chat: Vec<&Value> = lines.iter().filter(|line| line["name"] == "chat").collect();
    let said = |message: &str, generation: u64| {
        chat.iter().any(|line| {
            let text = line["message"].as_str().unwrap_or_default();
            text.starts_with(message) && line["generation"] == generation && line["kind"] == "LLMDeployment"
        })
    };
    for (message, generation) in [
        ("reconcile failed", 1),
        ("created", 1),
        ("reconciled", 1),
        ("updated", 2),
        ("reconciled", 2),
    ] {
        assert!(said(message, generation), "{message} {generation}: {chat:#?}");
    }
    let children: BTreeSet<&str> = chat
        .iter()
        .filter_map(|line| line["child_kind"].as_str())
        .collect();
    assert!(
        children.contains("Deployment") && children.contains("Service"),
        "{children:?}"
    );
}
