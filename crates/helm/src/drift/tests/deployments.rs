use serde_json::{Value, json};

use super::fixture::{POD, deployment, edit, object, observed_deployment, told};
use crate::drift::*;

#[test]
fn what_the_api_server_adds_or_writes_differently_is_no_drift() {
    assert_eq!(
        told(&deployment(), &observed_deployment(), &[]),
        Vec::<String>::new()
    );
}

#[test]
fn what_others_add_is_no_drift() {
    let additions = [
        ("/metadata/labels/mine", json!("x")),
        ("/metadata/annotations/mine", json!("x")),
        ("/spec/template/metadata/labels/mine", json!("x")),
        (
            "/spec/template/spec/containers/-",
            json!({"name": "sidecar", "image": "x"}),
        ),
        (
            "/spec/template/spec/containers/0/env/-",
            json!({"name": "MORE", "value": "x"}),
        ),
        (
            "/spec/template/spec/containers/0/volumeMounts/-",
            json!({"name": "tmp", "mountPath": "/tmp"}),
        ),
        (
            "/spec/template/spec/volumes/-",
            json!({"name": "more", "emptyDir": {}}),
        ),
        ("/spec/template/spec/priorityClassName", json!("high")),
        ("/spec/replicas", json!(2.0)),
    ];
    for (pointer, value) in additions {
        let mut observed = observed_deployment();
        edit(&mut observed, pointer, Some(value));
        assert_eq!(
            told(&deployment(), &observed, &[]),
            Vec::<String>::new(),
            "{pointer}"
        );
    }
    let mut reordered = observed_deployment();
    for list in ["containers/0/env", "containers/0/ports", "volumes"] {
        let list = reordered.pointer_mut(&format!("{POD}/{list}")).unwrap();
        list.as_array_mut().unwrap().reverse();
    }
    assert_eq!(told(&deployment(), &reordered, &[]), Vec::<String>::new());
}

