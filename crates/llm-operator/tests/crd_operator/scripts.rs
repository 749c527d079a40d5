//! The scripts where an operator runs already.

use api::ai_example_com::v1::LLMModel;
use k8s_openapi::api::apps::v1::Deployment;

use crate::{bed, common::Space, kubectl, passes};

/// They use the operator that is there, may be run again, and remove only what they have made.
/// Promises: S3-7, S3-17, S3-23, S3-34
#[tokio::test]
async fn they_use_an_operator_that_runs_already() {
    let bed = bed().await;
    for round in ["first", "second"] {
        let said = passes(&bed.cluster, "test-all-crd-operator.sh").await;
        for words in [
            "llmmodels.ai.example.com is here already",
            "'replicas: three' is refused",
            "an operator runs in this cluster and acts on my-model",
            "an operator runs already, and is used",
            "ok: the Deployment has 2 replicas",
            "ok: there is another Deployment my-chat",
            "ok: my-chat is Ready",
            "ALL PASSED",
        ] {
            assert!(said.contains(words), "{round} run, {words}:\n{said}");
        }
        let events = said.split("8. Events").nth(1).unwrap();
        assert!(events.contains("llmmodel/my-chat"), "{said}");
        let kinds = ["get", "deployments", "-A", "-l", "app=llm-operator", "-o", "name"];
        assert_eq!(kubectl(&bed.cluster, &kinds).await, "", "no second operator");
    }

    let space = Space::existing(&bed.cluster, "default").await;
    let said = passes(&bed.cluster, "cleanup-all-crd-operator.sh").await;
    assert!(
        said.contains("was not installed by the examples; it stays"),
        "{said}"
    );
    assert_eq!(space.api::<LLMModel>().get_opt("my-chat").await.unwrap(), None);
    assert_eq!(space.api::<Deployment>().get_opt("my-chat").await.unwrap(), None);
    passes(&bed.cluster, "cleanup-all-crd-operator.sh").await;
}
