//! A short day of faults: every kind of fault once at least, on resources of all kinds. The long one is `make chaos`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

use std::{path::PathBuf, time::Duration};

use testkit::chaos::{Options, Sizes, run};

/// One round; the rests before and after it take most of the time.
/// Promises: S3-25
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_comes_right_after_faults() {
    let options = Options {
        seed: 20_261_122,
        sizes: Sizes {
            resources: 25,
            operations: 40,
            faults: 34,
            per_round: 34,
        },
        operator: PathBuf::from(env!("CARGO_BIN_EXE_llm-operator")),
        root: PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.."),
        replicas: 2,
        patience: Duration::from_mins(5),
        rest: Duration::from_secs(5),
        limit: Duration::from_mins(15),
    };
    let verdict = run(&options, false).await.unwrap();
    assert!(verdict.passed(), "{verdict}");
}
