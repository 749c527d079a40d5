//! What no cluster could ever run, and mistakes of writing: refused at once, by field.

use serde_json::{Value, json};

use crate::desk::{all_refused, wrong};

fn deployment(value: &Value) -> Value {
    json!({"engine": {"name": "vllm"}, "deployment": value})
}

fn container(more: &Value) -> Value {
    let mut container = json!({"name": "engine"});
    for (key, value) in more.as_object().unwrap() {
        container[key] = value.clone();
    }
    deployment(&json!({"template": {"spec": {"containers": [container]}}}))
}

#[tokio::test]
async fn engine_models_and_endpoints() {
    let port =
        |port: Value| json!({"engine": {"name": "generic"}, "endpoint": [{"domain": "a", "port": port}]});
    all_refused(
        "AIDeployment",
        vec![
            wrong(json!({"engine": "vllm"}), "spec.engine", "must be of type object"),
            wrong(
                json!({"engine": {"options": {}}}),
                "spec.engine.name",
                "Required value",
            ),
            wrong(
                json!({"engine": {"name": "vllm", "options": {"imageTag": 2}}}),
                "spec.engine.options.imageTag",
                "must be of type string",
            ),
            wrong(
                json!({"endpoint": {"domain": "a"}}),
                "spec.endpoint.domain",
                "unknown field",
            ),
            wrong(
                json!({"endpoint": [{"port": 80}]}),
                "spec.endpoint[0].domain",
                "Required value",
            ),
            wrong(
                port(json!("8080")),
                "spec.endpoint[0].port",
                "must be of type integer",
            ),
            wrong(port(json!(-1)), "spec.endpoint", "between 0 and 65535"),
            wrong(port(json!(65536)), "spec.endpoint", "between 0 and 65535"),
            wrong(
                json!({"models": [{"modelMapRef": {"name": "m"}}]}),
                "spec.models[0].modelMapRef.variant",
                "Required value",
            ),
            wrong(
                json!({"models": [{"modelMapRef": {"variant": "v"}}]}),
                "spec.models[0].modelMapRef.name",
                "Required value",
            ),
            wrong(
                json!({"models": ["a/b"]}),
                "spec.models[0]",
                "must be of type object",
            ),
            wrong(
                json!({"models": [{"engineConfigFile": {"name": "x"}}]}),
                "spec.models[0].engineConfigFile.name",
                "unknown field",
            ),
            wrong(
                json!({"env": [{"value": "x"}]}),
                "spec.env[0].name",
                "Required value",
            ),
            wrong(
                json!({"env": [{"name": "DEBUG", "value": true}]}),
                "spec.env[0].value",
                "must be of type string",
            ),
            wrong(json!({"args": "--x"}), "spec.args", "must be of type array"),
            wrong(
                json!({"service": {"labels": ["a"]}}),
                "spec.service.labels",
                "must be of type object",
            ),
            wrong(
                json!({"ingress": {"tls": "yes"}}),
                "spec.ingress.tls",
                "must be of type boolean",
            ),
            wrong(
                json!({"access": {"from": []}}),
                "spec.access.from",
                "an empty list would admit everyone",
            ),
            wrong(json!({"engin": {"name": "vllm"}}), "spec.engin", "unknown field"),
        ],
    )
    .await;
}

