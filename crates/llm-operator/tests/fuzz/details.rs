//! Details that our schema passes through and the API server would refuse in a child, one by one: each is rejected by
//! its field, and each neighbour that is right is accepted by the pipeline and by the server.

use serde_json::{Value, json};

use crate::{
    admission::{apply, client, create},
    pipeline::{Outcome, outcome, typed},
};

fn model(more: &Value) -> Value {
    with(json!({"modelName": "Small", "image": "a/b:v1"}), more)
}

fn deployment(more: &Value) -> Value {
    with(json!({"modelRef": "small", "replicas": 2}), more)
}

fn with(mut base: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().unwrap() {
        base[key] = value.clone();
    }
    base
}

fn tried(of_model: &Value, of_deployment: &Value) -> Outcome {
    let model = typed("LLMModel", "small", &model(of_model)).unwrap();
    let deployment = typed("LLMDeployment", "chat", &deployment(of_deployment)).unwrap();
    outcome(model, deployment)
}

/// Wrong details of a model, with the path that is named.
#[allow(clippy::too_many_lines, reason = "a table")]
fn wrong_in_models() -> Vec<(Value, &'static str)> {
    let env = |from: Value| json!({"env": [{"name": "A", "valueFrom": from}]});
    let readiness = |probe: Value| json!({"probes": {"readiness": probe}});
    let context = |context: Value| json!({ "securityContext": context });
    let pod = |context: Value| json!({ "podSecurityContext": context });
    vec![
        (json!({"env": [{"name": "A=B", "value": "x"}]}), "env[0].name"),
        (json!({"env": [{"name": "PORT", "value": "1"}]}), "env[0].name"),
        (json!({"env": [{"name": "A"}, {"name": "A"}]}), "env[1].name"),
        (env(json!({})), "env[0].valueFrom"),
        (
            env(json!({"fieldRef": {"fieldPath": "spec.x"}})),
            "env[0].valueFrom.fieldRef",
        ),
        (
            env(json!({"fieldRef": {"fieldPath": "metadata.labels['a b']"}})),
            "env[0].valueFrom.fieldRef",
        ),
        (
            env(json!({"resourceFieldRef": {"resource": "cpu"}})),
            "env[0].valueFrom.resourceFieldRef",
        ),
        (
            env(json!({"resourceFieldRef": {"resource": "limits.memory", "divisor": "3"}})),
            "env[0].valueFrom.resourceFieldRef",
        ),
        (
            env(json!({"secretKeyRef": {"name": "A B", "key": "k"}})),
            "env[0].valueFrom.secretKeyRef",
        ),
        (
            env(json!({"configMapKeyRef": {"name": "a", "key": "../k"}})),
            "env[0].valueFrom.configMapKeyRef",
        ),
        (json!({"envFrom": [{}]}), "envFrom[0]"),
        (json!({"envFrom": [{"secretRef": {"name": ""}}]}), "envFrom[0]"),
        (
            json!({"envFrom": [{"prefix": "a=", "secretRef": {"name": "a"}}]}),
            "envFrom[0]",
        ),
        (readiness(json!({})), "probes.readiness"),
        (readiness(json!({"exec": {"command": []}})), "probes.readiness"),
        (readiness(json!({"httpGet": {"port": 0}})), "probes.readiness"),
        (readiness(json!({"httpGet": {"port": "web"}})), "probes.readiness"),
        (
            readiness(json!({"httpGet": {"port": 80, "scheme": "ftp"}})),
            "probes.readiness",
        ),
        (
            readiness(json!({"httpGet": {"port": 80, "httpHeaders": [{"name": "a b", "value": ""}]}})),
            "probes.readiness",
        ),
        (
            readiness(json!({"tcpSocket": {"port": 80}, "periodSeconds": 0})),
            "probes.readiness",
        ),
        (
            readiness(json!({"grpc": {"port": 80}, "terminationGracePeriodSeconds": 5})),
            "probes.readiness",
        ),
        (
            json!({"probes": {"liveness": {"tcpSocket": {"port": 80}, "successThreshold": 2}}}),
            "probes.liveness",
        ),
        (context(json!({"runAsUser": -1})), "securityContext.runAsUser"),
        (
            context(json!({"runAsGroup": 4_294_967_296_u64})),
            "securityContext.runAsGroup",
        ),
        (
            context(json!({"privileged": true, "allowPrivilegeEscalation": false})),
            "securityContext",
        ),
        (
            context(json!({"procMount": "Unmasked"})),
            "securityContext.procMount",
        ),
        (
            context(json!({"seccompProfile": {"type": "Localhost"}})),
            "securityContext.seccompProfile",
        ),
        (
            context(json!({"appArmorProfile": {"type": "Local"}})),
            "securityContext.appArmorProfile",
        ),
        (context(json!({"windowsOptions": {}})), "securityContext"),
        (pod(json!({"fsGroup": -5})), "podSecurityContext.fsGroup"),
        (
            pod(json!({"supplementalGroups": [1, -1]})),
            "podSecurityContext.supplementalGroups",
        ),
        (
            pod(json!({"fsGroupChangePolicy": "Never"})),
            "podSecurityContext.fsGroupChangePolicy",
        ),
        (
            pod(json!({"sysctls": [{"name": "a b", "value": "1"}]})),
            "podSecurityContext.sysctls[0]",
        ),
        (
            json!({"imagePullSecrets": [{"name": "a"}, {"name": "b"}, {"name": "a"}]}),
            "imagePullSecrets",
        ),
        (
            json!({"gpu": {"count": 1, "resourceName": "requests.example.com/gpu"}}),
            "gpu.resourceName",
        ),
        (
            json!({"storage": {"size": "1Gi", "mountPath": "/a//b"}}),
            "storage.mountPath",
        ),
    ]
}

