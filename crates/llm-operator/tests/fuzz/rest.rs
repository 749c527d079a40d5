//! Odd but accepted specs under a running operator: all are applied, and then nothing is written any more. A field that the
//! API server stores in another form than the operator sends would be written again and again.

use std::time::Duration;

use api::llm_example_com::v1alpha1::LLMDeployment;
use kube::{
    Api, Client,
    api::{DynamicObject, ListParams, PostParams},
    core::{ApiResource, GroupVersionKind},
};
use proptest::strategy::{Strategy as _, ValueTree as _};
use serde_json::{Value, json};
use testkit::{Access, plane::proxy::FaultProxy};

use crate::{
    admission::{cluster, create, rendered, seeded},
    common::{Operator, PATIENCE, condition, operator_access, scrape::scrape, start_operator},
    generate::pairs,
    pipeline::Outcome,
};

const NAMESPACE: &str = "odd";
/// Accepted pairs that are wanted, and how many are tried for them at most.
const PAIRS: usize = 60;
const TRIES: usize = 400;

/// A restart finds nothing to write, whatever odd things the specs say.
#[tokio::test]
async fn odd_specs_come_to_rest() {
    let cluster = cluster().await;
    let client = cluster.admin_client().await.unwrap();
    cluster
        .apply_yaml(&format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {NAMESPACE}}}\n"
        ))
        .await
        .unwrap();
    let names = make_pairs(&client).await;
    let proxy = cluster.fault_proxy().await.unwrap();
    let access = operator_access(cluster).await.through(&proxy.url());
    let mut operator = start(&access, "odd-first").await;
    settled(&client, &names).await;
    wait_reconciles(&operator, names.len()).await;
    operator.process.terminate(PATIENCE).await.unwrap();

    let before = writes(&proxy);
    assert!(
        before > 4 * names.len() as u64,
        "{before} writes made the children and told of them"
    );
    let again = start(&access, "odd-second").await;
    // Once at the start, and in resyncs after it.
    wait_reconciles(&again, names.len() * 3).await;
    assert_eq!(writes(&proxy) - before, 0, "{}", again.process.last_lines(40));
}

async fn start(access: &Access, name: &str) -> Operator {
    let args = [
        "--leader-elect",
        "false",
        "--watch-namespace",
        NAMESPACE,
        "--resync-period",
        "3s",
    ];
    start_operator(access, name, &args).await
}

/// Stores pairs that admission and the pipeline accept; the names of the deployments.
async fn make_pairs(client: &Client) -> Vec<String> {
    let mut runner = seeded();
    let strategy = pairs();
    let mut names = Vec::new();
    for index in 0..TRIES {
        if names.len() == PAIRS {
            break;
        }
        let (model, mut deployment) = strategy.new_tree(&mut runner).unwrap().current();
        let name = format!("odd-{index:03}");
        let (Ok(stored_model), Ok(stored)) = (
            create(client, "LLMModel", "small", &model).await,
            create(client, "LLMDeployment", "chat", &deployment).await,
        ) else {
            continue;
        };
        if let Outcome::Objects(_) = rendered(&stored_model, &stored) {
            deployment["modelRef"] = json!(name);
            store(client, "LLMModel", &name, &model).await;
            store(client, "LLMDeployment", &name, &deployment).await;
            names.push(name);
        }
    }
    assert!(names.len() > PAIRS / 2, "only {} pairs are accepted", names.len());
    names
}

async fn store(client: &Client, kind: &str, name: &str, spec: &Value) {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("llm.example.com", "v1alpha1", kind));
    let object: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "llm.example.com/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec,
    }))
    .unwrap();
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), NAMESPACE, &resource);
    api.create(&PostParams::default(), &object)
        .await
        .unwrap_or_else(|error| panic!("{error}: {spec}"));
}

/// Every deployment is accepted and applied.
async fn settled(client: &Client, names: &[String]) {
    let api: Api<LLMDeployment> = Api::namespaced(client.clone(), NAMESPACE);
    testkit::until("all are applied", PATIENCE, async || {
        let found = api.list(&ListParams::default()).await.unwrap().items;
        let waiting: Vec<String> = found
            .iter()
            .filter_map(|deployment| {
                let status = deployment.status.clone().unwrap_or_default();
                let applied = condition(&status, "Applied")?;
                (applied.status != "True")
                    .then(|| format!("{:?}: {}", deployment.metadata.name, applied.message))
            })
            .collect();
        let told = found
            .iter()
            .filter(|deployment| deployment.status.is_some())
            .count();
        if waiting.is_empty() && told == names.len() {
            Ok(())
        } else {
            Err(format!(
                "{told} of {} have a status\n{}",
                names.len(),
                waiting.join("\n")
            ))
        }
    })
    .await
    .unwrap();
}

#[allow(clippy::cast_precision_loss, reason = "small numbers")]
async fn wait_reconciles(operator: &Operator, least: usize) {
    testkit::until(
        format!("{least} reconciles"),
        Duration::from_secs(90),
        async || {
            let page = scrape(operator).await;
            let name = "llm_operator_reconcile_duration_seconds_count";
            let count = page.sum(name, &[("kind", "LLMDeployment")]);
            (count >= least as f64).then_some(())
        },
    )
    .await
    .unwrap();
}

fn writes(proxy: &FaultProxy) -> u64 {
    crate::common::stand::writes(proxy)
}