#[tokio::test]
async fn deployments_and_resources() {
    let cpu = |value: Value| deployment(&json!({"resources": {"requests": {"cpu": value}}}));
    let mut table = vec![
        wrong(
            deployment(&json!({"replicas": -1})),
            "spec.deployment.replicas",
            "greater than or equal to 0",
        ),
        wrong(
            deployment(&json!({"replicas": "2"})),
            "spec.deployment.replicas",
            "must be of type integer",
        ),
        wrong(
            deployment(&json!({"accelerator": {}})),
            "spec.deployment.accelerator.interface",
            "Required value",
        ),
        wrong(
            deployment(&json!({"accelerator": {"interface": "CUDA", "minVersion": {"minor": 1}}})),
            "spec.deployment.accelerator.minVersion.major",
            "Required value",
        ),
        wrong(
            deployment(&json!({"nodeSelector": {"gpu": true}})),
            "spec.deployment.nodeSelector.gpu",
            "must be of type string",
        ),
        wrong(
            cpu(json!("8 cores")),
            "spec.deployment.resources.requests.cpu",
            "should match",
        ),
        wrong(
            cpu(json!("-1")),
            "spec.deployment.resources.requests.cpu",
            "should match",
        ),
        wrong(
            cpu(json!(-1)),
            "spec.deployment.resources.requests.cpu",
            "greater than or equal to 0",
        ),
        wrong(
            cpu(json!(1.5)),
            "spec.deployment.resources.requests.cpu",
            "must be of type integer,string",
        ),
        wrong(
            cpu(json!(true)),
            "spec.deployment.resources.requests.cpu",
            "must be of type",
        ),
        wrong(
            deployment(&json!({"resources": {"cpu": 8}})),
            "spec.deployment.resources.cpu",
            "unknown field",
        ),
        wrong(
            deployment(&json!({"startupProbe": {"httpGet": {"port": 1}}})),
            "spec.deployment.startupProbe.httpGet",
            "unknown field",
        ),
        wrong(
            deployment(&json!({"startupProbe": {"periodSeconds": "5"}})),
            "spec.deployment.startupProbe.periodSeconds",
            "must be of type integer",
        ),
    ];
    for (probe, field) in [
        ("startupProbe", "spec.deployment.startupProbe.failureThreshold"),
        (
            "readinessProbe",
            "spec.deployment.readinessProbe.failureThreshold",
        ),
        ("livenessProbe", "spec.deployment.livenessProbe.failureThreshold"),
    ] {
        table.push(wrong(
            deployment(&json!({probe: {"failureThreshold": -1}})),
            field,
            "greater than or equal to 0",
        ));
    }
    all_refused("AIDeployment", table).await;
}

#[tokio::test]
async fn templates() {
    let twice = |list: &str, item: Value| deployment(&json!({"template": {"spec": {list: [item, item]}}}));
    all_refused(
        "AIDeployment",
        vec![
            wrong(
                deployment(&json!({"template": []})),
                "spec.deployment.template",
                "must be of type object",
            ),
            wrong(
                deployment(&json!({"template": {"containers": []}})),
                "spec.deployment.template.containers",
                "unknown field",
            ),
            wrong(
                deployment(&json!({"template": {"spec": {"containers": {"name": "a"}}}})),
                "spec.deployment.template.spec.containers.name",
                "unknown field",
            ),
            wrong(
                deployment(&json!({"template": {"spec": {"containers": [{"image": "a"}]}}})),
                "spec.deployment.template.spec.containers[0].name",
                "Required value",
            ),
            wrong(
                deployment(&json!({"template": {"spec": {"ephemeralContainers": []}}})),
                "spec.deployment.template.spec.ephemeralContainers",
                "unknown field",
            ),
            wrong(
                deployment(&json!({"template": {"metadata": {"labels": {"a": 1}}}})),
                "spec.deployment.template.metadata.labels.a",
                "must be of type string",
            ),
            wrong(
                twice("containers", json!({"name": "a"})),
                "spec.deployment.template.spec.containers[1]",
                "Duplicate value",
            ),
            wrong(
                twice("volumes", json!({"name": "a", "emptyDir": {}})),
                "spec.deployment.template.spec.volumes[1]",
                "Duplicate value",
            ),
            wrong(
                container(&json!({"image": 5})),
                "spec.deployment.template.spec.containers[0].image",
                "must be of type string",
            ),
            wrong(
                container(&json!({"imagePullPolice": "Always"})),
                "spec.deployment.template.spec.containers[0].imagePullPolice",
                "unknown field",
            ),
            wrong(
                container(&json!({"resources": {"limits": {"memory": "much"}}})),
                "spec.deployment.template.spec.containers[0].resources.limits.memory",
                "should match",
            ),
            wrong(
                container(&json!({"ports": [{"containerPort": "80"}]})),
                "spec.deployment.template.spec.containers[0].ports[0].containerPort",
                "must be of type integer",
            ),
            wrong(
                container(&json!({"livenessProbe": {"httpGet": {"port": true}}})),
                "spec.deployment.template.spec.containers[0].livenessProbe.httpGet.port",
                "must be of type integer,string",
            ),
            wrong(
                container(&json!({"livenessProbe": {"httpGet": {"path": "/"}}})),
                "spec.deployment.template.spec.containers[0].livenessProbe.httpGet.port",
                "Required value",
            ),
            wrong(
                container(&json!({"volumeMounts": [{"name": "a"}]})),
                "spec.deployment.template.spec.containers[0].volumeMounts[0].mountPath",
                "Required value",
            ),
            wrong(
                container(&json!({"env": [{"name": "A", "value": 1}]})),
                "spec.deployment.template.spec.containers[0].env[0].value",
                "must be of type string",
            ),
        ],
    )
    .await;
}
