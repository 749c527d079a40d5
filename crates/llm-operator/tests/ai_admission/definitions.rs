//! The definitions themselves: names, versions, subresources, and how large they are.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, ResourceExt};

use crate::desk::{KINDS, create, desk, smallest};

async fn definition(name: &str) -> CustomResourceDefinition {
    let definitions: Api<CustomResourceDefinition> = Api::all(desk().await.client().await);
    definitions.get(name).await.unwrap()
}

/// Group, version, kind, plural, singular, scope, and the status below `/status`.
/// Promises: S3-1, S3-22
#[tokio::test]
async fn names_are_the_documents() {
    for (plural, group, kind, short, scales) in [
        ("llmmodels", "ai.example.com", "LLMModel", "llm", true),
        (
            "modeldeployments",
            "ai.example.com",
            "ModelDeployment",
            "mdeploy",
            true,
        ),
        (
            "dynamographdeployments",
            "nvidia.com",
            "DynamoGraphDeployment",
            "dgd",
            false,
        ),
    ] {
        let found = definition(&format!("{plural}.{group}")).await.spec;
        assert_eq!(
            (found.group.as_str(), found.scope.as_str()),
            (group, "Namespaced")
        );
        assert_eq!(
            (found.names.kind.as_str(), found.names.plural.as_str()),
            (kind, plural)
        );
        assert_eq!(found.names.singular, Some(kind.to_lowercase()));
        assert_eq!(found.names.short_names, Some(vec![short.to_owned()]));
        let [version] = found.versions.as_slice() else {
            panic!("one version: {:?}", found.versions)
        };
        assert!(version.name == "v1" && version.served && version.storage);
        let below = version.subresources.as_ref().unwrap();
        assert!(below.status.is_some(), "{kind}");
        assert_eq!(below.scale.is_some(), scales, "{kind}");
    }
}

/// `kubectl get crds`, `describe`, `-o yaml`, as the document does it; and `kubectl apply` has room for the annotation that it writes.
/// Promises: S3-18
#[tokio::test]
async fn kubectl_shows_them() {
    let desk = desk().await;
    let listed = desk.kubectl(&["get", "crds"]).await;
    for name in [
        "llmmodels.ai.example.com",
        "modeldeployments.ai.example.com",
        "dynamographdeployments.nvidia.com",
    ] {
        assert!(listed.contains(name), "{listed}");
        let described = desk.kubectl(&["describe", "crd", name]).await;
        assert!(described.contains("NamesAccepted"), "{described}");
        let yaml = desk.kubectl(&["get", "crd", name, "-o", "yaml"]).await;
        assert!(yaml.contains("openAPIV3Schema"));
        let crd = definition(name).await;
        let last = &crd.annotations()["kubectl.kubernetes.io/last-applied-configuration"];
        assert!(last.len() < 200_000, "{name}: {} bytes", last.len());
    }
}

/// Names become names of Services and StatefulSets; others are refused with the rule.
#[tokio::test]
async fn names_of_resources() {
    let client = desk().await.client().await;
    for kind in KINDS {
        let longest = if kind == "LLMModel" { 63 } else { 52 };
        for (name, good) in [
            ("a", true),
            ("llama-3-70b", true),
            (&"a".repeat(longest), true),
            (&"a".repeat(longest + 1), false),
            ("7b-chat", false),
            ("llama-3.1-8b", false),
            ("chat-", false),
        ] {
            let answer = create(&client, kind, name, &smallest(kind)).await;
            match answer {
                Ok(_) => assert!(good, "{kind} {name} was accepted"),
                Err(said) => assert!(!good && said.contains("metadata.name"), "{kind} {name}: {said}"),
            }
        }
    }
}
