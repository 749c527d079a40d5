//! Triton's HTTP server (the inference protocol, version 2): requests in, health, models and inferences out.

use std::sync::Arc;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::infer;
use super::metrics::Counts;
use super::registry::{Registry, Version};
use crate::fault::{FaultHandle, Health};
use crate::http::{Request, Response, empty, json as json_response, read_json, text};
use crate::process::GpuSpec;

/// What the endpoints share.
pub(crate) struct State {
    pub(crate) registry: Arc<Registry>,
    pub(crate) faults: FaultHandle,
    pub(crate) id: String,
    /// Readiness needs every model.
    pub(crate) strict: bool,
    /// Requests may load and unload models.
    pub(crate) explicit: bool,
    pub(crate) counts: Counts,
    pub(crate) gpus: Vec<GpuSpec>,
}

/// Answers on the HTTP port.
pub(crate) async fn handle(state: Arc<State>, request: Request) -> Response {
    if state.faults.current_health() == Health::Hanging {
        return std::future::pending().await;
    }
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match parts.as_slice() {
        ["v2"] => get(&request, || server(&state)),
        ["v2", "health", kind @ ("live" | "ready")] => get(&request, || health(&state, kind)),
        ["v2", "models", name, "versions", version, rest @ ..] => match version.parse() {
            Ok(version) => model(&state, request, name, Some(version), rest).await,
            Err(_) => not_found(),
        },
        ["v2", "models", name, rest @ ..] => model(&state, request, name, None, rest).await,
        ["v2", "repository", "index"] => post(&request, || index(&state)),
        ["v2", "repository", "models", name, action @ ("load" | "unload")] => {
            if request.method() == Method::POST {
                control(&state, name, action).await
            } else {
                method_not_allowed()
            }
        }
        _ => not_found(),
    }
}

/// Answers on the metrics port.
pub(crate) async fn metrics(state: Arc<State>, request: Request) -> Response {
    if state.faults.current_health() == Health::Hanging {
        return std::future::pending().await;
    }
    match request.uri().path() {
        "/metrics" | "/metrics/" => get(&request, || {
            text(
                StatusCode::OK,
                state.counts.render(&state.registry.list(), &state.gpus),
            )
        }),
        _ => empty(StatusCode::BAD_REQUEST),
    }
}

fn get(request: &Request, answer: impl FnOnce() -> Response) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        answer()
    } else {
        method_not_allowed()
    }
}

fn post(request: &Request, answer: impl FnOnce() -> Response) -> Response {
    if request.method() == Method::POST {
        answer()
    } else {
        method_not_allowed()
    }
}

