//! `render` of llm-d: charts in, the objects that would be deployed out; no cluster.

use std::sync::OnceLock;

use serde_json::{Value, json};
use testkit::charts::Charts;

use crate::{
    call::{Outcome, call},
    common::repository_file,
};

const LLMD: &str = "config/samples/components_v1alpha1_llmd.yaml";
const CLUSTER: &str = "config/samples/datasciencecluster_v2_llmd_example.yaml";
const PART_OF: &str = "app.kubernetes.io/part-of";

/// The charts of the documents, in their versions.
fn shelf() -> &'static Charts {
    static SHELF: OnceLock<Charts> = OnceLock::new();
    SHELF.get_or_init(|| {
        let charts = Charts::new().unwrap();
        for (chart, version) in [
            ("llm-d-infra", "v1.3.3"),
            ("inferencepool", "v1.0.1"),
            ("llm-d-modelservice", "v0.2.11"),
            ("plain", "1.0.0"),
        ] {
            charts.archive(chart, version).unwrap();
        }
        charts
    })
}

/// `render -f -` of a text, with Helm and these charts.
fn render(yaml: &str, more: &[&str]) -> Outcome {
    render_by(shelf().helm().to_str().unwrap(), yaml, more)
}

fn render_by(helm: &str, yaml: &str, more: &[&str]) -> Outcome {
    let shelf = shelf();
    let archive = shelf.archive("plain", "1.0.0").unwrap();
    let directory = archive.parent().unwrap().to_str().unwrap();
    let mut args = vec!["render", "-f", "-", "--helm", helm, "--charts-dir", directory];
    args.extend(more);
    call(&args, yaml)
}

/// An `Llmd` with one chart, the fields of whose block are given.
fn one_chart(block: &str) -> String {
    format!(
        "apiVersion: components.platform.opendatahub.io/v1alpha1\nkind: Llmd\nmetadata: {{name: default-llm-d}}\nspec:\n  modelService: {block}\n"
    )
}

/// An `Llmd` with chart `plain` in the place of the model service.
fn plain(more: &str) -> String {
    one_chart(&format!(
        "{{enabled: true, version: 1.0.0, repository: {{url: 'file:plain-1.0.0.tgz'}}{more}}}"
    ))
}

/// Every object of the three charts, with its label, in its namespace, and fitted to the others.
/// Promises: S1-17, S1-24, S1-25, S1-26
#[test]
fn the_documents_llmd_becomes_every_object_of_three_charts() {
    let outcome = render(&repository_file(LLMD), &[]);
    let objects = outcome.documents();
    assert!(objects.len() >= 12, "{}", outcome.out);
    for object in &objects {
        let what = format!("{} {}", object["kind"], object["metadata"]["name"]);
        assert_eq!(object["metadata"]["labels"][PART_OF], "llm-d", "{what}");
        let pods = &object["spec"]["template"];
        if pods.is_object() {
            assert_eq!(pods["metadata"]["labels"][PART_OF], "llm-d", "Pods of {what}");
            assert_eq!(
                object["spec"]["selector"]["matchLabels"][PART_OF],
                Value::Null,
                "{what}"
            );
        }
        let of_cluster = object["kind"].as_str().unwrap().starts_with("ClusterRole");
        let namespace = if of_cluster { Value::Null } else { json!("llm-d") };
        assert_eq!(object["metadata"]["namespace"], namespace, "{what}");
    }
    outcome.named("Gateway", "inference-gateway");
    let route = outcome.named("HTTPRoute", "llm-d-modelservice");
    assert_eq!(route["spec"]["parentRefs"][0]["name"], "inference-gateway");
    let pools = objects.iter().filter(|object| object["kind"] == "InferencePool");
    assert_eq!(pools.count(), 1, "{}", outcome.out);
    assert!(outcome.err.contains("namespace llm-d"), "{}", outcome.err);
    assert_eq!(
        outcome.out,
        render(&repository_file(LLMD), &[]).out,
        "twice the same"
    );
}

