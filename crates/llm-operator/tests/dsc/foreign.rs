//! Definitions that others have installed: one without our component, and one with it, whose status is theirs.

use serde_json::{Value, json};

use crate::{
    bed::{Bed, bed, condition, looked_at, writes},
    common::{PATIENCE, page},
};

/// Open Data Hub's definition in its outlines, with these components.
fn definition(components: &Value, told: &Value) -> Value {
    let string = json!({"type": "string"});
    let number = json!({"type": "integer", "format": "int64"});
    let time = json!({"type": "string", "format": "date-time"});
    let condition = json!({"type": "object", "required": ["type", "status"], "properties": {
        "type": string, "status": string, "reason": string, "message": string, "severity": string,
        "observedGeneration": number, "lastTransitionTime": time, "lastHeartbeatTime": time,
    }});
    let status = json!({"type": "object", "properties": {
        "phase": string, "errorMessage": string, "observedGeneration": number,
        "release": {"type": "object", "properties": {"name": string, "version": string}},
        "components": {"type": "object", "properties": told},
        "conditions": {"type": "array", "x-kubernetes-list-type": "atomic", "items": condition},
    }});
    let spec =
        json!({"type": "object", "properties": {"components": {"type": "object", "properties": components}}});
    let schema = json!({"type": "object", "properties": {"spec": spec, "status": status}});
    let version = json!({"name": "v2", "served": true, "storage": true, "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "datascienceclusters.datasciencecluster.opendatahub.io"},
        "spec": {
            "group": "datasciencecluster.opendatahub.io", "scope": "Cluster",
            "names": {"kind": "DataScienceCluster", "plural": "datascienceclusters", "singular": "datasciencecluster", "shortNames": ["dsc"]},
            "versions": [version],
        },
    })
}

fn management_state() -> Value {
    json!({"type": "object", "properties": {"managementState": {"type": "string"}}})
}

/// With our component, whose fields are checked less than ours, and whose status knows less.
fn with_llmd() -> Value {
    let block = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let mut llmd = management_state();
    for name in ["modelService", "infra", "gatewayAPI"] {
        llmd["properties"][name] = block.clone();
    }
    let told = management_state();
    definition(
        &json!({"dashboard": management_state(), "llmd": llmd}),
        &json!({"dashboard": told, "llmd": told}),
    )
}

async fn kubectl(bed: &Bed, args: &[&str]) -> String {
    let output = bed.cluster.kubectl(args).await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "kubectl {args:?}: {text}");
    text
}

async fn get(bed: &Bed) -> Value {
    serde_json::from_str(&kubectl(bed, &["get", "dsc", "default-dsc", "-o", "json"]).await).unwrap()
}

async fn wait(bed: &Bed, status: &str, reason: &str) -> Value {
    testkit::until(format!("LlmdReady is {status}/{reason}"), PATIENCE, async || {
        let dsc = get(bed).await;
        let found = condition(&dsc, "LlmdReady");
        let current = found["observedGeneration"] == dsc["metadata"]["generation"];
        if found["status"] == status && found["reason"] == reason && current {
            Ok(dsc)
        } else {
            Err(dsc["status"].to_string())
        }
    })
    .await
    .unwrap_or_else(|error| panic!("{error}\n{}", bed.operator.process.last_lines(40)))
}

async fn set(bed: &Bed, llmd: Value) {
    let patch = json!({"spec": {"components": {"llmd": llmd}}}).to_string();
    kubectl(
        bed,
        &["patch", "dsc", "default-dsc", "--type=merge", "-p", &patch],
    )
    .await;
}

/// A definition without our component is another operator's: nothing is written, and `/readyz` says why.
#[tokio::test]
async fn without_our_component() {
    let foreign = definition(
        &json!({"dashboard": management_state()}),
        &json!({"dashboard": management_state()}),
    );
    let bed = bed(Some(&foreign)).await;
    let dsc = json!({"apiVersion": "datasciencecluster.opendatahub.io/v2", "kind": "DataScienceCluster",
        "metadata": {"name": "default-dsc"}, "spec": {"components": {"dashboard": {"managementState": "Managed"}}}});
    let mark = bed.cluster.audit_log().mark();
    bed.cluster.apply_yaml(&dsc.to_string()).await.unwrap();
    let said = testkit::until("it is said", PATIENCE, async || {
        let (code, text) = page(&format!("{}/readyz", bed.operator.url)).await;
        if code == 200 && text.contains("spec.components.llmd") {
            Ok(text)
        } else {
            Err(text)
        }
    })
    .await
    .unwrap();
    assert!(
        said.contains("datascienceclusters") && said.contains("is not the one that this operator knows"),
        "{said}"
    );
    assert_eq!(get(&bed).await["status"], Value::Null);
    let writes = writes(&bed.cluster, &mark);
    assert!(writes.is_empty(), "{writes:?}");
}

