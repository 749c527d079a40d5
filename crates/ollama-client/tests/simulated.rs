//! Every question, put to the simulated Ollama.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::time::Duration;

use common::{sim, soon};
use engine_sim::GpuSpec;
use engine_sim::fault::Health;
use ollama_client::{Cause, GenerateLimits, Limits, Ollama, Progress, has_model, same_model};

const LONG: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_model_is_pulled_loaded_asked_copied_and_deleted() {
    let server = sim::start().await;
    let ollama = &server.ollama;
    assert_eq!(ollama.version().await.unwrap(), "0.17.4");
    assert_eq!(ollama.models().await.unwrap(), []);
    assert!(!ollama.show("tinyllama").await.unwrap());

    let mut told: Vec<Progress> = Vec::new();
    ollama
        .pull("tinyllama", |progress| told.push(progress))
        .await
        .unwrap();
    assert_eq!(told.first().unwrap().status, "pulling manifest");
    assert!(
        told.is_sorted_by_key(|told| (told.percent, told.completed)),
        "{told:?}"
    );
    assert!(
        told.iter().any(|told| (1..99).contains(&told.percent)),
        "{told:?}"
    );
    let last = told.last().unwrap();
    assert_eq!((last.status.as_str(), last.percent), ("success", 100));
    assert!(
        last.completed == last.total && last.total > 100_000_000,
        "{last:?}"
    );

    let models = ollama.models().await.unwrap();
    assert_eq!(
        (models[0].name.as_str(), models[0].size_bytes),
        ("tinyllama:latest", last.total)
    );
    assert!(has_model(&models, "tinyllama") && !has_model(&models, "llama2:7b"));
    assert!(ollama.show("tinyllama").await.unwrap());

    assert_eq!(ollama.loaded().await.unwrap(), []);
    ollama.load("tinyllama", LONG).await.unwrap();
    let loaded = ollama.loaded().await.unwrap();
    assert!(same_model(&loaded[0].name, "tinyllama"));
    assert!(loaded[0].size_bytes >= last.total);
    assert_eq!(loaded[0].gpu_bytes, loaded[0].size_bytes);

    let answer = ollama
        .generate("tinyllama", "why is the sky blue", GenerateLimits::default())
        .await
        .unwrap();
    assert!(answer.text.contains("why is the sky blue") && !answer.cut);
    assert_eq!(answer.tokens, Some(answer.text.split_whitespace().count() as u64));
    assert!(answer.tokens_per_second.is_some_and(|rate| rate > 0.0));
    assert!(answer.eval.is_some_and(|eval| eval <= answer.total));

    ollama
        .copy("tinyllama", "llm-operator/finished:1b2c-33")
        .await
        .unwrap();
    assert!(ollama.show("llm-operator/finished:1b2c-33").await.unwrap());
    ollama.delete("tinyllama").await.unwrap();
    let left = ollama.models().await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].name, "llm-operator/finished:1b2c-33");
}

