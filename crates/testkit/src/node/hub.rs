//! The internet as Pods' downloads meet it: `https://` addresses in, small stand-ins out, so that no request leaves this
//! machine and no gigabytes come to it. The `curl` of commands is led here with the host's name in front of the path.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use tokio::net::TcpListener;

use super::file_server::archive;

/// Addresses with one of these words lead nowhere.
const MISSING: [&str; 3] = ["does-not-exist", "no-such", "nonexistent"];
/// What stands for weights: the first bytes of llama.cpp's files, so that `LocalAI` takes them.
const WEIGHTS: &str = "GGUF simulated weights\n";
const ARCHIVES: [&str; 6] = [".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst"];

/// Starts it on a port of `address`; it ends with the runtime.
pub(crate) async fn start(address: Ipv4Addr) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((address, 0)).await?;
    let bound = listener.local_addr()?;
    tokio::spawn(async move {
        // Single connections' errors do not end it.
        let _ = axum::serve(listener, Router::new().fallback(answer)).await;
    });
    Ok(bound)
}

async fn answer(request: Request) -> Response {
    let path = request.uri().path().to_lowercase();
    if MISSING.iter().any(|mark| path.contains(mark)) {
        return with(StatusCode::NOT_FOUND, "Entry not found\n");
    }
    let file = path.rsplit('/').next().unwrap_or_default().to_owned();
    let stem = file.split('.').next().unwrap_or_default().to_owned();
    if let Some(end) = ARCHIVES.iter().find(|end| file.ends_with(**end)) {
        let packed = tokio::task::spawn_blocking(move || repository(&stem, end)).await;
        return match packed {
            Ok(Ok(bytes)) => with(StatusCode::OK, bytes),
            Ok(Err(error)) => with(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
            Err(error) => with(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        };
    }
    if [".yaml", ".yml"].iter().any(|end| file.ends_with(end)) {
        let text = format!("name: {stem}\nparameters:\n  model: {stem}.gguf\n");
        return with(StatusCode::OK, text);
    }
    with(StatusCode::OK, WEIGHTS)
}

/// A model repository of Triton with one model, named as the archive.
fn repository(name: &str, end: &str) -> io::Result<Vec<u8>> {
    let model = format!("{name}/1/model.onnx");
    archive(&[(&model, b"simulated weights")], compression(end))
}

/// tar's own word for how an archive of this name is compressed.
fn compression(end: &str) -> &'static str {
    match end {
        ".tar.gz" | ".tgz" => "--gzip",
        ".tar.bz2" => "--bzip2",
        ".tar.xz" => "--xz",
        ".tar.zst" => "--zstd",
        _ => "",
    }
}

fn with(status: StatusCode, content: impl Into<Body>) -> Response {
    let mut response = Response::new(content.into());
    *response.status_mut() = status;
    response
}