/// Where others have installed a definition with our component, of the status only `LlmdReady` and `components.llmd` are ours.
/// Promises: S1-7, S1-10, S1-21, S1-23
#[tokio::test]
async fn a_status_that_is_shared() {
    let bed = bed(Some(&with_llmd())).await;
    let dsc = json!({"apiVersion": "datasciencecluster.opendatahub.io/v2", "kind": "DataScienceCluster", "metadata": {"name": "default-dsc"},
        "spec": {"components": {"dashboard": {"managementState": "Managed"}, "llmd": {"managementState": "Removed"}}}});
    bed.cluster.apply_yaml(&dsc.to_string()).await.unwrap();
    wait(&bed, "False", "Removed").await;
    let theirs = json!({
        "phase": "Ready", "errorMessage": "x", "observedGeneration": 1, "release": {"name": "Open Data Hub", "version": "3.2.0"},
        "components": {"dashboard": {"managementState": "Managed"}},
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "Ready", "lastHeartbeatTime": "2026-01-01T00:00:00Z", "severity": ""},
            {"type": "DashboardReady", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"},
        ],
    });
    // Another operator writes the list as a whole, and ours is not in it.
    let patch = json!({"status": theirs}).to_string();
    kubectl(
        &bed,
        &[
            "patch",
            "dsc",
            "default-dsc",
            "--subresource=status",
            "--type=merge",
            "-p",
            &patch,
        ],
    )
    .await;
    let check = |object: &Value, state: &str| {
        let mut status = object["status"].clone();
        let ours = status["conditions"].as_array_mut().unwrap().pop().unwrap();
        assert_eq!(ours["type"], "LlmdReady");
        let llmd = status["components"].as_object_mut().unwrap().remove("llmd");
        assert_eq!(llmd.unwrap()["managementState"], state);
        assert_eq!(status, theirs, "what others wrote stays");
    };
    check(&wait(&bed, "False", "Removed").await, "Removed");

    set(
        &bed,
        json!({"managementState": "Managed", "infra": {"enabled": false}}),
    )
    .await;
    check(&wait(&bed, "True", "Ready").await, "Managed");
    looked_at(&bed.operator).await;
    let mark = bed.cluster.audit_log().mark();
    looked_at(&bed.operator).await;
    let writes = writes(&bed.cluster, &mark);
    assert!(writes.is_empty(), "{writes:?}");

    // What the Llmd's own definition refuses is told in its words, and the Llmd stays as it was.
    for (garbage, reason, words) in [
        (
            json!({"managementState": "Managed", "infra": {"enabled": null, "version": "1.3.3"}}),
            "Invalid",
            "enabled",
        ),
        (
            json!({"managementState": "Managed", "infra": {"enabled": "yes"}}),
            "InvalidSpec",
            "string \"yes\"",
        ),
        (
            json!({"managementState": "Unmanaged", "infra": {"enabled": true}}),
            "UnknownManagementState",
            "\"Unmanaged\"",
        ),
    ] {
        set(&bed, garbage).await;
        let told = wait(&bed, "False", reason).await;
        let message = condition(&told, "LlmdReady")["message"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(message.contains(words), "{message}");
        check(&told, "Managed");
        let llmd = kubectl(&bed, &["get", "llmd", "default-llm-d", "-o", "jsonpath={.spec}"]).await;
        assert_eq!(llmd, r#"{"infra":{"enabled":false}}"#);
    }
    set(&bed, json!({"managementState": ""})).await;
    check(&wait(&bed, "False", "Removed").await, "Removed");
    assert_eq!(kubectl(&bed, &["get", "llmds", "-o", "name"]).await, "");
}
