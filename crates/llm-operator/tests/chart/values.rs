//! What values do, and which are refused.

use serde_json::{Value, json};

use crate::{
    objects::{has, one},
    rendered::{rendered, template, variables},
};

fn pod(values: &str) -> Value {
    let objects = rendered("llm-system", values);
    one(&objects, "Deployment", "llm-operator")["spec"]["template"].clone()
}

/// Image, numbers, placement, log, arguments, variables: each where it belongs.
/// Promises: S2-14
#[test]
fn the_operators_pod_is_as_the_values_say() {
    let digest = format!("sha256:{}", "0".repeat(64));
    for (values, image) in [
        ("{}", "llm-operator:v0.1.0"),
        (
            "image: {repository: registry.example.com:5000/llm-operator, tag: v9}",
            "registry.example.com:5000/llm-operator:v9",
        ),
        (
            &format!("image: {{tag: v9, digest: '{digest}'}}"),
            &format!("llm-operator@{digest}"),
        ),
    ] {
        let objects = rendered("llm-system", values);
        let deployment = one(&objects, "Deployment", "llm-operator");
        let job = one(&objects, "Job", "llm-operator-uninstall");
        for workload in [deployment, job] {
            assert_eq!(
                workload["spec"]["template"]["spec"]["containers"][0]["image"],
                image
            );
        }
    }
    let template = pod("
replicas: 3
imagePullSecrets: [{name: mine}]
resources: {limits: {memory: 1Gi}}
priorityClassName: high
nodeSelector: {disk: fast}
tolerations: [{key: gpu, operator: Exists}]
affinity: {nodeAffinity: {}}
topologySpreadConstraints:
  - {maxSkew: 2, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}
  - {maxSkew: 1, topologyKey: rack, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {a: b}}}
logLevel: info,reconcile=debug
logFormat: text
extraArgs: [--workers, '4']
extraEnv: [{name: HTTPS_PROXY, value: 'http://proxy:3128'}]
podAnnotations: {note: words}
podLabels: {team: ml}
");
    assert_eq!(template["metadata"]["annotations"], json!({"note": "words"}));
    assert_eq!(template["metadata"]["labels"]["team"], "ml");
    assert_eq!(template["metadata"]["labels"]["app"], "llm-operator");
    let spec = &template["spec"];
    for (field, value) in [
        ("imagePullSecrets", json!([{"name": "mine"}])),
        ("priorityClassName", json!("high")),
        ("nodeSelector", json!({"disk": "fast"})),
        ("tolerations", json!([{"key": "gpu", "operator": "Exists"}])),
        ("affinity", json!({"nodeAffinity": {}})),
    ] {
        assert_eq!(spec[field], value, "{field}");
    }
    let constraints = &spec["topologySpreadConstraints"];
    assert_eq!(
        constraints[0]["labelSelector"]["matchLabels"],
        json!({"app": "llm-operator"})
    );
    assert_eq!(constraints[1]["labelSelector"]["matchLabels"], json!({"a": "b"}));
    let container = &spec["containers"][0];
    assert_eq!(container["args"], json!(["run", "--workers", "4"]));
    // A value that is an object is laid over the default.
    assert_eq!(container["resources"]["limits"], json!({"memory": "1Gi"}));
    assert_eq!(container["resources"]["requests"]["cpu"], "50m");
    let env = container["env"].as_array().unwrap();
    for (name, value) in [
        ("LOG_LEVEL", "info,reconcile=debug"),
        ("LOG_FORMAT", "text"),
        ("HTTPS_PROXY", "http://proxy:3128"),
    ] {
        assert!(env.contains(&json!({"name": name, "value": value})), "{name}");
    }
}

/// What is switched on and off is there and not there.
#[test]
fn parts_come_and_go() {
    let default = rendered("llm-system", "{}");
    for (value, kind, name) in [
        (
            "externalMetrics: {enabled: false}",
            "Service",
            "llm-operator-external-metrics",
        ),
        (
            "externalMetrics: {enabled: false}",
            "ClusterRole",
            "llm-operator-external-metrics",
        ),
        (
            "podDisruptionBudget: {enabled: false}",
            "PodDisruptionBudget",
            "llm-operator",
        ),
        ("charts: {rights: false}", "ClusterRole", "llm-operator-charts"),
        (
            "families: [llm, prem, infra, ai]",
            "ClusterRole",
            "llm-operator-charts",
        ),
        (
            "families: [llm]",
            "ClusterRole",
            "llm-operator-node-labeler-admin",
        ),
        (
            "serviceAccount: {create: false}",
            "ServiceAccount",
            "llm-operator",
        ),
    ] {
        assert!(has(&default, kind, name), "{kind} {name}");
        assert!(!has(&rendered("llm-system", value), kind, name), "{value}");
    }
    for (value, kind, name) in [
        (
            "serviceMonitor: {enabled: true}",
            "ServiceMonitor",
            "llm-operator",
        ),
        (
            "serviceMonitor: {enabled: true}",
            "Service",
            "llm-operator-metrics",
        ),
        ("networkPolicy: {enabled: true}", "NetworkPolicy", "llm-operator"),
        (
            "installCrds: true",
            "ClusterRoleBinding",
            "llm-operator-install-crds",
        ),
        (
            "optionalCrds: true",
            "ClusterRoleBinding",
            "llm-operator-install-crds",
        ),
    ] {
        assert!(!has(&default, kind, name), "{kind} {name}");
        assert!(has(&rendered("llm-system", value), kind, name), "{value}");
    }
}

