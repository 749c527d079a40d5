//! The definitions as the API server will get them.
#![allow(clippy::unwrap_used)] // helpers of a test

use serde_json::{Value, json};

fn definitions() -> Vec<Value> {
    api::crds()
        .iter()
        .map(|crd| serde_json::to_value(crd).unwrap())
        .collect()
}

fn definition(name: &str) -> Value {
    definitions()
        .into_iter()
        .find(|crd| crd["metadata"]["name"] == name)
        .unwrap()
}

fn schema(name: &str) -> Value {
    definition(name)["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

/// Client-side apply stores the object in an annotation of at most 256 KiB.
#[test]
fn every_definition_fits_client_side_apply() {
    let optional = api::optional_crds();
    let optional = optional.iter().map(|crd| serde_json::to_value(crd).unwrap());
    for crd in definitions().into_iter().chain(optional) {
        let bytes = serde_json::to_vec(&crd).unwrap().len();
        assert!(bytes < 200 * 1024, "{}: {bytes} bytes", crd["metadata"]["name"]);
    }
}

/// Somebody else's definition of the same name does not pass for ours.
#[test]
fn optional_definitions_are_marked() {
    for mut crd in api::optional_crds() {
        assert!(api::shared::definition::is_marked(&crd));
        assert!(
            !api::crds()
                .iter()
                .any(|own| own.metadata.name == crd.metadata.name)
        );
        crd.metadata.labels = Some([("app.kubernetes.io/part-of".to_owned(), "dynamo".to_owned())].into());
        assert!(!api::shared::definition::is_marked(&crd));
    }
}

#[test]
fn names_are_those_of_the_document() {
    for (plural, kind) in [("llmmodels", "LLMModel"), ("llmdeployments", "LLMDeployment")] {
        let crd = definition(&format!("{plural}.llm.example.com"));
        assert_eq!(crd["spec"]["names"]["kind"], kind);
        assert_eq!(crd["spec"]["scope"], "Namespaced");
        assert_eq!(crd["spec"]["versions"][0]["name"], "v1alpha1");
        let short = crd["spec"]["names"]["shortNames"].as_array().unwrap();
        assert!(!short.contains(&json!("llm")), "belongs to other families");
    }
}

#[test]
fn required_fields_are_those_of_the_document() {
    let model = schema("llmmodels.llm.example.com");
    assert_eq!(model["required"], json!(["spec"]));
    assert_eq!(
        model["properties"]["spec"]["required"],
        json!(["image", "modelName"])
    );
    let deployment = schema("llmdeployments.llm.example.com");
    assert_eq!(
        deployment["properties"]["spec"]["required"],
        json!(["modelRef", "replicas"])
    );
    assert_eq!(
        deployment["properties"]["spec"]["properties"]["port"]["default"],
        8080
    );
}

/// Group, version, names and scope of prem-operator, so that manifests and clients of it go on working.
#[test]
fn names_and_required_fields_of_the_prem_family_are_the_originals() {
    for (plural, kind) in [("aideployments", "AIDeployment"), ("aimodelmaps", "AIModelMap")] {
        let crd = definition(&format!("{plural}.premlabs.io"));
        assert_eq!(crd["spec"]["names"]["kind"], kind);
        assert_eq!(crd["spec"]["names"]["singular"], kind.to_lowercase());
        assert_eq!(crd["spec"]["names"]["shortNames"], Value::Null);
        assert_eq!(crd["spec"]["scope"], "Namespaced");
        let version = &crd["spec"]["versions"][0];
        assert_eq!(
            (&version["name"], &version["served"], &version["storage"]),
            (&json!("v1alpha1"), &json!(true), &json!(true))
        );
        assert_eq!(version["subresources"]["status"], json!({}));
        let schema = schema(&format!("{plural}.premlabs.io"));
        assert_eq!(schema["required"], Value::Null);
        assert_eq!(schema["properties"]["spec"]["required"], Value::Null);
    }
    let spec = schema("aideployments.premlabs.io")["properties"]["spec"]["properties"].clone();
    assert_eq!(spec["engine"]["required"], json!(["name"]));
    assert_eq!(spec["endpoint"]["items"]["required"], json!(["domain"]));
    assert_eq!(spec["models"]["items"]["required"], Value::Null);
    let reference = &spec["models"]["items"]["properties"]["modelMapRef"];
    assert_eq!(reference["required"], json!(["name", "variant"]));
    let accelerator = &spec["deployment"]["properties"]["accelerator"];
    assert_eq!(accelerator["required"], json!(["interface"]));
    assert_eq!(
        accelerator["properties"]["minVersion"]["required"],
        json!(["major"])
    );
    let map = schema("aimodelmaps.premlabs.io")["properties"]["spec"]["properties"].clone();
    for engine in ["localai", "vllm", "deepspeed-mii", "tensor_rt"] {
        let variant = &map[engine]["items"];
        assert_eq!(variant["required"], json!(["variant"]), "{engine}");
        assert_eq!(
            variant["properties"]["variant"]["pattern"], "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            "{engine}"
        );
    }
}

#[test]
fn optional_fields_accept_null_and_those_with_a_default_get_it() {
    let model = schema("llmmodels.llm.example.com")["properties"]["spec"]["properties"].clone();
    assert_eq!(model["env"]["nullable"], true);
    assert_eq!(model["storage"]["properties"]["size"]["nullable"], true);
    assert_eq!(model["engine"]["nullable"], Value::Null);
    assert_eq!(model["engine"]["default"], "generic");
    assert_eq!(model["modelName"]["nullable"], Value::Null);
}

#[test]
fn every_field_of_ours_is_described_and_states_its_default() {
    for crd in definitions() {
        let name = crd["metadata"]["name"].as_str().unwrap();
        let spec = schema(name)["properties"]["spec"].clone();
        let required = spec["required"].as_array().cloned().unwrap_or_default();
        for (field, property) in spec["properties"].as_object().unwrap() {
            let description = property["description"].as_str().unwrap_or_default();
            assert!(!description.is_empty(), "{name} {field} has no description");
            if !required.contains(&json!(field)) {
                assert!(description.contains("Default:"), "{name} {field}: {description}");
            }
        }
    }
}

#[test]
fn definitions_are_as_reviewed() {
    for crd in definitions() {
        let name = crd["metadata"]["name"].as_str().unwrap().to_owned();
        insta::assert_yaml_snapshot!(name, crd);
    }
}
