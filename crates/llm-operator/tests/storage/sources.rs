//! Weights that are fetched from elsewhere.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::place::{bed, deploy, generic, logs, pod, replaced, variable};

/// A web server with one file; its address, and how often the file was asked for. Not on 127.0.0.1, which is a simulated
/// Pod's own address to what runs in it.
async fn web_server() -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let count = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let read = stream.read(&mut request).await.unwrap_or(0);
                let allowed =
                    String::from_utf8_lossy(&request[..read]).contains("Authorization: Bearer let-me-in");
                let (line, body) = if allowed {
                    ("200 OK", "weights")
                } else {
                    ("403 Forbidden", "")
                };
                let head = format!(
                    "HTTP/1.1 {line}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            });
        }
    });
    (address, count)
}

/// A file over HTTP is loaded by an init container onto the claim, with the header of the Secret, once.
/// Promises: S2-22
#[tokio::test]
async fn a_file_over_http_is_loaded_once() {
    let space = bed().await.space("http").await;
    let (address, asked) = web_server().await;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token"},
        "stringData": {"AUTHORIZATION": "Bearer let-me-in"},
    });
    space.apply(&secret.to_string()).await;
    let model = generic(json!({
        "source": {"uri": format!("http://{address}/models/small.gguf?version=1"), "credentialsSecret": "token"},
        "storage": {"size": "1Gi"},
    }));
    deploy(&space, "chat", &model, json!({})).await;
    space.wait_state("chat", "Ready").await;
    let first = pod(&space, "chat").await;
    let path = variable(&first, "MODEL_PATH").unwrap();
    assert!(
        path.starts_with("/models/") && path.ends_with("/models/small.gguf"),
        "{path}"
    );
    assert!(logs(&space, &first, "load-model").await.contains("loaded"));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let second = replaced(&space, "chat").await;
    assert!(logs(&space, &second, "load-model").await.contains("is there"));
    assert_eq!(asked.load(Ordering::SeqCst), 1, "it is not loaded again");
}

/// An image with weights is mounted as a volume, for reading.
/// Promises: S2-22
#[tokio::test]
async fn an_image_is_mounted() {
    let space = bed().await.space("oci").await;
    let model =
        generic(json!({"source": {"uri": "oci://ghcr.io/models/llama:v1", "credentialsSecret": "registry"}}));
    deploy(&space, "chat", &model, json!({})).await;
    space.wait_state("chat", "Ready").await;
    let pod = pod(&space, "chat").await;
    assert_eq!(variable(&pod, "MODEL_PATH").as_deref(), Some("/models"));
    let spec = pod.spec.as_ref().unwrap();
    let mut volumes = spec.volumes.iter().flatten();
    let image = volumes.find_map(|volume| volume.image.as_ref()).unwrap();
    assert_eq!(image.reference.as_deref(), Some("ghcr.io/models/llama:v1"));
    assert_eq!(spec.image_pull_secrets.as_ref().unwrap()[0].name, "registry");
}
