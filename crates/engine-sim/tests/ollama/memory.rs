//! Where a model's memory is, and who has to go for it.

use engine_sim::GpuSpec;
use serde_json::Value;

use crate::bed::{Bed, PORT, parsed};
use crate::common::{Running, start};

fn gpu(gibibytes: u64) -> Vec<GpuSpec> {
    vec![GpuSpec {
        product: "Tesla-T4".into(),
        memory: gibibytes << 30,
    }]
}

async fn pull(server: &Running, model: &str) {
    let (_, body) = server
        .post(PORT, "/api/pull", &format!(r#"{{"model":"{model}"}}"#))
        .await;
    assert!(body.contains("success"), "{body}");
}

async fn load(server: &Running, model: &str) -> (u16, String) {
    server
        .post(PORT, "/api/generate", &format!(r#"{{"model":"{model}"}}"#))
        .await
}

async fn loaded(server: &Running) -> Vec<Value> {
    parsed(&server.get(PORT, "/api/ps").await)["models"]
        .as_array()
        .unwrap()
        .clone()
}

#[tokio::test]
async fn a_model_is_on_the_gpu_beside_it_or_refused() {
    let bed = Bed::new();
    let mut small = bed.spec(&[]);
    small.gpus.clear();
    small.memory_limit = Some(2 << 30);
    let server = start(small).up(PORT).await;
    pull(&server, "llama3:8b").await;
    let refused = load(&server, "llama3:8b").await;
    let words = r#"{"error":"model requires more system memory (4.8 GiB) than is available (1.9 GiB)"}"#;
    assert_eq!(refused, (500, words.to_owned()));
    pull(&server, "tinyllama").await;
    assert_eq!(load(&server, "tinyllama").await.0, 200);
    assert_eq!(loaded(&server).await[0]["size_vram"], 0);

    // Neither in 4 GiB of the GPU nor in what the container has beside it.
    let mut neither = bed.spec(&[]);
    neither.gpus = gpu(2);
    neither.memory_limit = Some(1 << 30);
    let server = start(neither).up(PORT).await;
    let (status, body) = load(&server, "llama3:8b").await;
    assert!(
        status == 500 && body.contains("more system memory (2.9 GiB) than is available (874.0 MiB)"),
        "{body}"
    );

    let mut partly = bed.spec(&[]);
    partly.gpus = gpu(4);
    let server = start(partly).up(PORT).await;
    assert_eq!(load(&server, "llama3:8b").await.0, 200);
    let model = &loaded(&server).await[0];
    let (size, on_gpu) = (
        model["size"].as_u64().unwrap(),
        model["size_vram"].as_u64().unwrap(),
    );
    assert!(0 < on_gpu && on_gpu < size, "{model}");
    let beside = r#"{"model":"llama3:8b","options":{"num_gpu":0}}"#;
    server.post(PORT, "/api/generate", beside).await;
    assert_eq!(
        loaded(&server).await[0]["size_vram"],
        0,
        "loaded anew without the GPU"
    );
}

#[tokio::test]
async fn another_model_takes_the_place_of_one_that_is_idle() {
    let bed = Bed::new();
    let mut one = bed.spec(&[]);
    one.gpus = gpu(6);
    let server = start(one).up(PORT).await;
    for model in ["llama3:8b", "mistral", "tinyllama"] {
        pull(&server, model).await;
    }
    load(&server, "llama3:8b").await;
    load(&server, "mistral").await;
    let models = loaded(&server).await;
    assert_eq!((models.len(), &models[0]["name"]), (1, &"mistral:latest".into()));
    load(&server, "tinyllama").await;
    assert_eq!(loaded(&server).await.len(), 2, "this one fits beside it");
}

#[tokio::test]
async fn copies_of_a_model_are_one_in_memory() {
    let bed = Bed::new();
    let server = bed.up(&[]).await;
    pull(&server, "tinyllama").await;
    server
        .post(
            PORT,
            "/api/copy",
            r#"{"source":"tinyllama","destination":"me/copy"}"#,
        )
        .await;
    load(&server, "tinyllama").await;
    load(&server, "me/copy").await;
    let models = loaded(&server).await;
    assert_eq!(
        (models.len(), &models[0]["name"]),
        (1, &"tinyllama:latest".into())
    );
    server
        .post(PORT, "/api/generate", r#"{"model":"me/copy","keep_alive":0}"#)
        .await;
    assert_eq!(loaded(&server).await.len(), 0);
}
