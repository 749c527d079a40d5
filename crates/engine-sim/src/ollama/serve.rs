//! `ollama serve`: an environment in, Ollama's and OpenAI's interfaces out, until SIGTERM.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::api::{self, CopyRequest, GenerateRequest, ModelRequest};
use super::name::Name;
use super::pull::{Pull, line};
use super::runner::{Loaded, Runners, keep_alive};
use super::store::{Store, Stored};
use super::{generate, go_error, home, journal, models_dir, own_host, runner};
use crate::fault::Health;
use crate::http::openai::{self, CompletionRequest, Kind};
use crate::http::stream::streamed;
use crate::http::{Request, Response, empty, json as json_response, read_json, server, text};
use crate::process::{Context, Exit};

struct Server {
    context: Context,
    store: Arc<Store>,
    runners: Runners,
}

/// Serves; the error is what the real one prints after `Error: `.
pub(super) async fn run(context: &Context) -> Result<Exit, String> {
    if context.use_memory(runner::SERVER).is_err() {
        return Ok(Exit::oom_killed());
    }
    make_key(context)?;
    let host = own_host(context);
    let unbound = |error: std::io::Error| {
        let reason = error.to_string();
        let reason = reason
            .split(" (os error")
            .next()
            .unwrap_or_default()
            .to_lowercase();
        format!("listen tcp {}: bind: {reason}", host.joined())
    };
    let listener = server::listen(&context.spec, &host.host, host.port)
        .await
        .map_err(unbound)?;
    let dir = models_dir(context);
    let store = Store::open(context.spec.files.clone(), dir.clone()).map_err(|error| {
        format!(
            "{}: ensure path elements are traversable",
            go_error("mkdir", &dir.join("blobs"), &error)
        )
    })?;
    journal(
        context,
        "routes.go:1739",
        &format!(
            "Listening on {} (version {VERSION})",
            host.joined(),
            VERSION = super::VERSION
        ),
    );
    log_devices(context);
    let state = Arc::new(Server {
        context: context.clone(),
        store: Arc::new(store),
        runners: Runners::new(context.clone()),
    });
    let handler = move |request| handle(Arc::clone(&state), request);
    server::serve(listener, handler, context.stop.clone(), Duration::ZERO).await;
    Ok(Exit::success())
}

/// The server makes itself a key at its first start.
fn make_key(context: &Context) -> Result<(), String> {
    let dir = home(context).join(".ollama");
    let key = dir.join("id_ed25519");
    let files = &context.spec.files;
    if files.resolve(&key).exists() {
        return Ok(());
    }
    context.log.out(format!(
        "Couldn't find '{}'. Generating new private key.",
        key.display()
    ));
    files
        .make_dir(&dir)
        .map_err(|error| format!("could not create directory {}", go_error("mkdir", &dir, &error)))?;
    files
        .write(&key, b"simulated key\n")
        .map_err(|error| go_error("open", &key, &error))
}

#[allow(clippy::cast_precision_loss)]
fn log_devices(context: &Context) {
    for gpu in &context.spec.gpus {
        let total = gpu.memory as f64 / 1_073_741_824.0;
        let line = format!(
            "inference compute library=CUDA description={} total={total:.1} GiB",
            gpu.product
        );
        journal(context, "types.go:42", &line);
    }
    if context.spec.gpus.is_empty() {
        journal(context, "types.go:60", "inference compute id=cpu library=cpu");
    }
}

fn fail(status: StatusCode, message: &str) -> Response {
    json_response(status, &json!({"error": message}))
}

fn not_found(model: &str) -> Response {
    fail(StatusCode::NOT_FOUND, &format!("model '{model}' not found"))
}