/// Both ways of the documents ask for the same objects; a component that is removed, or says nothing, for none.
/// Promises: S1-17, S1-18, S1-19, S1-21
#[test]
fn a_data_science_cluster_becomes_the_same_objects() {
    let (llmd, cluster) = (repository_file(LLMD), repository_file(CLUSTER));
    let direct = render(&llmd, &[]);
    assert_eq!(render(&cluster, &[]).out, direct.out, "{}", direct.err);
    let both = render(&format!("{llmd}---\n{cluster}"), &[]);
    assert_eq!((both.code, &both.out), (0, &direct.out), "{}", both.err);
    for line in ["      managementState: Removed\n", ""] {
        let removed = render(&cluster.replace("      managementState: Managed\n", line), &[]);
        assert_eq!((removed.code, removed.out.as_str()), (0, ""), "{}", removed.err);
        assert!(removed.err.contains("not Managed"), "{}", removed.err);
    }
}

/// A chart that is not enabled is not rendered, and the others do without it.
/// Promises: S1-20
#[test]
fn charts_that_are_not_enabled_are_left_out() {
    let text = repository_file(LLMD);
    let without_pool = text.replace(
        "gatewayAPI:\n    enabled: true",
        "gatewayAPI:\n    enabled: false",
    );
    assert_ne!(text, without_pool);
    let objects = render(&without_pool, &[]).documents();
    let pools: Vec<&Value> = objects
        .iter()
        .filter(|object| object["kind"] == "InferencePool")
        .collect();
    assert_eq!(pools.len(), 1, "its own: {pools:?}");
    assert!(
        objects
            .iter()
            .all(|object| object["metadata"]["name"] != "inferencepool-epp"),
        "{objects:?}"
    );
}

/// Values of `ConfigMap`s and Secrets among the files count, later ones win, and inline values over all of them; another
/// namespace is told.
/// Promises: S1-27, S1-28
#[test]
fn values_come_from_the_same_files() {
    let yaml = plain(
        ", values: {word: inline}, valuesFrom: [{kind: ConfigMap, name: base}, {kind: Secret, name: over, key: mine}]",
    )
    .replace("spec:\n", "spec:\n  namespace: serving\n");
    let map = "---
apiVersion: v1
kind: ConfigMap
metadata: {name: base, namespace: serving}
data:
  values.yaml: |
    message: base
    word: base
    deployment: {create: true, replicas: 3}
";
    let secret = |namespace: &str| {
        format!(
            "---
apiVersion: v1
kind: Secret
metadata: {{name: over, namespace: {namespace}}}
data: {{mine: bWVzc2FnZTogb3Zlcgp3b3JkOiBvdmVyCg==}}
"
        )
    };
    let outcome = render(&format!("{yaml}{map}{}", secret("serving")), &[]);
    let settings = outcome.named("ConfigMap", "llm-d-modelservice-settings");
    assert_eq!(settings["metadata"]["namespace"], "serving");
    assert_eq!(settings["data"]["message"], "over");
    assert_eq!(settings["data"]["word"], "inline");
    let deployments = outcome.documents();
    let deployment = deployments.iter().find(|object| object["kind"] == "Deployment");
    assert_eq!(deployment.unwrap()["spec"]["replicas"], 3);

    let elsewhere = render(&format!("{yaml}{map}{}", secret("other")), &[]);
    assert_eq!(elsewhere.code, 1, "{}", elsewhere.out);
    for words in [
        "spec.modelService.valuesFrom[1]",
        "Secret over does not exist",
        "Secret over is in namespace other",
    ] {
        assert!(elsewhere.err.contains(words), "{words}: {}", elsewhere.err);
    }
}

