//! vLLM's HTTP server: a loaded model in, the OpenAI interface, health and metrics out, until SIGTERM.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpSocket;

use super::config::Config;
use super::journal::Journal;
use super::memory::Fit;
use super::metrics;
use super::source::Source;
use crate::fault::{FaultHandle, Health};
use crate::http::openai::{self, CompletionRequest, Kind};
use crate::http::{Request, Response, bearer, empty, json, read_json, server, text};
use crate::latency::Profile;
use crate::process::{Context, Exit};
use crate::scheduler::{Limits, Scheduler};

struct State {
    config: Config,
    fit: Fit,
    scheduler: Arc<Scheduler>,
    faults: FaultHandle,
    journal: Journal,
    adapters: Mutex<Vec<(String, String)>>,
    runtime_adapters: bool,
    started: u64,
}

/// Takes the port at once, as the real one does before it loads; nobody is answered before [`serve`].
pub(super) fn bind(context: &Context, config: &Config) -> Result<TcpSocket, String> {
    let host = if config.host.is_empty() {
        "0.0.0.0"
    } else {
        &config.host
    };
    let taken = |error: &io::Error| match error.raw_os_error() {
        Some(code) => format!(
            "OSError: [Errno {code}] {}",
            error.to_string().split(" (os error").next().unwrap_or("")
        ),
        None => format!("socket.gaierror: [Errno -2] {error}"),
    };
    let address = server::pod_address(&context.spec, host).map_err(|error| taken(&error))?;
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    };
    let socket = socket.map_err(|error| taken(&error))?;
    socket.set_reuseaddr(true).map_err(|error| taken(&error))?;
    socket
        .bind(SocketAddr::new(address, config.port))
        .map_err(|error| taken(&error))?;
    Ok(socket)
}

pub(super) async fn serve(
    context: &Context,
    config: Config,
    source: Source,
    fit: Fit,
    socket: TcpSocket,
    journal: Journal,
) -> Result<Exit, Exit> {
    let listener = socket
        .listen(1024)
        .map_err(|error| super::exception(&journal, &format!("OSError: {error}")))?;
    let gpus = usize::try_from(config.world_size())
        .unwrap_or(1)
        .min(context.spec.gpus.len());
    let limits = Limits {
        sequences: fit.max_num_seqs,
        kv_tokens: fit.tokens,
    };
    let profile = Profile::of(&source.shape, &context.spec.gpus[..gpus]);
    let (stop, drain) = (context.stop.clone(), config.drain_seconds);
    let host = if config.host.is_empty() {
        "0.0.0.0"
    } else {
        &config.host
    };
    journal.server(
        "launcher.py:38",
        &format!("Starting vLLM API server 0 on http://{host}:{}", config.port),
    );
    journal.uvicorn("Application startup complete.");
    let state = Arc::new(State {
        adapters: Mutex::new(config.lora_modules.clone()),
        runtime_adapters: matches!(
            context.env("VLLM_ALLOW_RUNTIME_LORA_UPDATING"),
            Some("1" | "True" | "true")
        ),
        scheduler: Scheduler::new(profile, limits, context.spec.speed),
        faults: context.faults.clone(),
        journal: journal.clone(),
        started: openai::unix_seconds(),
        config,
        fit,
    });
    let handler = move |request| handle(Arc::clone(&state), request);
    server::serve(listener, handler, stop, Duration::from_secs(drain)).await;
    let mode = if drain == 0 { "abort" } else { "drain" };
    journal.server("launcher.py:256", "[shutdown] API server: shutdown triggered");
    let line = format!("[shutdown] API server: stopping engine client mode={mode} timeout={drain}s");
    journal.server("launcher.py:272", &line);
    journal.uvicorn("Application shutdown complete.");
    Ok(Exit::success())
}

async fn handle(state: Arc<State>, request: Request) -> Response {
    if state.faults.current_health() == Health::Hanging {
        return std::future::pending().await;
    }
    let whole = request.uri().path();
    // A proxy may or may not have taken the prefix away; both are served.
    let path = whole
        .strip_prefix(state.config.root_path.as_str())
        .unwrap_or(whole)
        .to_owned();
    let line = format!("\"{} {path} HTTP/1.1\"", request.method());
    let response = route(&state, request, &path).await;
    if state.config.access_log {
        state.journal.uvicorn(&format!("{line} {}", response.status()));
    }
    response
}

async fn route(state: &State, request: Request, path: &str) -> Response {
    if path.starts_with("/v1") && !authorized(state, &request) {
        return json(StatusCode::UNAUTHORIZED, &json!({"error": "Unauthorized"}));
    }
    match (request.method(), path) {
        (&Method::GET, "/health") | (&Method::GET | &Method::POST, "/ping") => health(state),
        (&Method::GET, "/version") => json(StatusCode::OK, &json!({"version": super::VERSION})),
        (&Method::GET, "/metrics") => text(
            StatusCode::OK,
            metrics::render(&state.scheduler, &state.config, &state.fit),
        ),
        (&Method::GET, "/load") => json(
            StatusCode::OK,
            &json!({"server_load": state.scheduler.load().running}),
        ),
        (&Method::GET, "/v1/models") => json(StatusCode::OK, &openai::model_list(&cards(state))),
        (&Method::POST, "/v1/chat/completions") => complete(state, Kind::Chat, request).await,
        (&Method::POST, "/v1/completions") => complete(state, Kind::Text, request).await,
        (&Method::POST, "/tokenize") => tokenize(state, request).await,
        (&Method::POST, "/v1/load_lora_adapter") if state.runtime_adapters => {
            adapter(state, request, true).await
        }
        (&Method::POST, "/v1/unload_lora_adapter") if state.runtime_adapters => {
            adapter(state, request, false).await
        }
        (
            _,
            "/health"
            | "/version"
            | "/metrics"
            | "/v1/models"
            | "/v1/chat/completions"
            | "/v1/completions"
            | "/tokenize",
        ) => json(
            StatusCode::METHOD_NOT_ALLOWED,
            &json!({"detail": "Method Not Allowed"}),
        ),
        _ => json(StatusCode::NOT_FOUND, &json!({"detail": "Not Found"})),
    }
}