async fn handle(server: Arc<Server>, request: Request) -> Response {
    match server.context.faults.current_health() {
        Health::Hanging => return std::future::pending().await,
        Health::Failing => return empty(StatusCode::SERVICE_UNAVAILABLE),
        Health::Normal => {}
    }
    let path = request.uri().path().to_owned();
    match (request.method(), path.as_str()) {
        (&Method::GET | &Method::HEAD, "/") => text(StatusCode::OK, "Ollama is running"),
        (&Method::GET | &Method::HEAD, "/api/version") => {
            json_response(StatusCode::OK, &json!({"version": super::VERSION}))
        }
        (&Method::GET | &Method::HEAD, "/api/tags") => {
            let models: Vec<_> = server.store.list().iter().map(api::tag).collect();
            json_response(StatusCode::OK, &json!({"models": models}))
        }
        (&Method::GET, "/api/ps") => {
            let models: Vec<_> = server.runners.list().iter().map(api::running).collect();
            json_response(StatusCode::OK, &json!({"models": models}))
        }
        (&Method::GET, "/v1/models") => json_response(StatusCode::OK, &openai::model_list(&cards(&server))),
        (&Method::POST, "/api/pull") => pull(&server, request).await,
        (&Method::POST, "/api/show") => show(&server, request).await,
        (&Method::POST, "/api/copy") => copy(&server, request).await,
        (&Method::DELETE, "/api/delete") => delete(&server, request).await,
        (&Method::POST, "/api/generate") => generate_or_chat(&server, request, false).await,
        (&Method::POST, "/api/chat") => generate_or_chat(&server, request, true).await,
        (&Method::POST, "/v1/chat/completions") => complete(&server, Kind::Chat, request).await,
        (&Method::POST, "/v1/completions") => complete(&server, Kind::Text, request).await,
        _ => text(StatusCode::NOT_FOUND, "404 page not found"),
    }
}

fn cards(server: &Server) -> Vec<Value> {
    let seconds = |stored: &Stored| {
        stored
            .modified
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |t| t.as_secs())
    };
    let card = |stored: &Stored| json!({"id": stored.name.short(), "object": "model", "created": seconds(stored), "owned_by": stored.name.namespace});
    server.store.list().iter().map(card).collect()
}

async fn pull(server: &Server, request: Request) -> Response {
    let request: ModelRequest = match read_json(request).await {
        Ok(request) => request,
        Err(error) => return fail(StatusCode::BAD_REQUEST, &error),
    };
    let Some(name) = Name::parse(request.model()) else {
        return fail(StatusCode::BAD_REQUEST, "invalid model name");
    };
    let pull = Pull {
        context: server.context.clone(),
        store: Arc::clone(&server.store),
        name,
    };
    let lines = pull.lines();
    if request.stream.unwrap_or(true) {
        return streamed("application/x-ndjson", lines.map(|value| line(&value)));
    }
    let last = lines
        .fold(Value::Null, |_, value| futures::future::ready(value))
        .await;
    let status = if last.get("error").is_some() {
        StatusCode::INTERNAL_SERVER_ERROR
    } else {
        StatusCode::OK
    };
    json_response(status, &last)
}

async fn show(server: &Server, request: Request) -> Response {
    match named(server, request).await {
        Ok(stored) => json_response(StatusCode::OK, &api::show(&stored)),
        Err(response) => response,
    }
}

