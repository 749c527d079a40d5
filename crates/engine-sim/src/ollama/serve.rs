//! `ollama serve`: an environment in, Ollama's and OpenAI's interfaces out, until SIGTERM.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use http::{Method, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::api::{self, CopyRequest, ModelRequest};
use super::download::Downloads;
use super::name::{self, Name};
use super::pull::{Pull, line};
use super::runner::Runners;
use super::settings::{self, Settings};
use super::store::{Store, Stored};
use super::{ask, go_error, home, journal, json as json_response, log_line, placement};
use crate::fault::Health;
use crate::http::openai::{self, Kind};
use crate::http::stream::streamed;
use crate::http::{Request, Response, empty, json as openai_json, read, server, text, with_body};
use crate::process::{Context, Exit};

pub(super) struct Server {
    pub(super) context: Context,
    pub(super) settings: Arc<Settings>,
    pub(super) store: Arc<Store>,
    pub(super) runners: Arc<Runners>,
    downloads: Arc<Downloads>,
}

/// Serves; the error is what the real one prints after `Error: `.
pub(super) async fn run(context: &Context) -> Result<Exit, String> {
    if context.use_memory(placement::SERVER).is_err() {
        return Ok(Exit::oom_killed());
    }
    make_key(context)?;
    let settings = Arc::new(Settings::read(context));
    let host = &settings.host;
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
    for warning in &settings.warnings {
        log_line(context, "WARN", "config.go:259", warning);
    }
    let env = format!("msg=\"server config\" env=\"{}\"", settings.written());
    log_line(context, "INFO", "routes.go:1663", &env);
    let store = Arc::new(open_store(context, &settings)?);
    journal(
        context,
        "routes.go:1718",
        &format!(
            "Listening on {} (version {VERSION})",
            host.joined(),
            VERSION = super::VERSION
        ),
    );
    log_devices(context);
    let state = Arc::new(Server {
        context: context.clone(),
        runners: Runners::new(context.clone(), Arc::clone(&settings)),
        downloads: Downloads::new(context.clone(), Arc::clone(&store)),
        settings,
        store,
    });
    let handler = move |request| handle(Arc::clone(&state), request);
    server::serve(listener, handler, context.stop.clone(), Duration::ZERO).await;
    Ok(Exit::success())
}

