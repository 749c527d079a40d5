//! Families that are off.

use testkit::plane::audit::{Filter, Request};

use crate::{
    cluster,
    common::{PATIENCE, Space, operator_access, page, repository_file, scrape::scrape, start_operator},
    kinds::{self, SERVED, get, wait_word},
};

const USER: &str = "system:serviceaccount:llm-system:llm-operator";
/// Of each family a word that stands in the path of every request about its kinds.
const GROUPS: [(&str, &str); 6] = [
    ("llm", "/llm.example.com/"),
    ("prem", "/premlabs.io/"),
    ("infra", "/infra.example.com/"),
    ("ai", "/ai.example.com/"),
    ("ai", "/nvidia.com/"),
    ("llmd", "opendatahub.io"),
];

/// What an operator of these families asked, from its start until it has served what it serves and was ended.
async fn asked(families: &str, served: &[&str]) -> (Vec<Request>, Space) {
    let cluster = cluster().await;
    let space = Space::of(cluster, "families").await;
    kinds::apply(&space).await;
    let access = operator_access(cluster).await;
    let mark = cluster.audit_log().mark();
    let name = format!("families-{}", families.replace(',', "-"));
    let mut args = vec![
        "--leader-elect",
        "false",
        "--secure-metrics=false",
        "--families",
        families,
    ];
    if !served.is_empty() {
        // Beside the other tests of this cluster.
        args.extend(["--watch-namespace", space.namespace.as_str()]);
    }
    let mut operator = start_operator(&access, &name, &args).await;
    for (resource, pointer, word) in SERVED {
        if served.iter().any(|group| resource.contains(group)) {
            wait_word(&space, resource, pointer, word).await;
        }
    }
    let (code, text) = page(&format!("{}/readyz", operator.url)).await;
    assert_eq!(code, 200, "{text}");
    for (family, group) in GROUPS {
        let group = group.trim_matches('/');
        let off = !families.split(',').any(|on| on == family);
        assert!(!(off && text.contains(group)), "{group}: {text}");
    }
    let page = scrape(&operator).await;
    let kinds = page.values("llm_operator_resources", "kind");
    let foreign = [
        "LLMDeployment",
        "AIDeployment",
        "NvidiaGpuLlm",
        "LLMModel.ai.example.com",
    ];
    let counted = foreign.iter().filter(|kind| kinds.contains(**kind)).count();
    assert_eq!(counted, served.len(), "{kinds:?}");
    let log = operator.process.log();
    let off = log.lines().filter(|line| line.contains("is off (--families)"));
    assert_eq!(off.count(), 5 - families.split(',').count(), "{log}");
    assert!(!log.contains("nobody reconciles"), "{log}");
    assert_eq!(operator.process.terminate(PATIENCE).await.unwrap(), 0);
    let requests = cluster
        .audit_log()
        .requests_since(&mark, &Filter::user(USER))
        .unwrap();
    let of_off = |request: &&Request| {
        GROUPS.iter().any(|(family, group)| {
            !families.split(',').any(|on| on == *family) && format!("{}/", request.uri).contains(group)
        })
    };
    let beyond: Vec<&Request> = requests.iter().filter(of_off).collect();
    assert!(beyond.is_empty(), "{beyond:#?}");
    (requests, space)
}

/// A family that is off is not served, and not even asked about; the others are, and so is an operator of the charts alone, which looks at
/// no Pod.
#[tokio::test]
async fn what_is_off_is_not_asked_about() {
    let (_, space) = asked("llm", &["llm.example.com/"]).await;
    for (resource, ..) in SERVED {
        if !resource.starts_with("llmdeployments") {
            assert_eq!(
                get(&space, resource).await["status"],
                serde_json::Value::Null,
                "{resource}"
            );
        }
    }
    asked("infra,prem", &["infra.example.com", "aideployments"]).await;
    let (requests, _) = asked("llmd", &[]).await;
    for resource in [
        "pods",
        "deployments",
        "nodes",
        "services",
        "persistentvolumeclaims",
        "configmaps",
    ] {
        let looked = requests.iter().find(|request| request.resource == resource);
        assert!(looked.is_none(), "{looked:?}");
    }
    assert!(requests.iter().any(|request| request.resource == "llmds"));
}

/// An unknown family, and a set that leaves nothing to do, end the process with a sentence.
#[tokio::test]
async fn what_cannot_be_meant_is_said() {
    for (args, words) in [
        (
            &["--families", "llm,kserve"][..],
            ["kserve", "llm, prem, infra, ai, llmd"],
        ),
        (
            &["--families", "llmd", "--watch-namespace", "a"],
            ["--families llmd", "--watch-namespace"],
        ),
    ] {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_llm-operator"));
        let output = command.arg("run").args(args).output().await.unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}");
        for word in words {
            assert!(text.contains(word), "{word}: {text}");
        }
    }
}

/// The Role of a namespace is the `ClusterRole` without what belongs to the whole cluster, so that neither grows alone.
#[test]
fn the_role_is_the_cluster_role_without_what_is_the_clusters() {
    let whole = rules("config/rbac/cluster_role.yaml");
    let part = rules("config/rbac/namespaced_role.yaml");
    let clusters = |rule: &&(String, String, String)| {
        let (group, resource, verb) = *rule;
        ["nodes", "storageclasses", "customresourcedefinitions"]
            .iter()
            .any(|one| resource.starts_with(one))
            || group.ends_with("opendatahub.io")
            || resource.starts_with("autonodelabelers")
            // Events share a rule with nodes there, of which one is read by name.
            || (resource == "events" && verb == "get")
    };
    let expected: std::collections::BTreeSet<_> =
        whole.iter().filter(|rule| !clusters(rule)).cloned().collect();
    assert_eq!(part, expected);
}

/// Group, resource (with its names) and verb of every rule of the first object of a file.
fn rules(file: &str) -> std::collections::BTreeSet<(String, String, String)> {
    let text = repository_file(file);
    let first = text.split("\n---\n").next().unwrap();
    let role: serde_json::Value = serde_saphyr::from_str(first).unwrap();
    let words = |value: &serde_json::Value| -> Vec<String> {
        let list = value.as_array().cloned().unwrap_or_default();
        list.iter()
            .map(|word| word.as_str().unwrap().to_owned())
            .collect()
    };
    let mut found = std::collections::BTreeSet::new();
    for rule in role["rules"].as_array().unwrap() {
        let names = words(&rule["resourceNames"]).join(",");
        for group in words(&rule["apiGroups"]) {
            for resource in words(&rule["resources"]) {
                for verb in words(&rule["verbs"]) {
                    let resource = [resource.as_str(), names.as_str()].join(" ").trim().to_owned();
                    found.insert((group.clone(), resource, verb));
                }
            }
        }
    }
    found
}