/// What is chosen of families, namespaces and definitions reaches the operator by its variables.
#[test]
fn variables_say_what_was_chosen() {
    for (value, name, wanted) in [
        ("{}", "FAMILIES", None),
        ("families: [llmd, ai, infra, prem, llm]", "FAMILIES", None),
        ("families: [llm, ai]", "FAMILIES", Some("llm,ai")),
        ("watchNamespaces: [a, b]", "WATCH_NAMESPACE", Some("a,b")),
        ("watchNamespaces: [a, b]", "EXTERNAL_METRICS", Some("false")),
        (
            "externalMetrics: {enabled: false}",
            "EXTERNAL_METRICS",
            Some("false"),
        ),
        ("installCrds: true", "INSTALL_CRDS", Some("true")),
        ("optionalCrds: true", "INSTALL_OPTIONAL_CRDS", Some("true")),
    ] {
        let variables = variables(&rendered("llm-system", value));
        assert_eq!(variables.get(name).map(String::as_str), wanted, "{value}");
    }
}

/// What a policy and a monitor are told is in them, and the monitor finds its Service.
#[test]
fn policies_and_monitors_are_as_told() {
    let closed = rendered(
        "llm-system",
        "networkPolicy: {enabled: true, ingressFrom: [{podSelector: {}}], egress: [{ports: [{port: 443}]}]}",
    );
    let policy = &one(&closed, "NetworkPolicy", "llm-operator")["spec"];
    assert_eq!(policy["ingress"][0]["from"], json!([{"podSelector": {}}]));
    assert_eq!(policy["egress"], json!([{"ports": [{"port": 443}]}]));
    let monitored = rendered(
        "llm-system",
        "serviceMonitor: {enabled: true, interval: 10s, scrapeTimeout: 5s, labels: {release: prometheus}}",
    );
    let monitor = one(&monitored, "ServiceMonitor", "llm-operator");
    assert_eq!(monitor["metadata"]["labels"]["release"], "prometheus");
    let service = one(&monitored, "Service", "llm-operator-metrics");
    for (label, value) in monitor["spec"]["selector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(&service["metadata"]["labels"][label], value);
    }
    assert_eq!(
        monitor["spec"]["endpoints"][0]["port"],
        service["spec"]["ports"][0]["name"]
    );
}

/// A wrong value is refused before anything is sent, and Helm's words name it.
#[test]
fn wrong_values_are_refused() {
    for (values, words) in [
        ("replica: 3", "replica"),
        ("image: {repositry: x}", "repositry"),
        ("image: {pullPolicy: Sometimes}", "pullPolicy"),
        ("image: {digest: abc}", "digest"),
        ("image: {tag: 'a b'}", "tag"),
        ("replicas: two", "replicas"),
        ("replicas: -1", "replicas"),
        ("families: []", "families"),
        ("families: [llm, dynamo]", "families"),
        ("watchNamespaces: [Team_A]", "watchNamespaces"),
        ("watchNamespaces: team-a", "watchNamespaces"),
        ("installCrds: 'yes'", "installCrds"),
        ("serviceMonitor: {interval: often}", "interval"),
        ("podDisruptionBudget: {maxUnavailable: some}", "maxUnavailable"),
        ("logFormat: xml", "logFormat"),
        ("extraArgs: --workers", "extraArgs"),
        ("podLabels: {app: mine}", "podLabels"),
        ("serviceAccount: {name: ''}", "name"),
        (
            "{families: [llmd], watchNamespaces: [a]}",
            "llmd belongs to the whole cluster",
        ),
        (
            "{serviceMonitor: {enabled: true}, watchNamespaces: [a]}",
            "serviceMonitor.enabled",
        ),
    ] {
        let said = template("llm-system", values).expect_err(values);
        assert!(said.contains(words), "{values}: {said}");
    }
}

/// A chart that is part of another one is given Helm's own value.
#[test]
fn the_chart_may_be_part_of_another() {
    template("llm-system", "global: {registry: example.com}").unwrap();
}
