//! What may be changed later, and what may not.

use serde_json::{Value, json};

use crate::desk::{Wrong, apply, check, client, delete, install, with, wrong};

/// A spec with a claim of 20Gi of the class `fast`, with `more` on top.
fn stored(more: &Value) -> Value {
    let claim = json!({"persistentStorage": true, "storageSize": "20Gi", "storageClassName": "fast"});
    with(install(&claim), more)
}

/// A claim neither shrinks nor changes its class: refused at once, in words, not by a claim that cannot follow.
#[tokio::test]
async fn what_a_claim_cannot_change() {
    let client = client().await;
    apply(&client, "claimed", &stored(&json!({}))).await.unwrap();
    let shrinks = "storageSize can grow but not shrink";
    let class = "storageClassName cannot be changed: a claim keeps its class; use another llmName";
    let table: Vec<Wrong> = vec![
        wrong(json!({"storageSize": "19Gi"}), "spec", shrinks),
        wrong(json!({"storageSize": "20G"}), "spec", shrinks),
        wrong(json!({"storageSize": 1_000_000}), "spec", shrinks),
        wrong(json!({"storageClassName": "slow"}), "spec", class),
        wrong(json!({"storageClassName": ""}), "spec", class),
        wrong(json!({"storageClassName": null}), "spec", class),
    ];
    let mut problems = Vec::new();
    for row in &table {
        let refused = apply(&client, "claimed", &stored(&row.spec)).await;
        let status = refused
            .err()
            .unwrap_or_else(|| panic!("{} was accepted", row.spec));
        check(&status, row, &mut problems);
    }
    // The default of a size that is no longer said is smaller too, and a class that is no longer said is another one.
    for (gone, words) in [("storageSize", shrinks), ("storageClassName", class)] {
        let mut spec = stored(&json!({}));
        spec.as_object_mut().unwrap().remove(gone);
        let status = apply(&client, "claimed", &spec).await.expect_err(gone);
        check(&status, &wrong(spec, "spec", words), &mut problems);
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    for allowed in [
        json!({"storageSize": "20480Mi"}),
        json!({"storageSize": "21Gi"}),
        json!({"storageSize": 23_622_320_128_u64}),
    ] {
        apply(&client, "claimed", &stored(&allowed))
            .await
            .unwrap_or_else(|status| panic!("{allowed}: {}", status.message));
    }
    delete(&client, "claimed").await;
}

/// A claim that is not asked for, or another one, is free of the old one's bounds.
#[tokio::test]
async fn another_claim_is_free() {
    let client = client().await;
    let small = json!({"storageSize": "1Gi", "storageClassName": "slow"});
    apply(&client, "switched", &stored(&json!({}))).await.unwrap();
    for spec in [
        with(stored(&small), &json!({"persistentStorage": false})),
        stored(&small),
        with(
            stored(&json!({})),
            &json!({"llmName": "other", "storageSize": "20Gi"}),
        ),
        with(stored(&small), &json!({"llmName": "third"})),
    ] {
        apply(&client, "switched", &spec)
            .await
            .unwrap_or_else(|status| panic!("{spec}: {}", status.message));
    }
    delete(&client, "switched").await;
}

/// Everything else may change, the action and the name included; each change is a new generation.
#[tokio::test]
async fn everything_else_may_change() {
    let client = client().await;
    let first = apply(&client, "changed", &install(&json!({}))).await.unwrap();
    assert_eq!(first.metadata.generation, Some(1));
    for (generation, change) in (2..).zip([
        json!({"action": "uninstall"}),
        json!({"action": "status"}),
        json!({"llmName": "other"}),
        json!({"model": "llama2:7b"}),
        json!({"gpuCount": 0}),
        json!({"memory": "1Gi"}),
        json!({"cpuCores": 1}),
        json!({"serviceEnabled": true}),
        json!({"servicePort": 80}),
        json!({"prompts": ["One?"]}),
        json!({"persistentStorage": true}),
        json!({"storageSize": "1Gi"}),
        json!({"keepAlive": false}),
        json!({"image": "ollama/ollama:latest"}),
    ]) {
        let changed = apply(&client, "changed", &install(&change))
            .await
            .unwrap_or_else(|status| panic!("{change}: {}", status.message));
        assert_eq!(changed.metadata.generation, Some(generation), "{change}");
    }
    delete(&client, "changed").await;
}