/// Opens the models' folder and removes what no model needs, unless told not to.
fn open_store(context: &Context, settings: &Settings) -> Result<Store, String> {
    let dir = &settings.models;
    let store = Store::open(context.spec.files.clone(), dir.clone()).map_err(|error| {
        format!(
            "{}: ensure path elements are traversable",
            go_error("mkdir", &dir.join("blobs"), &error)
        )
    })?;
    if !settings.no_prune {
        let (all, gone) = store
            .prune()
            .map_err(|error| go_error("remove", &dir.join("blobs"), &error))?;
        journal(context, "images.go:473", &format!("total blobs: {all}"));
        journal(
            context,
            "images.go:480",
            &format!("total unused blobs removed: {gone}"),
        );
    }
    Ok(store)
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

pub(super) fn fail(status: StatusCode, message: &str) -> Response {
    json_response(status, &json!({"error": message}))
}

pub(super) fn not_found(model: &str) -> Response {
    fail(StatusCode::NOT_FOUND, &format!("model '{model}' not found"))
}

/// Paths of the interface, by the methods that they take.
const POSTS: [&str; 7] = [
    "/api/pull",
    "/api/show",
    "/api/copy",
    "/api/generate",
    "/api/chat",
    "/v1/chat/completions",
    "/v1/completions",
];
const GETS: [&str; 5] = ["/", "/api/version", "/api/tags", "/api/ps", "/v1/models"];

async fn handle(server: Arc<Server>, request: Request) -> Response {
    match server.context.faults.current_health() {
        Health::Hanging => return std::future::pending().await,
        Health::Failing => return empty(StatusCode::SERVICE_UNAVAILABLE),
        Health::Normal => {}
    }
    let origin = request
        .headers()
        .get(header::ORIGIN)
        .and_then(|origin| origin.to_str().ok());
    if origin.is_some_and(|origin| !settings::is_allowed(&server.settings.origins, origin)) {
        return empty(StatusCode::FORBIDDEN);
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
        (&Method::GET, "/v1/models") => openai_json(StatusCode::OK, &cards(&server)),
        (&Method::GET, path) if path.starts_with("/v1/models/") => model_card(&server, path),
        (&Method::POST, "/api/pull") => pull(&server, request).await,
        (&Method::POST, "/api/show") => show(&server, request).await,
        (&Method::POST, "/api/copy") => copy(&server, request).await,
        (&Method::DELETE, "/api/delete") => delete(&server, request).await,
        (&Method::POST, "/api/generate") => ask::generate_or_chat(&server, request, false).await,
        (&Method::POST, "/api/chat") => ask::generate_or_chat(&server, request, true).await,
        (&Method::POST, "/v1/chat/completions") => ask::complete(&server, Kind::Chat, request).await,
        (&Method::POST, "/v1/completions") => ask::complete(&server, Kind::Text, request).await,
        (_, known) if POSTS.contains(&known) || GETS.contains(&known) || known == "/api/delete" => with_body(
            StatusCode::METHOD_NOT_ALLOWED,
            "text/plain",
            "405 method not allowed",
        ),
        _ => with_body(StatusCode::NOT_FOUND, "text/plain", "404 page not found"),
    }
}

/// Reads a JSON body, or answers as Go's server does.
pub(super) async fn parsed<T: DeserializeOwned>(request: Request) -> Result<T, Response> {
    let refused = |message: &str| fail(StatusCode::BAD_REQUEST, message);
    let body = read(request).await.map_err(|error| refused(&error))?;
    if body.is_empty() {
        return Err(refused("missing request body"));
    }
    serde_json::from_slice(&body).map_err(|error| {
        let message = error.to_string();
        refused(if error.is_eof() {
            "unexpected EOF"
        } else {
            &message
        })
    })
}

fn card(stored: &Stored, id: &str) -> Value {
    let created = stored.modified.duration_since(std::time::UNIX_EPOCH);
    json!({"id": id, "object": "model", "created": created.map_or(0, |t| t.as_secs()),
        "owned_by": stored.name.namespace})
}

fn cards(server: &Server) -> Value {
    let all: Vec<Value> = server
        .store
        .list()
        .iter()
        .map(|stored| card(stored, &stored.name.short()))
        .collect();
    let mut list = openai::model_list(&all);
    if all.is_empty() {
        // Go's empty list.
        list["data"] = Value::Null;
    }
    list
}

fn model_card(server: &Server, path: &str) -> Response {
    let asked = path.trim_start_matches("/v1/models/");
    match Name::parse(asked).and_then(|name| server.store.find(&name)) {
        Some(stored) => openai_json(StatusCode::OK, &card(&stored, asked)),
        None => ask::refuse(StatusCode::NOT_FOUND, &format!("model '{asked}' not found")),
    }
}

async fn pull(server: &Server, request: Request) -> Response {
    let request: ModelRequest = match parsed(request).await {
        Ok(request) => request,
        Err(response) => return response,
    };
    let Some(name) = Name::parse(request.model()) else {
        return fail(StatusCode::BAD_REQUEST, "invalid model name");
    };
    let pull = Pull {
        context: server.context.clone(),
        store: Arc::clone(&server.store),
        downloads: Arc::clone(&server.downloads),
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
    let request: ModelRequest = match parsed(request).await {
        Ok(request) => request,
        Err(response) => return response,
    };
    let asked = request.model();
    if asked.is_empty() {
        return fail(StatusCode::BAD_REQUEST, "model is required");
    }
    let Some(name) = Name::parse(asked) else {
        return fail(StatusCode::INTERNAL_SERVER_ERROR, &name::unqualified(asked));
    };
    match server.store.find(&name) {
        Some(stored) => json_response(StatusCode::OK, &api::show(&stored, server.store.dir())),
        None => not_found(asked),
    }
}

/// A model in memory stays there: the command `ollama rm` stops it first.
async fn delete(server: &Server, request: Request) -> Response {
    let request: ModelRequest = match parsed(request).await {
        Ok(request) => request,
        Err(response) => return response,
    };
    let asked = request.model();
    let Some(name) = Name::parse(asked) else {
        return fail(StatusCode::BAD_REQUEST, &format!("name {asked:?} is invalid"));
    };
    match server.store.remove(&name) {
        Ok(true) => empty(StatusCode::OK),
        Ok(false) => not_found(asked),
        Err(error) => fail(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

async fn copy(server: &Server, request: Request) -> Response {
    let request: CopyRequest = match parsed(request).await {
        Ok(request) => request,
        Err(response) => return response,
    };
    let invalid =
        |what: &str, word: &str| fail(StatusCode::BAD_REQUEST, &format!("{what} {word:?} is invalid"));
    let Some(from) = Name::parse(&request.source) else {
        return invalid("source", &request.source);
    };
    let Some(to) = Name::parse(&request.destination) else {
        return invalid("destination", &request.destination);
    };
    match server.store.copy(&from, &to) {
        Ok(true) => empty(StatusCode::OK),
        Ok(false) => fail(
            StatusCode::NOT_FOUND,
            &format!("model {:?} not found", request.source),
        ),
        Err(error) => fail(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}