async fn delete(server: &Server, request: Request) -> Response {
    let stored = match named(server, request).await {
        Ok(stored) => stored,
        Err(response) => return response,
    };
    server.runners.unload(&stored.name);
    match server.store.remove(&stored.name) {
        Ok(_) => empty(StatusCode::OK),
        Err(error) => fail(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

async fn copy(server: &Server, request: Request) -> Response {
    let request: CopyRequest = match read_json(request).await {
        Ok(request) => request,
        Err(error) => return fail(StatusCode::BAD_REQUEST, &error),
    };
    let (from, to) = (Name::parse(&request.source), Name::parse(&request.destination));
    let (Some(from), Some(to)) = (&from, &to) else {
        let wrong = if from.is_none() {
            ("source", &request.source)
        } else {
            ("destination", &request.destination)
        };
        return fail(
            StatusCode::BAD_REQUEST,
            &format!("{} {:?} is invalid", wrong.0, wrong.1),
        );
    };
    match server.store.copy(from, to) {
        Ok(true) => empty(StatusCode::OK),
        Ok(false) => fail(
            StatusCode::NOT_FOUND,
            &format!("model {:?} not found", request.source),
        ),
        Err(error) => fail(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// The stored model that a request names.
async fn named(server: &Server, request: Request) -> Result<Stored, Response> {
    let request: ModelRequest = read_json(request)
        .await
        .map_err(|error| fail(StatusCode::BAD_REQUEST, &error))?;
    let found = Name::parse(request.model()).and_then(|name| server.store.find(&name));
    found.ok_or_else(|| not_found(request.model()))
}

async fn generate_or_chat(server: &Server, request: Request, chat: bool) -> Response {
    let request: GenerateRequest = match read_json(request).await {
        Ok(request) => request,
        Err(error) => return fail(StatusCode::BAD_REQUEST, &error),
    };
    let Some(stored) = Name::parse(&request.model).and_then(|name| server.store.find(&name)) else {
        return not_found(&request.model);
    };
    let keep = match &request.keep_alive {
        Value::Null => keep_alive(server.context.env("OLLAMA_KEEP_ALIVE").unwrap_or("5m")),
        Value::String(word) => keep_alive(word),
        other => keep_alive(&other.to_string()),
    };
    let nothing_asked = if chat {
        request.messages.is_empty()
    } else {
        request.prompt.is_empty()
    };
    if nothing_asked && keep == Some(Duration::ZERO) {
        server.runners.unload(&stored.name);
        return json_response(StatusCode::OK, &generate::empty(chat, &request.model, "unload"));
    }
    let began = Instant::now();
    let model = match server.runners.get(&stored, keep).await {
        Ok(model) => model,
        Err(message) => return fail(StatusCode::INTERNAL_SERVER_ERROR, &message),
    };
    if nothing_asked {
        return json_response(StatusCode::OK, &generate::empty(chat, &request.model, "load"));
    }
    if busy(server, &model) {
        return fail(StatusCode::SERVICE_UNAVAILABLE, BUSY);
    }
    generate::answer(chat, request, model, began.elapsed()).await
}

const BUSY: &str = "server busy, please try again.  maximum pending requests exceeded";

fn busy(server: &Server, model: &Loaded) -> bool {
    model.scheduler.load().waiting >= runner::number(&server.context, "OLLAMA_MAX_QUEUE").unwrap_or(512)
}

async fn complete(server: &Server, kind: Kind, request: Request) -> Response {
    let refuse = |status: StatusCode, message: &str| {
        let word = match status {
            StatusCode::BAD_REQUEST => "invalid_request_error",
            StatusCode::NOT_FOUND => "not_found_error",
            _ => "api_error",
        };
        json_response(
            status,
            &json!({"error": {"message": message, "type": word, "param": null, "code": null}}),
        )
    };
    let request: CompletionRequest = match read_json(request).await {
        Ok(request) => request,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, &error),
    };
    if let Some(message) = request.invalid(kind) {
        return refuse(StatusCode::BAD_REQUEST, message);
    }
    let asked = request.model.clone().unwrap_or_default();
    let Some(stored) = Name::parse(&asked).and_then(|name| server.store.find(&name)) else {
        return refuse(StatusCode::NOT_FOUND, &format!("model '{asked}' not found"));
    };
    let keep = keep_alive(server.context.env("OLLAMA_KEEP_ALIVE").unwrap_or("5m"));
    match server.runners.get(&stored, keep).await {
        Ok(model) if busy(server, &model) => refuse(StatusCode::SERVICE_UNAVAILABLE, BUSY),
        Ok(model) => {
            openai::complete(Arc::clone(&model.scheduler), kind, request, asked, model.context).await
        }
        Err(message) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &message),
    }
}
