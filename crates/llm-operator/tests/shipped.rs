//! Files that are shipped for llm-d beside the operator: samples and alerts. No operator runs here.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

mod common;

use std::{collections::BTreeSet, time::Duration};

use api::shared::State;
use common::{PATIENCE, repository_file, root};
use controllers::kinds::{DATA_SCIENCE_CLUSTER, LLMD};
use reconcile::{Metrics, ObjectKey};
use serde_json::Value;
use testkit::Cluster;

/// The document's YAML, word for word.
const SAMPLES: [(&str, &str); 2] = [
    (
        "config/samples/components_v1alpha1_llmd.yaml",
        r#"apiVersion: components.platform.opendatahub.io/v1alpha1
kind: Llmd
metadata:
  name: default-llm-d
spec:
  modelService:
    enabled: true
    version: "0.2.11"
  infra:
    enabled: true
    version: "1.3.3"
  gatewayAPI:
    enabled: true
    version: "1.0.1"
"#,
    ),
    (
        "config/samples/datasciencecluster_v2_llmd_example.yaml",
        r#"apiVersion: datasciencecluster.opendatahub.io/v2
kind: DataScienceCluster
metadata:
  name: default-dsc
spec:
  components:
    llmd:
      managementState: Managed
      modelService:
        enabled: true
        version: "0.2.11"
      infra:
        enabled: true
        version: "1.3.3"
      gatewayAPI:
        enabled: true
        version: "1.0.1"
"#,
    ),
];

/// The samples are the document's, and the API server takes them as they are, by both ways of applying, unknown fields refused.
/// Promises: S1-1, S1-2, S1-4, S1-5, S1-17
#[tokio::test]
async fn samples_apply_as_the_document_has_them() {
    let cluster = Cluster::builder().start().await.unwrap();
    for folder in ["config/crd", "config/crd-optional"] {
        let folder = root().join(folder);
        let output = cluster.kubectl(&["apply", "-f", folder.to_str().unwrap()]).await;
        assert!(output.unwrap().status.success());
    }
    for (file, document) in SAMPLES {
        assert_eq!(repository_file(file), document, "{file}");
        let path = root().join(file);
        let path = path.to_str().unwrap();
        testkit::until(format!("the kind of {file} is served"), PATIENCE, async || {
            let output = cluster.kubectl(&["get", "-f", path]).await.unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            if said.contains("(NotFound)") && said.contains("default-") {
                Ok(())
            } else {
                Err(said)
            }
        })
        .await
        .unwrap();
        for way in [&["--server-side"][..], &[]] {
            let args = [
                &["apply", "--dry-run=server", "--validate=strict", "-f", path],
                way,
            ]
            .concat();
            let output = cluster.kubectl(&args).await.unwrap();
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said).into_owned();
            assert!(
                output.status.success() && !said.contains("Warning"),
                "{file}: {said}"
            );
        }
    }
}

/// Guide and summary show the same, and all files that the document names are there.
/// Promises: S1-16, S1-17
#[test]
fn the_guide_shows_the_samples() {
    let guide = repository_file("docs/llmd-integration.md");
    let summary = repository_file("LLMD_INTEGRATION_SUMMARY.md");
    for (file, document) in SAMPLES {
        assert!(guide.contains(&format!("```yaml\n{document}```")), "{file}");
        assert!(guide.contains(file) && summary.contains(file), "{file}");
    }
    for file in [
        "crates/controllers/src/llmd/README.md",
        "hack/fetch-helm-charts.sh",
        "get_all_manifests.sh",
        "opt/manifests/llmd/README.md",
    ] {
        assert!(!repository_file(file).is_empty(), "{file}");
    }
}

