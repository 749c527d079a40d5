//! What the operator may do: the shipped roles, read as files.

use serde_json::Value;

use crate::common::{repository_file, root};

fn documents() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join("config/rbac")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.strip_suffix(".yaml").is_none() {
            continue;
        }
        let text = repository_file(&format!("config/rbac/{name}"));
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        found.extend(documents.into_iter().map(|document| (name.clone(), document)));
    }
    found
}

fn words<'a>(rule: &'a Value, field: &str) -> Vec<&'a str> {
    let list = rule[field].as_array().into_iter().flatten();
    list.filter_map(Value::as_str).collect()
}

/// What installing charts takes, which bring roles of their own: far more than all else, so it can be left out as a whole.
const CHARTS: &str = "charts_role.yaml";

/// What may be done to a child.
const CHILD: [&str; 6] = ["get", "list", "watch", "create", "patch", "delete"];

/// Least rights: no wildcard, no Secret, nothing that leads to more rights, no spec of ours written.
/// Promises: S2-23
#[test]
fn roles_hold_nothing_too_much() {
    let mut rules = 0;
    for (file, document) in documents() {
        let kind = document["kind"].as_str().unwrap();
        if file == CHARTS || !["ClusterRole", "Role"].contains(&kind) {
            continue;
        }
        for rule in document["rules"].as_array().unwrap() {
            rules += 1;
            let (groups, resources, verbs) = (
                words(rule, "apiGroups"),
                words(rule, "resources"),
                words(rule, "verbs"),
            );
            let all = [groups.clone(), resources.clone(), verbs.clone()].concat();
            assert!(!all.iter().any(|word| word.contains('*')), "{file}: {rule}");
            let page = file == "metrics_reader_role.yaml" && words(rule, "nonResourceURLs") == ["/metrics"];
            assert!(page || rule["nonResourceURLs"].is_null(), "{file}: {rule}");
            // By name alone: the token of gated models, of which only the existence is looked at, and the operator's own certificate.
            if resources.contains(&"secrets") {
                let names = words(rule, "resourceNames");
                let token = names == ["hf-token"] && verbs == ["list", "watch"];
                let own = names == ["llm-operator-external-metrics-tls"];
                assert!(resources == ["secrets"] && (token || own), "{file}: {rule}");
                continue;
            }
            for forbidden in ["pods/exec", "serviceaccounts", "roles", "clusterroles"] {
                assert!(!resources.contains(&forbidden), "{file}: {rule}");
            }
            for forbidden in ["bind", "escalate", "impersonate", "deletecollection"] {
                assert!(!verbs.contains(&forbidden), "{file}: {rule}");
            }
            let writes = verbs.iter().any(|verb| !["get", "list", "watch"].contains(verb));
            // The Pod of an NvidiaGpuLlm: made, patched where Kubernetes lets it, deleted; never evicted or bound.
            if writes && resources.contains(&"pods") {
                assert_eq!(resources, ["pods"], "{file}: {rule}");
                assert_eq!(verbs, CHILD, "{file}: {rule}");
            }
            if writes && resources.contains(&"nodes") {
                assert_eq!(verbs, ["patch"], "labels, by apply: {file}: {rule}");
            }
            // Deleted where `action: uninstall` asks for it, and nowhere else.
            if resources.contains(&"persistentvolumeclaims") {
                assert_eq!(resources, ["persistentvolumeclaims"], "{file}: {rule}");
                assert_eq!(verbs, CHILD, "{file}: {rule}");
            }
            // What its finalizer needs. Whoever may make labelers is said by a role that is bound to nobody.
            if ["autonodelabelers", "nvidiagpullms"]
                .iter()
                .any(|finalized| resources == [*finalized])
            {
                let finalizer = verbs
                    .iter()
                    .all(|verb| ["get", "list", "watch", "patch"].contains(verb));
                assert!(file != "cluster_role.yaml" || finalizer, "{file}: {rule}");
                continue;
            }
            let ours = [
                "llm.example.com",
                "premlabs.io",
                "infra.example.com",
                "ai.example.com",
                "nvidia.com",
            ];
            if ours.iter().any(|ours| groups == [*ours]) && writes {
                assert!(
                    resources.iter().all(|name| name.contains('/')),
                    "no spec is written: {file}: {rule}"
                );
            }
        }
    }
    assert!(rules > 8, "{rules} rules were read");
}

/// The right to write definitions is a role of its own, bound to nobody.
/// Promises: S2-23
#[test]
fn writing_definitions_is_a_choice() {
    let bound: Vec<String> = documents()
        .into_iter()
        .filter(|(file, _)| file != CHARTS)
        .filter(|(_, document)| document["kind"].as_str().unwrap().ends_with("Binding"))
        .map(|(_, document)| document["roleRef"]["name"].as_str().unwrap().to_owned())
        .collect();
    // The ClusterRole and the Role of each part, and Kubernetes' own for whoever serves an API behind the API server.
    assert_eq!(bound.len(), 7, "{bound:?}");
    assert!(!bound.contains(&"llm-operator-install-crds".to_owned()));
    for (file, document) in documents() {
        let rules = document["rules"].as_array().cloned().unwrap_or_default();
        let definitions = rules
            .iter()
            .filter(|rule| words(rule, "resources").contains(&"customresourcedefinitions"))
            .any(|rule| {
                words(rule, "verbs")
                    .iter()
                    .any(|verb| !["get", "list", "watch"].contains(verb))
            });
        assert!(
            !definitions || document["metadata"]["name"] == "llm-operator-install-crds",
            "{file}"
        );
    }
}