#[tokio::test]
async fn an_answer_is_cut_at_its_limit() {
    let server = sim::start().await;
    server.ollama.pull("tinyllama", drop).await.unwrap();
    let limits = GenerateLimits {
        bytes: 10,
        ..GenerateLimits::default()
    };
    let answer = server
        .ollama
        .generate("tinyllama", "hello", limits)
        .await
        .unwrap();
    assert_eq!(
        (answer.text.as_str(), answer.cut, answer.tokens),
        ("This is ti", true, None)
    );
    // The prompt came to a model that was not loaded: it stays, as after loading.
    assert_eq!(server.ollama.loaded().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_not_there_is_refused_in_the_servers_words() {
    let server = sim::start().await;
    let ollama = &server.ollama;
    let error = ollama.pull("nosuchmodel", drop).await.unwrap_err();
    let message = "pull model manifest: file does not exist".to_owned();
    assert_eq!(error.cause, Cause::Failed { message });
    assert_eq!(
        error.to_string(),
        format!(
            "pull \"nosuchmodel\", asked of Ollama at {}: failed: pull model manifest: file does not exist",
            server.address
        )
    );
    let error = ollama.pull("bad name", drop).await.unwrap_err();
    let message = "invalid model name".to_owned();
    assert_eq!(error.cause, Cause::Refused { status: 400, message });

    let error = ollama.load("llama3", LONG).await.unwrap_err();
    assert!(error.is_model_missing(), "{error}");
    assert_eq!(error.server_words(), Some("model 'llama3' not found"));
    let failed = ollama
        .generate("llama3", "x", GenerateLimits::default())
        .await
        .unwrap_err();
    assert!(failed.error.is_model_missing() && failed.text.is_empty());
    assert!(
        ollama
            .copy("llama3", "other")
            .await
            .unwrap_err()
            .is_model_missing()
    );
    assert!(ollama.delete("llama3").await.unwrap_err().is_model_missing());
}

#[tokio::test]
async fn a_model_that_does_not_fit_is_refused_and_one_that_half_fits_says_so() {
    let small = sim::start_with(|spec| {
        spec.gpus.clear();
        spec.memory_limit = Some(2 << 30);
    })
    .await;
    small.ollama.pull("llama3:8b", drop).await.unwrap();
    let error = small.ollama.load("llama3:8b", LONG).await.unwrap_err();
    let Cause::Refused { status: 500, message } = &error.cause else {
        panic!("{error}")
    };
    assert!(
        message.starts_with("model requires more system memory (4.8 GiB) than is available"),
        "{message}"
    );

    let partly = sim::start_with(|spec| {
        spec.gpus = vec![GpuSpec {
            product: "Tesla-T4".into(),
            memory: 4 << 30,
        }];
    })
    .await;
    partly.ollama.pull("llama3:8b", drop).await.unwrap();
    partly.ollama.load("llama3:8b", LONG).await.unwrap();
    let loaded = partly.ollama.loaded().await.unwrap();
    assert!(
        0 < loaded[0].gpu_bytes && loaded[0].gpu_bytes < loaded[0].size_bytes,
        "{loaded:?}"
    );
}

#[tokio::test]
async fn a_pull_can_be_dropped_and_begun_anew() {
    let server = sim::start().await;
    server.faults.stall_load(true);
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    {
        let pull = server.ollama.pull("tinyllama", |progress| {
            let _ = tell.send(progress);
        });
        let layer = async { while told.recv().await.is_some_and(|told| told.total == 0) {} };
        tokio::select! {
            done = pull => panic!("{done:?}"),
            () = soon(layer) => {}
        }
    }
    assert_eq!(server.ollama.models().await.unwrap(), []);
    server.faults.stall_load(false);
    server.ollama.pull("tinyllama", drop).await.unwrap();
    assert!(has_model(&server.ollama.models().await.unwrap(), "tinyllama"));
}

#[tokio::test]
async fn a_server_that_stands_still_or_fails_is_told_apart() {
    let server = sim::start().await;
    server.ollama.pull("tinyllama", drop).await.unwrap();
    let short = Duration::from_millis(50);
    let ollama = Ollama::with_limits(
        server.address,
        Limits {
            answer: short,
            idle: short,
            ..Limits::default()
        },
    );
    let hasty = GenerateLimits {
        idle: short,
        ..GenerateLimits::default()
    };

    server.faults.stall_load(true);
    let error = ollama.load("tinyllama", short).await.unwrap_err();
    assert_eq!(error.cause, Cause::TooLate { after: short });
    let error = ollama.pull("llama2", drop).await.unwrap_err();
    assert_eq!(error.cause, Cause::Stalled { after: short });
    let failed = ollama.generate("tinyllama", "x", hasty).await.unwrap_err();
    assert_eq!(failed.error.cause, Cause::Stalled { after: short });
    server.faults.stall_load(false);

    server.faults.health(Health::Hanging);
    let error = ollama.version().await.unwrap_err();
    assert_eq!(error.cause, Cause::TooLate { after: short });

    server.faults.health(Health::Failing);
    let error = server.ollama.version().await.unwrap_err();
    let message = "no reason given".to_owned();
    assert_eq!(error.cause, Cause::Refused { status: 503, message });
    server.faults.health(Health::Normal);

    server.faults.crash(1, "gone");
    // Until its port is closed, connections are still made, and cut.
    let refused =
        async {
            while !server.ollama.version().await.is_err_and(|error| {
                error.is_unreachable() && error.to_string().contains("Connection refused")
            }) {
                tokio::task::yield_now().await;
            }
        };
    soon(refused).await;
}