fn authorized(state: &State, request: &Request) -> bool {
    let keys = &state.config.api_keys;
    keys.is_empty()
        || request.method() == Method::OPTIONS
        || bearer(request).is_some_and(|key| keys.iter().any(|k| k == key))
}

fn health(state: &State) -> Response {
    match state.faults.current_health() {
        Health::Failing => empty(StatusCode::SERVICE_UNAVAILABLE),
        _ => empty(StatusCode::OK),
    }
}

fn cards(state: &State) -> Vec<Value> {
    let card = |id: &str, root: &str, parent: Option<&str>| {
        json!({"id": id, "object": "model", "created": state.started, "owned_by": "vllm", "root": root,
            "parent": parent, "max_model_len": state.fit.max_model_len})
    };
    let base = state.config.served_names.first().map_or("", String::as_str);
    let models = state
        .config
        .served_names
        .iter()
        .map(|name| card(name, &state.config.model, None));
    let adapters = state.adapters.lock();
    models
        .chain(adapters.iter().map(|(name, path)| card(name, path, Some(base))))
        .collect()
}

fn error(status: StatusCode, kind: &str, message: &str, param: Option<&str>) -> Response {
    json(
        status,
        &json!({"error": {"message": message, "type": kind, "param": param, "code": status.as_u16()}}),
    )
}

async fn complete(state: &State, kind: Kind, request: Request) -> Response {
    let bad = |message: &str, param| error(StatusCode::BAD_REQUEST, "BadRequestError", message, param);
    let request: CompletionRequest = match read_json(request).await {
        Ok(request) => request,
        Err(message) => return bad(&message, None),
    };
    if let Some(message) = request.invalid(kind) {
        return bad(message, None);
    }
    let model = request.model.clone().filter(|name| !name.is_empty());
    let model = model.unwrap_or_else(|| state.config.served_names.first().cloned().unwrap_or_default());
    if !serves(state, &model) {
        let message = format!("The model `{model}` does not exist.");
        return error(StatusCode::NOT_FOUND, "NotFoundError", &message, Some("model"));
    }
    let (prompt, limit) = (request.prompt_tokens(kind), state.fit.max_model_len);
    if prompt >= limit {
        let message = format!(
            "This model's maximum context length is {limit} tokens. However, your prompt contains {prompt} input tokens, \
             which exceeds this limit even without any output tokens. Please reduce the length of the input prompt."
        );
        return bad(&message, Some("input_tokens"));
    }
    if let Some(asked) = request.max_tokens().filter(|asked| asked + prompt > limit) {
        let message = format!(
            "This model's maximum context length is {limit} tokens. However, you requested {asked} output tokens and your \
             prompt contains {prompt} input tokens, for a total of {} tokens. Please reduce the length of the input \
             prompt or the number of requested output tokens.",
            asked + prompt
        );
        return bad(&message, Some("max_tokens"));
    }
    openai::complete(Arc::clone(&state.scheduler), kind, request, model, limit - prompt).await
}

fn serves(state: &State, model: &str) -> bool {
    state.config.served_names.iter().any(|name| name == model)
        || state.adapters.lock().iter().any(|(name, _)| name == model)
}

async fn tokenize(state: &State, request: Request) -> Response {
    let body: Value = match read_json(request).await {
        Ok(body) => body,
        Err(message) => return error(StatusCode::BAD_REQUEST, "BadRequestError", &message, None),
    };
    let count = openai::count_tokens(body.get("prompt").and_then(Value::as_str).unwrap_or_default());
    let tokens: Vec<u64> = (0..count).collect();
    json(
        StatusCode::OK,
        &json!({"count": count, "max_model_len": state.fit.max_model_len, "tokens": tokens, "token_strs": null}),
    )
}

async fn adapter(state: &State, request: Request, load: bool) -> Response {
    let body: Value = read_json(request).await.unwrap_or_default();
    let member = |name: &str| {
        body.get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let name = member("lora_name");
    let mut adapters = state.adapters.lock();
    let known = adapters.iter().any(|(known, _)| *known == name);
    match (load, known, state.config.enable_lora) {
        (true, false, true) if !name.is_empty() => {
            adapters.push((name.clone(), member("lora_path")));
            text(
                StatusCode::OK,
                format!("Success: LoRA adapter '{name}' added successfully."),
            )
        }
        (false, true, _) => {
            adapters.retain(|(known, _)| *known != name);
            text(
                StatusCode::OK,
                format!("Success: LoRA adapter '{name}' removed successfully."),
            )
        }
        (false, false, _) => {
            let message = format!("The lora adapter '{name}' cannot be found.");
            error(StatusCode::NOT_FOUND, "NotFoundError", &message, None)
        }
        _ => {
            let message =
                format!("The lora adapter '{name}' has already been loaded or LoRA is not enabled.");
            error(StatusCode::BAD_REQUEST, "InvalidUserInput", &message, None)
        }
    }
}
