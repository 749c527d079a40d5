//! LocalAI's HTTP server: configured models and a folder in, `OpenAI`'s interface, health and metrics out, until SIGTERM.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::args::Args;
use super::config::{self, Configs};
use super::journal::Journal;
use super::runner::{Loaded, Runners};
use crate::fault::Health;
use crate::http::openai::{self, CompletionRequest, Kind};
use crate::http::{Request, Response, empty, json as json_response, read_json, server, text, with_body};
use crate::process::{Context, Exit};
use crate::prometheus::{Exposition, escaped};
use crate::stats::{Histogram, bounds};

/// Numbers in an embedding of a small sentence model.
const DIMENSIONS: u32 = 384;

struct Server {
    context: Context,
    keys: Vec<String>,
    configs: Configs,
    folder: PathBuf,
    runners: Runners,
    journal: Journal,
    /// Times of calls by method and path.
    calls: Mutex<BTreeMap<(String, String), Histogram>>,
}

/// Serves; the error ends the program.
pub(super) async fn serve(
    context: &Context,
    args: &Args,
    configs: Configs,
    models: PathBuf,
    journal: Journal,
) -> Result<Exit, String> {
    let address = args.text("address").unwrap_or(":8080");
    let listener = listen(context, address).await?;
    journal.info(&format!(
        "LocalAI API is listening! Please connect to the endpoint for API documentation. endpoint=http://{address}"
    ));
    let folder = context.spec.files.resolve(&models);
    let size = args
        .integer("context-size")
        .and_then(|size| u64::try_from(size).ok());
    let runners = Runners::new(
        context.clone(),
        folder.clone(),
        size,
        args.flag("parallel-requests"),
    );
    let killed = runners.killed.clone();
    let state = Arc::new(Server {
        context: context.clone(),
        keys: args.list("api-keys"),
        configs,
        folder,
        runners,
        journal,
        calls: Mutex::default(),
    });
    let handler = move |request| handle(Arc::clone(&state), request);
    // No handler for SIGTERM: requests under way are cut.
    let serving = server::serve(listener, handler, context.stop.clone(), Duration::ZERO);
    tokio::select! {
        () = killed.cancelled() => Ok(Exit::oom_killed()),
        () = serving => Ok(Exit::exited(143, "")),
    }
}

async fn listen(context: &Context, address: &str) -> Result<tokio::net::TcpListener, String> {
    let refused = |reason: &str| format!("listen tcp4 {address}: {reason}");
    let (host, port) = address
        .rsplit_once(':')
        .ok_or_else(|| format!("listen tcp4: address {address}: missing port in address"))?;
    let port = port
        .parse()
        .map_err(|_| format!("listen tcp4: lookup tcp/{port}: unknown port"))?;
    server::listen(&context.spec, host, port).await.map_err(|error| {
        let reason = error.to_string().to_lowercase();
        refused(&format!(
            "bind: {}",
            reason.split(" (os error").next().unwrap_or_default()
        ))
    })
}

async fn handle(server: Arc<Server>, request: Request) -> Response {
    if server.context.faults.current_health() == Health::Hanging {
        return std::future::pending().await;
    }
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let began = Instant::now();
    let response = route(&server, request, &path).await;
    server.journal.debug(&format!(
        "Request method={method} path={path} status={}",
        response.status().as_u16()
    ));
    // Only what is served is counted, so that nobody fills the metrics with made-up paths.
    if path != "/metrics" && response.status() != StatusCode::NOT_FOUND {
        let mut calls = server.calls.lock();
        let histogram = calls
            .entry((method, path))
            .or_insert_with(|| Histogram::new(bounds::CALL));
        histogram.observe(began.elapsed().as_secs_f64());
    }
    response
}

async fn route(server: &Server, request: Request, path: &str) -> Response {
    match (request.method(), path) {
        (&Method::GET | &Method::HEAD, "/healthz" | "/readyz") => return health(server),
        _ if !authorized(server, &request) => {
            let message = match request.headers().get(http::header::AUTHORIZATION) {
                None => "Authorization header missing",
                Some(_) => "Invalid API key",
            };
            return json_response(StatusCode::UNAUTHORIZED, &json!({"message": message}));
        }
        _ => {}
    }
    match (request.method(), path) {
        (&Method::GET, "/") => with_body(
            StatusCode::OK,
            "text/html; charset=utf-8",
            "<!DOCTYPE html><title>LocalAI API</title>",
        ),
        (&Method::GET, "/version") => json_response(StatusCode::OK, &json!({"version": super::VERSION})),
        (&Method::GET, "/metrics") => text(StatusCode::OK, metrics(server)),
        (&Method::GET, "/v1/models" | "/models") => list(server),
        (&Method::POST, "/v1/chat/completions" | "/chat/completions") => {
            complete(server, Kind::Chat, request).await
        }
        (&Method::POST, "/v1/completions" | "/completions") => complete(server, Kind::Text, request).await,
        (&Method::POST, "/v1/embeddings" | "/embeddings") => embed(server, request).await,
        _ => {
            let error = json!({"error": {"code": 404, "message": "Resource not found", "type": ""}});
            json_response(StatusCode::NOT_FOUND, &error)
        }
    }
}

