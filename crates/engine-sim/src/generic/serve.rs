//! The generic server's HTTP: requests in, health, metrics and completions out, until stopped.
//! It must not decide about loading or ending; its module does.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::GenericOptions;
use crate::fault::{FaultHandle, Health};
use crate::http::openai::{self, CompletionRequest, Kind};
use crate::http::{Request, Response, json, read_json, server, text};
use crate::latency::Profile;
use crate::models::Model;
use crate::process::{Context, Exit};
use crate::prometheus::Exposition;
use crate::scheduler::{Limits, Scheduler};

struct State {
    model: String,
    scheduler: Arc<Scheduler>,
    failing: Vec<String>,
    site: Option<String>,
    faults: FaultHandle,
    context: u64,
}

pub(super) async fn serve(context: &Context, options: &GenericOptions) -> Result<Exit, Exit> {
    let port = port(context, options)?;
    let host = flag(&context.spec.argv, "--host").unwrap_or_default();
    let listener = server::listen(&context.spec, &host, port)
        .await
        .map_err(|error| super::fail(context, format!("cannot listen on port {port}: {error}")))?;
    let model = model_name(context, options);
    let shape = Model::by_name(&model);
    let state = Arc::new(State {
        scheduler: Scheduler::new(
            Profile::of(&shape, &context.spec.gpus),
            Limits {
                sequences: 64,
                kv_tokens: 1 << 18,
            },
            context.spec.speed,
        ),
        model,
        failing: options.failing_paths.clone(),
        site: options.site.as_ref().map(|site| site.answer.clone()),
        faults: context.faults.clone(),
        context: shape.context,
    });
    context.log.out(format!("listening on port {port}"));
    // A program without a handler for SIGTERM that runs as the container's first process never sees it.
    let stop = if options.ignores_stop {
        CancellationToken::new()
    } else {
        context.stop.clone()
    };
    let drain = Duration::try_from_secs_f64(options.drain_seconds).unwrap_or_default();
    server::serve(
        listener,
        move |request| handle(Arc::clone(&state), request),
        stop,
        drain,
    )
    .await;
    context.log.out("stopped");
    Ok(Exit::success())
}

fn port(context: &Context, options: &GenericOptions) -> Result<u16, Exit> {
    let default = if options.port == 0 { 8080 } else { options.port };
    let argv = &context.spec.argv;
    let given = flag(argv, "--port")
        .or_else(|| flag(argv, "-p"))
        .or_else(|| context.env("PORT").map(str::to_owned));
    match given {
        None => Ok(default),
        Some(word) => word
            .parse()
            .map_err(|_| super::fail(context, format!("invalid port: '{word}'"))),
    }
}

/// `--name value` or `--name=value`, the last one given.
fn flag(argv: &[String], name: &str) -> Option<String> {
    let joined = argv
        .iter()
        .filter_map(|word| word.strip_prefix(name)?.strip_prefix('='))
        .map(str::to_owned);
    let apart = argv
        .windows(2)
        .filter(|pair| pair[0] == name)
        .map(|pair| pair[1].clone());
    joined.chain(apart).last()
}

fn model_name(context: &Context, options: &GenericOptions) -> String {
    let own = Some(options.model.as_str()).filter(|name| !name.is_empty());
    let name = own
        .or_else(|| context.env("MODEL_NAME"))
        .or_else(|| context.env("MODEL"));
    name.unwrap_or("generic").to_owned()
}

async fn handle(state: Arc<State>, request: Request) -> Response {
    match state.faults.current_health() {
        Health::Normal => {}
        Health::Failing => return text(StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
        Health::Hanging => return std::future::pending().await,
    }
    let path = request.uri().path().to_owned();
    if state.failing.contains(&path) {
        return text(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
    }
    match (request.method(), path.as_str()) {
        (&Method::GET | &Method::HEAD, "/" | "/health" | "/healthz" | "/readyz" | "/livez") => {
            text(StatusCode::OK, "ok")
        }
        (&Method::GET, "/metrics") => text(StatusCode::OK, metrics(&state)),
        (&Method::GET, "/v1/models") => {
            let card = json!({"id": state.model, "object": "model", "created": 0, "owned_by": "generic"});
            json(StatusCode::OK, &openai::model_list(&[card]))
        }
        (&Method::POST, "/v1/chat/completions") => complete(&state, Kind::Chat, request).await,
        (&Method::POST, "/v1/completions") => complete(&state, Kind::Text, request).await,
        _ => match &state.site {
            Some(page) => text(StatusCode::OK, page.clone()),
            None => text(StatusCode::NOT_FOUND, "404 page not found"),
        },
    }
}

async fn complete(state: &State, kind: Kind, request: Request) -> Response {
    let refuse = |message: &str| json(StatusCode::BAD_REQUEST, &json!({"error": {"message": message}}));
    let request: CompletionRequest = match read_json(request).await {
        Ok(request) => request,
        Err(error) => return refuse(&error),
    };
    if let Some(missing) = request.invalid(kind) {
        return refuse(missing);
    }
    let model = request.model.clone().unwrap_or_else(|| state.model.clone());
    openai::complete(Arc::clone(&state.scheduler), kind, request, model, state.context).await
}

fn metrics(state: &State) -> String {
    let mut out = Exposition::new("");
    let load = state.scheduler.load();
    let counted = state.scheduler.stats.lock();
    #[allow(clippy::cast_precision_loss)]
    out.gauge(
        "requests_running",
        "Requests being answered.",
        load.running as f64,
    );
    #[allow(clippy::cast_precision_loss)]
    out.gauge("requests_waiting", "Requests waiting.", load.waiting as f64);
    out.counter(
        "generated_tokens_total",
        "Tokens generated.",
        counted.generation_tokens,
    );
    out.finish()
}
