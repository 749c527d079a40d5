//! What families and scope make of the rights.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    objects::{has, one},
    rendered::rendered,
};

const FAMILIES: [&str; 5] = ["llm", "prem", "infra", "ai", "llmd"];

fn rules(values: &str, kind: &str, name: &str) -> BTreeSet<String> {
    let objects = rendered("llm-system", values);
    let rules = one(&objects, kind, name)["rules"].as_array().unwrap();
    rules.iter().map(Value::to_string).collect()
}

/// A family that is off has no rights; all families together have all of them.
#[test]
fn a_family_has_its_own_rights_and_no_others() {
    for (kind, name) in [("ClusterRole", "llm-operator"), ("Role", "llm-operator")] {
        let all = rules("{}", kind, name);
        let mut together = BTreeSet::new();
        for family in FAMILIES {
            let own = rules(&format!("families: [{family}]"), kind, name);
            assert!(own.is_subset(&all) && own.len() < all.len(), "{family}");
            together.extend(own);
        }
        assert_eq!(together, all);
    }
    let llm = rules("families: [llm]", "ClusterRole", "llm-operator");
    let words: String = llm.into_iter().collect();
    assert!(words.contains("llm.example.com") && words.contains("deployments"));
    for group in [
        "premlabs.io",
        "infra.example.com",
        "ai.example.com",
        "nvidia.com",
        "opendatahub.io",
        "customresourcedefinitions",
    ] {
        assert!(!words.contains(group), "{group}");
    }
    // Labels on nodes are AutoNodeLabeler's business alone.
    let patches_nodes = |values: &str| {
        let rules = rules(values, "ClusterRole", "llm-operator");
        rules
            .iter()
            .any(|rule| rule.contains("\"nodes\"") && rule.contains("patch"))
    };
    assert!(patches_nodes("families: [prem]") && !patches_nodes("families: [llm, infra, ai, llmd]"));
}

/// The lease, and statuses, stand in a Role of the release's namespace beside the `ClusterRole`, whatever that namespace is.
/// Promises: S3-21
#[test]
fn a_role_stands_beside_the_cluster_role() {
    for namespace in ["default", "llm-system"] {
        let objects = rendered(namespace, "{}");
        let role = one(&objects, "Role", "llm-operator");
        assert_eq!(role["metadata"]["namespace"], namespace);
        let words = role["rules"].to_string();
        assert!(
            words.contains("leases") && words.contains("llmdeployments/status"),
            "{words}"
        );
        assert!(
            one(&objects, "ClusterRole", "llm-operator")["rules"]
                .to_string()
                .contains("/status")
        );
        for (id, object) in &objects {
            for subject in object["subjects"].as_array().into_iter().flatten() {
                assert_eq!(subject["namespace"], namespace, "{id:?}");
            }
            assert!(
                id.1.is_empty() || id.1 == namespace || (id.1 == "kube-system" && id.0 == "RoleBinding"),
                "{id:?}"
            );
        }
    }
    let named = rendered("default", "serviceAccount: {name: mine}");
    for (id, object) in &named {
        for subject in object["subjects"].as_array().into_iter().flatten() {
            let hook = !object["metadata"]["annotations"]["helm.sh/hook"].is_null();
            assert_eq!(subject["name"] == "mine", !hook, "{id:?}");
        }
    }
    let pod = &one(&named, "Deployment", "llm-operator")["spec"]["template"]["spec"];
    assert_eq!(pod["serviceAccountName"], "mine");
}

/// What removing the operator takes exists only while it is removed, and is nothing that the operator has.
#[test]
fn rights_of_the_removal_are_hooks() {
    let objects = rendered("llm-system", "{}");
    for (id, object) in &objects {
        let hook = object["metadata"]["annotations"]["helm.sh/hook"].as_str();
        assert_eq!(hook, id.2.contains("uninstall").then_some("pre-delete"), "{id:?}");
        let deletes_apis = object["rules"].to_string().contains("apiservices")
            && object["rules"].to_string().contains("delete");
        assert!(!deletes_apis || hook.is_some(), "{id:?}");
    }
    let job = &one(&objects, "Job", "llm-operator-uninstall")["spec"]["template"];
    assert!(
        job["metadata"]["labels"]["app"].is_null(),
        "no Pod of the operator"
    );
    assert_eq!(job["spec"]["serviceAccountName"], "llm-operator-uninstall");
    assert!(has(&objects, "ServiceAccount", "llm-operator-uninstall"));
    // Whatever waits for the operator can be let go of.
    let rules = one(&objects, "ClusterRole", "llm-operator-uninstall")["rules"].clone();
    for kind in controllers::finalizers::finalized() {
        let (group, resource) = (kind.resource.group, kind.resource.plural);
        let rule =
            serde_json::json!({"apiGroups": [group], "resources": [resource], "verbs": ["list", "patch"]});
        assert!(rules.as_array().unwrap().contains(&rule), "{resource}: {rules}");
    }
}