/// Every field of the definition has a row in the guide.
/// Promises: S1-17
#[test]
fn the_guide_has_every_field() {
    let guide = repository_file("docs/llmd-integration.md");
    let table = guide
        .split("## Fields")
        .nth(1)
        .unwrap()
        .split("## ")
        .next()
        .unwrap();
    let definition: Value = serde_saphyr::from_str(&repository_file(
        "config/crd/components.platform.opendatahub.io_llmds.yaml",
    ))
    .unwrap();
    let spec = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let fields = |schema: &Value| -> Vec<String> {
        let properties = schema["properties"].as_object().unwrap();
        properties.keys().cloned().collect()
    };
    let block = &spec["properties"]["infra"];
    let mut all = fields(spec);
    all.extend(fields(block));
    all.extend(fields(&block["properties"]["repository"]));
    all.extend(fields(&block["properties"]["valuesFrom"]["items"]));
    all.extend(fields(&spec["properties"]["remediation"]));
    for field in all {
        let named = [
            format!("`{field}`"),
            format!("`{field}."),
            format!(".{field}`"),
            format!(".{field}."),
            format!(".{field}["),
        ];
        assert!(named.iter().any(|name| table.contains(name)), "{field}");
    }
}

/// All that the operator can say about these kinds, as Prometheus would read it.
fn exported() -> String {
    let metrics = Metrics::new();
    for kind in [LLMD, DATA_SCIENCE_CLUSTER] {
        metrics.reconciled(kind, Duration::ZERO, Some("Forbidden"));
        for state in State::ALL {
            metrics.set_state(&ObjectKey::new(kind, "", state.as_str()), state.as_str());
        }
    }
    metrics.encode().unwrap()
}

/// Metrics of an expression, each with its selector.
fn metrics_of(expression: &str) -> Vec<(&str, &str)> {
    let starts = expression
        .match_indices("llm_operator_")
        .map(|(at, _)| &expression[at..]);
    starts
        .map(|rest| {
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            let (name, rest) = rest.split_at(end);
            let selector = rest.strip_prefix('{').and_then(|rest| rest.split('}').next());
            (name, selector.unwrap_or_default())
        })
        .collect()
}

/// Every metric that an alert looks at is exported, with the kinds, states and labels that the alert picks; every alert says what
/// to do.
/// Promises: S1-11
#[test]
fn alerts_look_at_what_is_exported() {
    let rules: Value =
        serde_saphyr::from_str(&repository_file("config/monitoring/llmd-prometheusrules.yaml")).unwrap();
    assert_eq!(rules["apiVersion"], "monitoring.coreos.com/v1");
    assert_eq!(rules["kind"], "PrometheusRule");
    let exported = exported();
    let mut seen = BTreeSet::new();
    for rule in rules["spec"]["groups"][0]["rules"].as_array().unwrap() {
        let (name, expression) = (rule["alert"].as_str().unwrap(), rule["expr"].as_str().unwrap());
        assert!(
            rule["for"].is_string() && rule["labels"]["severity"].is_string(),
            "{name}"
        );
        for text in ["summary", "description", "runbook"] {
            assert!(
                rule["annotations"][text]
                    .as_str()
                    .is_some_and(|text| text.len() > 20),
                "{name}: {text}"
            );
        }
        let count = |what: char| expression.matches(what).count();
        assert!(
            count('(') == count(')') && count('{') == count('}'),
            "{name}: {expression}"
        );
        let metrics = metrics_of(expression);
        assert!(!metrics.is_empty(), "{name}: {expression}");
        for (metric, selector) in metrics {
            seen.insert(metric);
            let samples: Vec<&str> = exported
                .lines()
                .filter(|line| {
                    line.strip_prefix(metric)
                        .is_some_and(|rest| rest.starts_with(['{', ' ']))
                })
                .collect();
            assert!(
                !samples.is_empty(),
                "{name}: {metric} is not exported: {exported}"
            );
            for matcher in selector.split(',').filter(|matcher| !matcher.is_empty()) {
                let (label, values) = matcher.split_once('=').unwrap();
                for value in values.trim_matches(['~', '"']).split('|') {
                    let pair = format!("{label}=\"{value}\"");
                    assert!(
                        samples.iter().any(|line| line.contains(&pair)),
                        "{name}: {metric} has no {pair}"
                    );
                }
            }
            if let Some(by) = expression
                .split("by (")
                .nth(1)
                .and_then(|rest| rest.split(')').next())
            {
                for label in by.split(',').map(str::trim) {
                    assert!(
                        samples[0].contains(&format!("{label}=\"")),
                        "{name}: {metric} has no {label}"
                    );
                }
            }
        }
    }
    assert!(seen.contains("llm_operator_resources"), "{seen:?}");
}