/// Wrong details of a deployment, with the path that is named.
#[allow(clippy::too_many_lines, reason = "a table")]
fn wrong_in_deployments() -> Vec<(Value, &'static str)> {
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
    let terms =
        |terms: Value| json!({"affinity": {"nodeAffinity": {required: {"nodeSelectorTerms": terms}}}});
    let pods = |term: Value| json!({"affinity": {"podAntiAffinity": {required: [term]}}});
    let first = "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]";
    let first_pod = "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0]";
    let spread = |more: Value| {
        let base = json!({"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"});
        json!({"topologySpreadConstraints": [with(base, &more)]})
    };
    vec![
        (
            terms(json!([])),
            "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms",
        ),
        (terms(json!([{}])), first),
        (
            terms(json!([{"matchExpressions": [{"key": "zone", "operator": "In"}]}])),
            first,
        ),
        (
            terms(json!([{"matchExpressions": [{"key": "zone", "operator": "Exists", "values": ["a"]}]}])),
            first,
        ),
        (
            terms(json!([{"matchExpressions": [{"key": "zone", "operator": "Gt", "values": ["a"]}]}])),
            first,
        ),
        (
            terms(json!([{"matchExpressions": [{"key": "zone", "operator": "Lt", "values": ["-5"]}]}])),
            first,
        ),
        (
            terms(json!([{"matchExpressions": [{"key": "a b", "operator": "Exists"}]}])),
            first,
        ),
        (
            terms(json!([{"matchFields": [{"key": "metadata.uid", "operator": "In", "values": ["a"]}]}])),
            first,
        ),
        (
            json!({"affinity": {"nodeAffinity": {preferred: [{"weight": 0, "preference": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}]}}}),
            "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0]",
        ),
        (pods(json!({"topologyKey": ""})), first_pod),
        (
            pods(json!({"topologyKey": "zone", "namespaces": ["a.b"]})),
            first_pod,
        ),
        (
            pods(json!({"topologyKey": "zone", "labelSelector": {"matchLabels": {"a": "b c"}}})),
            first_pod,
        ),
        (
            pods(json!({"topologyKey": "zone", "matchLabelKeys": ["a"]})),
            first_pod,
        ),
        (spread(json!({"maxSkew": 0})), "topologySpreadConstraints[0]"),
        (
            spread(json!({"nodeTaintsPolicy": "Maybe"})),
            "topologySpreadConstraints[0]",
        ),
        (
            spread(json!({"labelSelector": {"matchExpressions": [{"key": "a", "operator": "Is"}]}})),
            "topologySpreadConstraints[0]",
        ),
        (
            spread(json!({"matchLabelKeys": ["llm-operator.io/name"]})),
            "topologySpreadConstraints[0]",
        ),
        (
            json!({"topologySpreadConstraints": [
                {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"},
                {"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"},
            ]}),
            "topologySpreadConstraints[1]",
        ),
        (
            json!({"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}),
            "tolerations[0]",
        ),
        (
            json!({"podAnnotations": {"a": "x".repeat(300_000)}}),
            "podAnnotations",
        ),
        (
            json!({"podAnnotations": {"controller.kubernetes.io/pod-deletion-cost": "much"}}),
            "podAnnotations",
        ),
        (
            json!({"podAnnotations": {"container.apparmor.security.beta.kubernetes.io/engine": "x"}}),
            "podAnnotations",
        ),
        (
            json!({"service": {"annotations": {"llm-operator.io/applied-hash": "x"}}}),
            "service.annotations",
        ),
        (
            json!({"service": {"annotations": {"service.beta.kubernetes.io/load-balancer-source-ranges": "10.0.0.0/8"}}}),
            "service.annotations",
        ),
        (json!({"nodeSelector": {"zone": "a b"}}), "nodeSelector"),
        (
            json!({"access": {"from": [{"ipBlock": {"cidr": "10.0.0.1/8"}}]}}),
            "access.from[0]",
        ),
        (
            json!({"access": {"from": [{"podSelector": {"matchLabels": {"a": "b c"}}}]}}),
            "access.from[0]",
        ),
        (
            json!({"disruptionBudget": {"minAvailable": "101%"}}),
            "disruptionBudget.minAvailable",
        ),
        (json!({"strategy": {"maxSurge": 0}}), "strategy"),
    ]
}

/// Each wrong detail is rejected with exactly its path.
#[test]
fn wrong_details_are_named() {
    let models = wrong_in_models()
        .into_iter()
        .map(|(spec, path)| (spec, json!({}), path));
    let deployments = wrong_in_deployments()
        .into_iter()
        .map(|(spec, path)| (json!({}), spec, path));
    for (of_model, of_deployment, path) in models.chain(deployments) {
        match tried(&of_model, &of_deployment) {
            Outcome::Objects(_) => panic!("accepted: {of_model} {of_deployment}"),
            Outcome::Rejected(errors) => {
                let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
                assert_eq!(paths, [path], "{of_model} {of_deployment}: {errors:?}");
            }
        }
    }
}

/// Their right neighbours, one resource with all of them, are accepted by the pipeline and by the server.
#[tokio::test]
async fn right_details_are_accepted() {
    let client = client().await;
    let of_model = json!({
        "env": [
            {"name": "a.b-c d", "value": ""},
            {"name": "L", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['example.com/team']"}}},
            {"name": "M", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
            {"name": "K", "valueFrom": {"secretKeyRef": {"name": "a.b", "key": "A_b.c-1", "optional": true}}},
        ],
        "envFrom": [{"prefix": "x y", "configMapRef": {"name": "a"}}],
        "probes": {
            "startup": {"exec": {"command": ["true"]}, "failureThreshold": 500},
            "readiness": {"httpGet": {"port": "http", "path": "x", "httpHeaders": [{"name": "X-A", "value": "ü"}]}, "successThreshold": 3},
            "liveness": {"grpc": {"port": 65535, "service": "s"}, "terminationGracePeriodSeconds": 1},
        },
        "securityContext": {"privileged": true, "capabilities": {"add": ["CAP_SYS_ADMIN"]}, "procMount": "Default",
            "appArmorProfile": {"type": "Localhost", "localhostProfile": "a b"}},
        "podSecurityContext": {"runAsUser": 0, "fsGroup": 2_147_483_647, "supplementalGroups": [0], "seLinuxChangePolicy": "Recursive",
            "sysctls": [{"name": "net/core.some-max_conn", "value": "1"}],
            "seccompProfile": {"type": "Localhost", "localhostProfile": "a/b.json"}},
        "gpu": {"count": 64, "product": "H100", "minMemory": 1},
        "resources": {"cpu": "0.0001", "memory": "1"},
        "storage": {"size": "7Ei", "accessMode": "ReadWriteMany", "mountPath": "/a b/c"},
    });
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
    let of_deployment = json!({
        "port": 65535, "terminationGracePeriodSeconds": 0, "strategy": {"maxSurge": "9999%", "maxUnavailable": "100%"},
        "affinity": {
            "nodeAffinity": {
                required: {"nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "a/b", "operator": "Gt", "values": ["5"]}]},
                    {"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["node-1"]}]},
                ]},
                preferred: [{"weight": 100, "preference": {"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}}],
            },
            "podAntiAffinity": {required: [{"topologyKey": "zone", "labelSelector": {"matchLabels": {"a": ""}},
                "matchLabelKeys": ["pod-template-hash"], "namespaceSelector": {}}]},
        },
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "minDomains": 1, "matchLabelKeys": ["pod-template-hash"]},
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "nodeAffinityPolicy": "Ignore"},
        ],
        "tolerations": [{"operator": "Exists"}, {"key": "a", "value": "b", "effect": "NoExecute", "tolerationSeconds": -1}],
        "podAnnotations": {"Example.com/A": "x".repeat(200_000), "controller.kubernetes.io/pod-deletion-cost": "-7"},
        "service": {"type": "LoadBalancer", "annotations": {"service.beta.kubernetes.io/load-balancer-source-ranges": "10.0.0.0/8, 1.2.3.4/32"}},
        "access": {"from": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}, {"namespaceSelector": {}}]},
        "disruptionBudget": {"maxUnavailable": "100%"},
    });
    create(&client, "LLMModel", "small", &model(&of_model))
        .await
        .unwrap_or_else(|status| panic!("{}", status.message));
    create(&client, "LLMDeployment", "chat", &deployment(&of_deployment))
        .await
        .unwrap_or_else(|status| panic!("{}", status.message));
    match tried(&of_model, &of_deployment) {
        Outcome::Rejected(errors) => panic!("{errors:?}"),
        Outcome::Objects(objects) => {
            for object in objects {
                assert_eq!(apply(&client, &object).await, None);
            }
        }
    }
}
