//! A definition is deleted, and everything with it.

use api::ai_example_com::v1::LLMModel;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Service};
use testkit::{Cluster, NodeOptions, Program};

use crate::{
    common::{PATIENCE, Space, install, operator_access, page, start_operator},
    kubectl, plane, try_kubectl,
};

const MODELS: &str = "
apiVersion: ai.example.com/v1
kind: LLMModel
metadata: {name: one}
spec: {modelName: qwen2.5-0.5b}
---
apiVersion: ai.example.com/v1
kind: LLMModel
metadata: {name: two}
spec: {modelName: qwen2.5-0.5b, replicas: 2}
---
apiVersion: ai.example.com/v1
kind: LLMModel
metadata: {name: never}
spec: {modelName: no-such-model}
";

/// Deleting the definition deletes its instances, whatever state they are in, and what was made for them; nothing waits for the
/// operator, which goes on and acts again when the definition is back.
/// Promises: S3-18
#[tokio::test]
async fn instances_go_with_their_definition() {
    let cluster = plane(NodeOptions::default())
        .controller_manager_flag("--v=2")
        .start()
        .await
        .unwrap();
    let cluster: &'static Cluster = Box::leak(Box::new(cluster));
    install(cluster, true).await;
    let access = operator_access(cluster).await;
    let mut operator = start_operator(&access, "deletion", &["--leader-elect", "false"]).await;
    let space = Space::of(cluster, "deletion").await;
    space.apply(MODELS).await;
    for (name, state) in [("one", "Ready"), ("two", "Ready"), ("never", "Blocked")] {
        space
            .wait(state, name, |model: &LLMModel| {
                let status = model.status.as_ref();
                status
                    .and_then(|status| status.state)
                    .is_some_and(|found| found.as_str() == state)
            })
            .await;
    }
    for model in space
        .api::<LLMModel>()
        .list(&kube::api::ListParams::default())
        .await
        .unwrap()
    {
        assert_eq!(model.metadata.finalizers, None);
    }

    collected(cluster).await;
    gone_with_its_definition(cluster).await;
    for name in ["one", "two"] {
        space.wait_gone::<Deployment>(name).await;
        space.wait_gone::<Service>(name).await;
    }
    let url = format!("{}/readyz", operator.url);
    testkit::until("the operator has noticed", PATIENCE, async || {
        let (code, text) = page(&url).await;
        let noticed = code == 200 && text.contains("note: llmmodels.ai.example.com: not served");
        noticed.then_some(()).ok_or(text)
    })
    .await
    .unwrap();
    assert_eq!(operator.process.exit_code(), None);

    install(cluster, true).await;
    space.apply(MODELS).await;
    space.wait::<Deployment>("is made again", "one", |_| true).await;
}

/// Kubernetes' garbage collector looks for new kinds twice a minute, and never learns of owners that came and went between.
async fn collected(cluster: &Cluster) {
    testkit::until("the garbage collector knows the kind", PATIENCE, async || {
        let log = cluster.last_lines(Program::ControllerManager, 10_000);
        let knows = log
            .lines()
            .skip_while(|line| !(line.contains("syncing garbage collector") && line.contains("llmmodels")));
        let synced = knows
            .into_iter()
            .any(|line| line.contains("synced garbage collector"));
        synced.then_some(()).ok_or(log)
    })
    .await
    .unwrap();
}

/// As hack/delete-crds.sh: the API server may come back to a definition only after minutes, unless it changes.
async fn gone_with_its_definition(cluster: &Cluster) {
    const NAME: &str = "llmmodels.ai.example.com";
    kubectl(cluster, &["delete", "crd", NAME, "--wait=false"]).await;
    let mut look = 0;
    testkit::until("the definition is gone", PATIENCE, async || {
        look += 1;
        let (there, said) = try_kubectl(cluster, &["get", "crd", NAME]).await;
        if there {
            let changed = format!("example/waited={look}");
            try_kubectl(cluster, &["annotate", "--overwrite", "crd", NAME, &changed]).await;
            return Err(said);
        }
        Ok(())
    })
    .await
    .unwrap();
}