fn health(server: &Server) -> Response {
    match server.context.faults.current_health() {
        Health::Failing => empty(StatusCode::SERVICE_UNAVAILABLE),
        _ => text(StatusCode::OK, "OK"),
    }
}

fn authorized(server: &Server, request: &Request) -> bool {
    server.keys.is_empty()
        || crate::http::bearer(request).is_some_and(|key| server.keys.iter().any(|known| known == key))
}

/// Configured models first, then files that no configuration uses.
fn list(server: &Server) -> Response {
    let files = config::loose_files(&server.folder);
    let used = |file: &&String| {
        server
            .configs
            .values()
            .any(|config| config.model() == file.as_str())
    };
    let names = server
        .configs
        .keys()
        .chain(files.iter().filter(|file| !used(file)));
    let cards: Vec<Value> = names.map(|name| json!({"id": name, "object": "model"})).collect();
    json_response(StatusCode::OK, &openai::model_list(&cards))
}

/// An error of the server's own error page.
fn failed(message: &str) -> Response {
    let error = json!({"error": {"code": 500, "message": message, "type": ""}});
    json_response(StatusCode::INTERNAL_SERVER_ERROR, &error)
}

async fn complete(server: &Server, kind: Kind, request: Request) -> Response {
    let request: CompletionRequest = match read_json(request).await {
        Ok(request) => request,
        Err(error) => {
            return failed(&format!(
                "failed reading parameters from request:failed parsing request body: {error}"
            ));
        }
    };
    if let Some(message) = request.invalid(kind) {
        return failed(message);
    }
    let (name, loaded) = match model(server, request.model.as_deref()).await {
        Ok(found) => found,
        Err(message) => return failed(&message),
    };
    let prompt = request.prompt_tokens(kind);
    // llama.cpp's context holds the prompt and the answer; a longer prompt is cut.
    let limit = loaded.context.saturating_sub(prompt).max(1);
    // Without a bound of the client's, the model goes on to its own end.
    let request = request.or_max_tokens(limit);
    openai::complete(loaded.scheduler, kind, request, name, limit).await
}

/// The model that a request names, else the first file, in memory.
async fn model(server: &Server, named: Option<&str>) -> Result<(String, Loaded), String> {
    let name = match named.filter(|name| !name.is_empty()) {
        Some(name) => name.to_owned(),
        None => config::loose_files(&server.folder)
            .into_iter()
            .next()
            .ok_or("failed reading parameters from request:no model specified")?,
    };
    let config = super::wanted(&server.configs, &server.folder, &name);
    server
        .journal
        .info(&format!("Loading model '{}'", config.model()));
    let loaded = server.runners.get(&config).await?;
    Ok((name, loaded))
}

async fn embed(server: &Server, request: Request) -> Response {
    let body: Value = match read_json(request).await {
        Ok(body) => body,
        Err(error) => return failed(&format!("failed parsing request body: {error}")),
    };
    let (name, _) = match model(server, body.get("model").and_then(Value::as_str)).await {
        Ok(found) => found,
        Err(message) => return failed(&message),
    };
    let inputs: Vec<Value> = match body.get("input") {
        Some(Value::Array(inputs)) => inputs.clone(),
        Some(input) => vec![input.clone()],
        None => Vec::new(),
    };
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, input)| json!({"object": "embedding", "index": index, "embedding": embedding(&input.to_string())}))
        .collect();
    let usage = json!({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0});
    json_response(
        StatusCode::OK,
        &json!({"object": "list", "model": name, "data": data, "usage": usage}),
    )
}

/// Numbers that depend on the text alone.
fn embedding(text: &str) -> Vec<f64> {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let number = |index: u32| {
        let mut hasher = DefaultHasher::new();
        (index, text).hash(&mut hasher);
        f64::from(u16::try_from(hasher.finish() & 0xffff).unwrap_or_default()) / 65_536.0 - 0.5
    };
    (0..DIMENSIONS).map(number).collect()
}

fn metrics(server: &Server) -> String {
    let mut out = Exposition::new("otel_scope_name=\"github.com/go-skynet/LocalAI\",otel_scope_version=\"\"");
    let calls = server.calls.lock();
    let series = calls.iter().map(|((method, path), histogram)| {
        let labels = format!("method=\"{}\",path=\"{}\"", escaped(method), escaped(path));
        (labels, histogram)
    });
    out.histograms("api_call", "api calls", series);
    out.finish()
}
