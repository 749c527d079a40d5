//! Fields that are opened and left empty mean "not said", by whichever verb they arrive.

use serde_json::{Value, json};

use crate::{
    common::desk::{file, with},
    desk::{KINDS, api, apply, create, desk, smallest},
};

/// The smallest spec with a null in every other field, to the depth of `serving`.
fn with_nulls(kind: &str) -> Value {
    let definitions = api::crds().into_iter().chain(api::optional_crds());
    let group = if kind == "DynamoGraphDeployment" {
        "nvidia.com"
    } else {
        "ai.example.com"
    };
    let crd = definitions
        .into_iter()
        .find(|crd| crd.spec.names.kind == kind && crd.spec.group == group)
        .unwrap();
    let crd = serde_json::to_value(crd).unwrap();
    let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
    // A choice takes no null (`api::shared::definition` says why).
    let nulls = |properties: &Value| -> Value {
        let fields = properties.as_object().unwrap().iter();
        let fields = fields.filter(|(_, schema)| schema["enum"].is_null());
        fields
            .map(|(field, _)| (field.clone(), Value::Null))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let mut all = with(nulls(spec), &smallest(kind));
    let serving = nulls(&spec["serving"]["properties"]);
    assert!(serving.as_object().unwrap().len() > 15, "{serving}");
    all["serving"] = serving;
    all
}

#[tokio::test]
async fn nulls_by_every_verb() {
    let client = desk().await.client().await;
    for kind in KINDS {
        let plain = create(&client, kind, "plain", &smallest(kind)).await.unwrap();
        let nulls = with_nulls(kind);
        create(&client, kind, "nulls", &nulls).await.unwrap();
        // Twice: the second time the rules compare old and new.
        for _ in 0..2 {
            let stored = apply(&client, kind, "nulls", &nulls).await.unwrap();
            let mut said = stored.data["spec"].clone();
            said.as_object_mut()
                .unwrap()
                .retain(|field, value| !value.is_null() && field != "serving");
            assert_eq!(said, plain.data["spec"], "{kind}");
        }
        let path = file("nulls.json", &json!({"apiVersion": api(&client, kind).resource_url().trim_start_matches("/apis/")
            .split("/namespaces").next().unwrap(), "kind": kind, "metadata": {"name": "by-kubectl"}, "spec": nulls}).to_string());
        for verb in [["apply", "--validate=strict"], ["replace", "--validate=strict"]] {
            desk().await.kubectl(&[verb[0], verb[1], "-f", &path]).await;
        }
    }
}