/// Charts ask what a cluster is and serves: without one, the command line says it.
#[test]
fn the_cluster_is_described_by_flags() {
    let yaml = plain(", values: {api: example.com/v1/Thing}");
    let settings = |more: &[&str]| {
        let outcome = render(&yaml, more);
        outcome.named("ConfigMap", "llm-d-modelservice-settings")["data"].clone()
    };
    assert_eq!(settings(&[])["served"], "false");
    let told = settings(&[
        "--kube-version",
        "v1.33.7",
        "--api-versions",
        "example.com/v1,example.com/v1/Thing",
    ]);
    assert_eq!(
        (&told["served"], &told["kubeVersion"]),
        (&json!("true"), &json!("v1.33.7"))
    );
}

/// A kind whose definition is among the files is taken at its word about namespaces; any other has one.
#[test]
fn definitions_tell_which_kinds_have_no_namespace() {
    let things = "values: {extraObjects: [\
                  {apiVersion: example.com/v1, kind: Wide, metadata: {name: a}}, \
                  {apiVersion: example.com/v1, kind: Narrow, metadata: {name: b}}]}";
    let yaml = one_chart(&format!("{{enabled: true, {things}}}"));
    let definition = "---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: wides.example.com}
spec: {group: example.com, scope: Cluster, names: {kind: Wide, plural: wides}, versions: []}
";
    let outcome = render(&format!("{yaml}{definition}"), &[]);
    assert_eq!(outcome.named("Wide", "a")["metadata"]["namespace"], Value::Null);
    assert_eq!(outcome.named("Narrow", "b")["metadata"]["namespace"], "llm-d");
}

/// What is wrong is told with the resource, the chart and what to do, and nothing of llm-d is printed.
#[test]
fn mistakes_are_told() {
    let other_name = repository_file(LLMD).replace("default-llm-d", "mine");
    let second = format!("{}---\n{}", repository_file(LLMD), repository_file(CLUSTER));
    let differs = second.replacen("0.2.11", "0.2.12", 1);
    let table: [(&str, String, &[&str]); 7] = [
        ("name", other_name, &["Llmd name must be default-llm-d"]),
        (
            "two that differ",
            differs,
            &["DataScienceCluster default-dsc", "one Llmd"],
        ),
        (
            "schema",
            plain(", values: {nonsense: 1}"),
            &["Llmd default-llm-d", "llm-d-modelservice", "nonsense"],
        ),
        (
            "template",
            plain(", values: {faults: {render: we cannot have this}}"),
            &["we cannot have this"],
        ),
        (
            "not said",
            one_chart("{version: 0.2.11}"),
            &["spec.modelService.enabled"],
        ),
        (
            "no such version",
            one_chart("{enabled: true, version: 9.9.9, repository: {url: 'http://127.0.0.1:1'}}"),
            &["llm-d-modelservice", "9.9.9"],
        ),
        (
            "outside of the charts directory",
            one_chart("{enabled: true, repository: {url: 'file:../../etc'}}"),
            &["spec.modelService.repository.url", "charts directory"],
        ),
    ];
    for (what, yaml, expected) in table {
        let outcome = render(&yaml, &[]);
        assert_eq!(
            (outcome.code, outcome.out.as_str()),
            (1, ""),
            "{what}: {}",
            outcome.err
        );
        for words in expected {
            assert!(outcome.err.contains(words), "{what}: {words}: {}", outcome.err);
        }
    }
}

/// Without Helm only charts cannot be rendered.
/// Promises: S1-32
#[test]
fn other_kinds_need_no_helm() {
    let text = format!(
        "{}---\n{}---\n{}",
        crate::common::gpt_small(),
        crate::common::chat_service(),
        plain("")
    );
    let with = render(&text, &[]);
    assert_eq!(with.code, 0, "{}", with.err);
    let without = render_by("/nowhere/helm", &text, &[]);
    let printed: Vec<Value> = serde_saphyr::from_multiple(&without.out).unwrap();
    assert_eq!(without.code, 1, "{}", without.err);
    assert!(printed.iter().any(|object| object["kind"] == "Deployment"));
    assert!(printed.len() < with.documents().len());
    for words in ["/nowhere/helm cannot be started", "--helm", "1 of 2 resources"] {
        assert!(without.err.contains(words), "{words}: {}", without.err);
    }
}