/// Each edit of what is observed, and what is found then.
fn check(cases: impl IntoIterator<Item = (&'static str, Option<Value>, String)>) {
    for (pointer, value, finding) in cases {
        let mut observed = observed_deployment();
        edit(&mut observed, pointer, value);
        assert_eq!(told(&deployment(), &observed, &[]), [finding], "{pointer}");
    }
}

#[test]
fn what_a_user_can_see_is_found() {
    let container = "spec.template.spec.containers[vllm]";
    check([
        (
            "/spec/replicas",
            Some(json!(3)),
            "spec.replicas Changed".to_owned(),
        ),
        (
            "/spec/replicas",
            Some(json!(0)),
            "spec.replicas Changed".to_owned(),
        ),
        (
            "/metadata/labels/llm-d.ai~1role",
            Some(json!("x")),
            "metadata.labels[llm-d.ai/role] Changed".to_owned(),
        ),
        (
            "/metadata/labels/llm-d.ai~1role",
            None,
            "metadata.labels[llm-d.ai/role] LabelLost".to_owned(),
        ),
        (
            "/spec/template/metadata/labels/app.kubernetes.io~1part-of",
            None,
            "spec.template.metadata.labels[app.kubernetes.io/part-of] LabelLost".to_owned(),
        ),
        (
            "/spec/selector/matchLabels/more",
            Some(json!("x")),
            "spec.selector.matchLabels.more Changed".to_owned(),
        ),
        (
            "/spec/template/spec/containers/0/image",
            Some(json!("vllm:2")),
            format!("{container}.image Changed"),
        ),
        (
            "/spec/template/spec/containers/0/name",
            Some(json!("other")),
            format!("{container} Missing"),
        ),
        (
            "/spec/template/spec/initContainers/0/image",
            Some(json!("p:2")),
            "spec.template.spec.initContainers[proxy].image Changed".to_owned(),
        ),
        (
            "/spec/template/spec/initContainers/0/restartPolicy",
            None,
            "spec.template.spec.initContainers[proxy].restartPolicy Missing".to_owned(),
        ),
        (
            "/spec/template/spec/containers/0/args/2",
            Some(json!("8300")),
            format!("{container}.args[2] Changed"),
        ),
        (
            "/spec/template/spec/containers/0/args/-",
            Some(json!("--more")),
            format!("{container}.args Changed"),
        ),
        (
            "/spec/template/spec/containers/0/args/2",
            None,
            format!("{container}.args Changed"),
        ),
        (
            "/spec/template/spec/containers/0/args",
            None,
            format!("{container}.args Missing"),
        ),
        (
            "/spec/template/spec/containers/0/env/0/value",
            Some(json!("/x")),
            format!("{container}.env[HOME].value Changed"),
        ),
        (
            "/spec/template/spec/containers/0/env/0",
            None,
            format!("{container}.env[HOME] Missing"),
        ),
        (
            "/spec/template/spec/containers/0/env/0",
            Some(json!({"name": "HOME", "valueFrom": {"fieldRef": {"fieldPath": "x"}}})),
            format!("{container}.env[HOME].value Missing"),
        ),
        (
            "/spec/template/spec/containers/0/env/1/valueFrom",
            Some(json!({"fieldRef": {"fieldPath": "x"}})),
            format!("{container}.env[EMPTY].value Missing"),
        ),
        (
            "/spec/template/spec/containers/0/env/2/valueFrom/secretKeyRef/key",
            Some(json!("other")),
            format!("{container}.env[TOKEN].valueFrom.secretKeyRef.key Changed"),
        ),
    ]);
}

#[test]
fn what_a_user_can_see_of_a_pod_is_found() {
    let container = "spec.template.spec.containers[vllm]";
    check([
        (
            "/spec/template/spec/containers/0/ports/1/name",
            Some(json!("m")),
            format!("{container}.ports[8201/TCP].name Changed"),
        ),
        (
            "/spec/template/spec/containers/0/ports/0/protocol",
            Some(json!("UDP")),
            format!("{container}.ports[8200/TCP] Missing"),
        ),
        (
            "/spec/template/spec/containers/0/resources/limits/cpu",
            Some(json!("501m")),
            format!("{container}.resources.limits.cpu Changed"),
        ),
        (
            "/spec/template/spec/containers/0/resources/limits/memory",
            Some(json!("1G")),
            format!("{container}.resources.limits.memory Changed"),
        ),
        (
            "/spec/template/spec/containers/0/resources/limits/nvidia.com~1gpu",
            Some(json!("2")),
            format!("{container}.resources.limits[nvidia.com/gpu] Changed"),
        ),
        (
            "/spec/template/spec/containers/0/resources/limits",
            None,
            format!("{container}.resources.limits Missing"),
        ),
        (
            "/spec/template/spec/containers/0/livenessProbe/httpGet/port",
            Some(json!("http")),
            format!("{container}.livenessProbe.httpGet.port Changed"),
        ),
        (
            "/spec/template/spec/containers/0/livenessProbe/initialDelaySeconds",
            Some(json!(5)),
            format!("{container}.livenessProbe.initialDelaySeconds Changed"),
        ),
        (
            "/spec/template/spec/containers/0/livenessProbe",
            None,
            format!("{container}.livenessProbe Missing"),
        ),
        (
            "/spec/template/spec/containers/0/volumeMounts/0/readOnly",
            Some(json!(true)),
            format!("{container}.volumeMounts[/cache].readOnly Changed"),
        ),
        (
            "/spec/template/spec/containers/0/securityContext/allowPrivilegeEscalation",
            Some(json!(true)),
            format!("{container}.securityContext.allowPrivilegeEscalation Changed"),
        ),
        (
            "/spec/template/spec/containers/0/securityContext/allowPrivilegeEscalation",
            None,
            format!("{container}.securityContext.allowPrivilegeEscalation Missing"),
        ),
        (
            "/spec/template/spec/containers/0/securityContext/runAsUser",
            None,
            format!("{container}.securityContext.runAsUser Missing"),
        ),
        (
            "/spec/template/spec/hostNetwork",
            Some(json!(true)),
            "spec.template.spec.hostNetwork Changed".to_owned(),
        ),
        (
            "/spec/template/spec/nodeSelector",
            Some(json!({"gpu": "x"})),
            "spec.template.spec.nodeSelector.gpu Changed".to_owned(),
        ),
        (
            "/spec/template/spec/tolerations/0/key",
            Some(json!("x")),
            "spec.template.spec.tolerations[0].key Changed".to_owned(),
        ),
        (
            "/spec/template/spec/tolerations",
            None,
            "spec.template.spec.tolerations Missing".to_owned(),
        ),
        (
            "/spec/template/spec/volumes/0/emptyDir/sizeLimit",
            Some(json!("2Gi")),
            "spec.template.spec.volumes[cache].emptyDir.sizeLimit Changed".to_owned(),
        ),
        (
            "/spec/template/spec/volumes/1",
            Some(json!({"name": "tmp", "hostPath": {"path": "/"}})),
            "spec.template.spec.volumes[tmp].emptyDir Missing".to_owned(),
        ),
    ]);
}

#[test]
fn what_is_to_be_ignored_is() {
    let mut observed = observed_deployment();
    edit(&mut observed, "/spec/replicas", Some(json!(7)));
    edit(
        &mut observed,
        "/spec/template/spec/containers/0/image",
        Some(json!("x")),
    );
    edit(&mut observed, "/metadata/labels/llm-d.ai~1role", Some(json!("x")));
    let rule = |kind: Option<&str>, name: Option<&str>, pointers: &[&str]| Ignore {
        kind: kind.map(str::to_owned),
        name: name.map(str::to_owned),
        pointers: pointers.iter().map(|pointer| (*pointer).to_owned()).collect(),
    };
    let count = |rule: Ignore| told(&deployment(), &observed, &[rule]).len();
    let all = [
        "/spec/replicas",
        "/metadata/labels/llm-d.ai~1role",
        "/spec/template/spec/containers/vllm/image",
    ];
    assert_eq!(count(rule(None, None, &[])), 3);
    assert_eq!(count(rule(Some("Deployment"), None, &["/spec/replicas"])), 2);
    assert_eq!(count(rule(Some("StatefulSet"), None, &["/spec/replicas"])), 3);
    assert_eq!(
        count(rule(Some("Deployment"), Some("other"), &["/spec/replicas"])),
        3
    );
    assert_eq!(count(rule(None, Some("decode"), &all)), 0);
    assert_eq!(
        count(rule(None, None, &["/spec/template/spec/containers/0/image"])),
        2
    );
    assert_eq!(
        count(rule(None, None, &["/spec/template/spec/containers/*/image"])),
        2
    );
    assert_eq!(
        count(rule(None, None, &["/spec/template/spec/containers/1/image"])),
        3
    );
    assert_eq!(count(rule(None, None, &["/spec"])), 1);

    let mut gone = observed;
    edit(&mut gone, "/spec/template/spec/containers", None);
    let rules = [rule(
        None,
        None,
        &["/spec/template", "/spec/replicas", "/metadata/labels"],
    )];
    assert_eq!(told(&deployment(), &gone, &rules), Vec::<String>::new());
}

#[test]
fn objects_are_missing_left_alone_or_on_their_way_out() {
    let missing = compare(&deployment(), None, &[]);
    assert_eq!(missing.len(), 1);
    assert_eq!(
        missing[0].to_string(),
        "Deployment.apps llm-d/decode: it is missing"
    );

    let mut observed = observed_deployment();
    edit(&mut observed, "/spec/replicas", Some(json!(7)));
    assert_eq!(
        compare(&deployment(), Some(&observed), &[])[0].to_string(),
        "Deployment.apps llm-d/decode: spec.replicas was changed"
    );
    for managed in ["true", "False", ""] {
        let mut observed = observed.clone();
        observed["metadata"]["annotations"][MANAGED_ANNOTATION] = json!(managed);
        assert_eq!(told(&deployment(), &observed, &[]).len(), 1, "{managed:?}");
    }
    let mut alone = observed.clone();
    alone["metadata"]["annotations"][MANAGED_ANNOTATION] = json!("false");
    assert_eq!(told(&deployment(), &alone, &[]), Vec::<String>::new());
    observed["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert_eq!(told(&deployment(), &observed, &[]), Vec::<String>::new());

    let job = |spec: Value| {
        object(json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}, "spec": spec}))
    };
    assert_eq!(compare(&job(json!({})), None, &[]).len(), 1);
    assert_eq!(
        compare(&job(json!({"ttlSecondsAfterFinished": 0})), None, &[]),
        []
    );
}

#[test]
fn all_labels_lost_are_told_one_by_one() {
    let mut observed = observed_deployment();
    edit(&mut observed, "/metadata/labels", None);
    assert_eq!(
        told(&deployment(), &observed, &[]),
        [
            "metadata.labels[app.kubernetes.io/part-of] LabelLost",
            "metadata.labels[llm-d.ai/role] LabelLost"
        ]
    );
}
