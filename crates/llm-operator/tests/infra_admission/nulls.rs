//! Fields that are opened and left empty: `prompts:` with nothing below it means "not said", by whichever verb it arrives.

use api::infra_example_com::v1::NvidiaGpuLlm;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use crate::desk::{apply, client, create, delete, file, install, kubectl};

/// The smallest spec with a null in every other field.
fn with_nulls() -> Value {
    let crd = api::crds()
        .into_iter()
        .find(|crd| crd.spec.names.kind == "NvidiaGpuLlm")
        .unwrap();
    let crd = serde_json::to_value(crd).unwrap();
    let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let mut nulls = install(&json!({}));
    for field in spec["properties"].as_object().unwrap().keys() {
        if nulls[field].is_null() {
            nulls[field] = Value::Null;
        }
    }
    assert!(nulls.as_object().unwrap().len() > 15, "{nulls}");
    nulls
}

/// What is stored says what the smallest spec says.
fn says_nothing(stored: &DynamicObject, plain: &DynamicObject) {
    let mut said = stored.data["spec"].clone();
    said.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    assert_eq!(said, plain.data["spec"]);
    let (stored, plain) = (stored.clone(), plain.clone());
    let typed: NvidiaGpuLlm = stored.try_parse().unwrap();
    let expected: NvidiaGpuLlm = plain.try_parse().unwrap();
    assert_eq!(typed.spec, expected.spec);
}

#[tokio::test]
async fn nulls_by_every_verb() {
    let client = client().await;
    let plain = create(&client, "plain", &install(&json!({}))).await.unwrap();
    says_nothing(&create(&client, "nulls", &with_nulls()).await.unwrap(), &plain);
    says_nothing(&apply(&client, "nulls", &with_nulls()).await.unwrap(), &plain);
    // A second time, as an update: the rules compare old and new.
    says_nothing(&apply(&client, "nulls", &with_nulls()).await.unwrap(), &plain);
    delete(&client, "nulls").await;
}

/// As a person writes it, through kubectl.
#[tokio::test]
async fn a_list_with_nothing_below() {
    let yaml = "apiVersion: infra.example.com/v1
kind: NvidiaGpuLlm
metadata: {name: emptied}
spec:
  action: install
  llmName: emptied
  persistentStorage: true
  storageClassName:
  model:
  prompts:
  access:
";
    let path = file("emptied.yaml", yaml);
    for flags in [
        ["apply", "--validate=strict"].as_slice(),
        &["apply", "--validate=strict"],
        &["apply", "--server-side", "--force-conflicts"],
        &["replace", "--validate=strict"],
    ] {
        let args = [flags, ["-f", path.as_str()].as_slice()].concat();
        kubectl(&args).await;
        let text = kubectl(&["get", "gpullm", "emptied", "-o", "json"]).await;
        let stored: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(stored["spec"]["prompts"], Value::Null, "{flags:?}");
        assert_eq!(stored["spec"]["model"], "tinyllama", "{flags:?}");
    }
    delete(&client().await, "emptied").await;
}