fn method_not_allowed() -> Response {
    error(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
}

fn not_found() -> Response {
    error(StatusCode::NOT_FOUND, "Not Found")
}

fn error(status: StatusCode, message: &str) -> Response {
    json_response(status, &json!({"error": message}))
}

fn server(state: &State) -> Response {
    let extensions = [
        "classification",
        "sequence",
        "model_repository",
        "model_repository(unload_dependents)",
        "schedule_policy",
        "model_configuration",
        "system_shared_memory",
        "cuda_shared_memory",
        "binary_tensor_data",
        "parameters",
        "statistics",
        "trace",
        "logging",
    ];
    let about = json!({"name": state.id, "version": super::VERSION, "extensions": extensions});
    json_response(StatusCode::OK, &about)
}

fn health(state: &State, kind: &str) -> Response {
    let failing = state.faults.current_health() == Health::Failing;
    let ready = kind == "live" || !state.strict || state.registry.is_whole();
    empty(if ready && !failing {
        StatusCode::OK
    } else {
        StatusCode::BAD_REQUEST
    })
}

fn index(state: &State) -> Response {
    let row = |version: Version| match version.failed {
        None => {
            json!({"name": version.candidate.name, "version": version.number.to_string(), "state": "READY"})
        }
        Some(reason) => json!({"name": version.candidate.name, "version": version.number.to_string(),
            "state": "UNAVAILABLE", "reason": reason}),
    };
    let rows: Vec<Value> = state.registry.list().into_iter().map(row).collect();
    json_response(StatusCode::OK, &Value::Array(rows))
}

async fn control(state: &State, name: &str, action: &str) -> Response {
    if !state.explicit {
        let message = "explicit model load / unload is not allowed if polling is enabled";
        return error(StatusCode::SERVICE_UNAVAILABLE, message);
    }
    if action == "unload" {
        state.registry.unload(name);
        return empty(StatusCode::OK);
    }
    match state.registry.reload(name).await {
        Ok(()) => empty(StatusCode::OK),
        Err(message) => error(StatusCode::BAD_REQUEST, &message),
    }
}

async fn model(state: &State, request: Request, name: &str, version: Option<u64>, rest: &[&str]) -> Response {
    let known = ["infer", "generate", "generate_stream", "ready", "config", "stats"];
    if !matches!(rest, [] | [_]) || rest.first().is_some_and(|action| !known.contains(action)) {
        return not_found();
    }
    let action = rest.first().copied().unwrap_or_default();
    let writes = matches!(action, "infer" | "generate" | "generate_stream");
    if writes != (request.method() == Method::POST) {
        return method_not_allowed();
    }
    let found = match state.registry.find(name, version) {
        Ok(found) => found,
        Err(message) => return error(StatusCode::BAD_REQUEST, &message),
    };
    match action {
        "ready" => empty(StatusCode::OK),
        "config" => json_response(StatusCode::OK, &config(&found)),
        "stats" => json_response(StatusCode::OK, &state.counts.stats(&found)),
        "" => json_response(StatusCode::OK, &metadata(&found)),
        action => {
            let body = match read_json::<Value>(request).await {
                Ok(body) => body,
                Err(why) => {
                    return error(
                        StatusCode::BAD_REQUEST,
                        &format!("failed to parse the request JSON buffer: {why}"),
                    );
                }
            };
            let counted = state.counts.begin(name, found.number);
            let answer = match action {
                "infer" => infer::infer(&found, &body).await,
                "generate" => infer::generate(&found, &body).await,
                _ => infer::generate_stream(&found, &body),
            };
            match answer {
                Ok(response) => {
                    counted.succeeded();
                    response
                }
                Err(message) => error(StatusCode::BAD_REQUEST, &message),
            }
        }
    }
}

fn platform(version: &Version) -> &str {
    match version.candidate.platform.as_str() {
        "" => &version.candidate.backend,
        platform => platform,
    }
}

fn metadata(version: &Version) -> Value {
    let candidate = &version.candidate;
    let tensors = |tensors: &[super::repository::Tensor]| -> Vec<Value> {
        let batch = (candidate.max_batch_size > 0).then_some(-1_i64);
        tensors
            .iter()
            .map(|tensor| {
                let shape: Vec<i64> = batch.iter().chain(&tensor.shape).copied().collect();
                json!({"name": tensor.name, "datatype": tensor.datatype, "shape": shape})
            })
            .collect()
    };
    json!({"name": candidate.name, "versions": [version.number.to_string()], "platform": platform(version),
        "inputs": tensors(&candidate.inputs), "outputs": tensors(&candidate.outputs)})
}

fn config(version: &Version) -> Value {
    let candidate = &version.candidate;
    let tensors = |tensors: &[super::repository::Tensor]| -> Vec<Value> {
        tensors
            .iter()
            .map(|tensor| json!({"name": tensor.name, "data_type": format!("TYPE_{}", tensor.datatype), "dims": tensor.shape}))
            .collect()
    };
    json!({"name": candidate.name, "platform": candidate.platform, "backend": candidate.backend,
        "max_batch_size": candidate.max_batch_size, "default_model_filename": candidate.file,
        "input": tensors(&candidate.inputs), "output": tensors(&candidate.outputs)})
}
