//! Amounts: what is none, what is too little, and the ways to write one.

use serde_json::{Value, json};

use crate::desk::{Wrong, all_refused_on_top, client, create, install, wrong};

const FIELDS: [(&str, &str); 3] = [
    ("memory", "spec.memory"),
    ("cpuCores", "spec.cpuCores"),
    ("storageSize", "spec.storageSize"),
];

/// One row for each of the fields that hold an amount.
fn each(amount: &Value, words: &'static str) -> impl Iterator<Item = Wrong> {
    FIELDS
        .map(|(name, field)| wrong(json!({ name: amount.clone() }), field, words))
        .into_iter()
}

/// What is no quantity is refused in words that show one.
#[tokio::test]
async fn garbage_and_negative() {
    let mut table = Vec::new();
    for garbage in [
        "lots", "4GB", "4 Gi", "", "Gi", "1,5", "0x10", "-4Gi", "1e400", "4Gi\n",
    ] {
        table.extend(each(&json!(garbage), "must be a quantity of zero or more"));
    }
    table.extend(each(&json!(-1), "must be a quantity of zero or more"));
    all_refused_on_top(table).await;
}

/// Nothing is not enough.
#[tokio::test]
async fn zero() {
    let mut table = Vec::new();
    for zero in [json!(0), json!("0"), json!("0Gi"), json!("+0.0"), json!("0e3")] {
        table.push(wrong(
            json!({"memory": zero}),
            "spec.memory",
            "memory must be more than zero",
        ));
        table.push(wrong(
            json!({"cpuCores": zero}),
            "spec.cpuCores",
            "cpuCores must be more than zero",
        ));
        table.push(wrong(
            json!({"storageSize": zero}),
            "spec.storageSize",
            "storageSize must be more than zero",
        ));
    }
    all_refused_on_top(table).await;
}

/// Neither a number with a fraction nor a list is an amount.
#[tokio::test]
async fn other_types() {
    let mut table = Vec::new();
    for other in [json!(1.5), json!(["4Gi"]), json!(true)] {
        table.extend(each(&other, "must be of type"));
    }
    all_refused_on_top(table).await;
}

/// Every way in which Kubernetes itself writes an amount is taken, and kept as it was written.
/// Promises: S0-13
#[tokio::test]
async fn amounts_are_kept_as_written() {
    let client = client().await;
    for amount in [
        json!(2),
        json!(8_589_934_592_u64),
        json!("2"),
        json!("500m"),
        json!("4Gi"),
        json!("80G"),
        json!("1.5"),
        json!(".5"),
        json!("5."),
        json!("+1"),
        json!("12e6"),
        json!("1E3"),
        json!("1e-3"),
        json!("1Ei"),
    ] {
        for (name, _) in FIELDS {
            let stored = create(&client, "amounts", &install(&json!({ name: amount })))
                .await
                .unwrap_or_else(|status| panic!("{name}: {amount}: {}", status.message));
            assert_eq!(stored.data["spec"][name], amount, "{name}");
        }
    }
}
