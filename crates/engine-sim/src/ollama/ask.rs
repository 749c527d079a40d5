//! Requests to a model: bodies in, answers of the loaded model or the real one's refusals out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::{Value, json};

use super::api::GenerateRequest;
use super::duration::{self, Lifetime};
use super::name::Name;
use super::placement::Options;
use super::runner::Refused;
use super::serve::{Server, fail, not_found, parsed};
use super::{generate, json as json_response};
use crate::fault::Broken;
use crate::http::openai::{self, CompletionRequest, Kind};
use crate::http::{Request, Response, holding, json as openai_json, read_json};
use crate::journal::Event;

/// `/api/generate`, or `/api/chat`.
pub(super) async fn generate_or_chat(server: &Server, request: Request, chat: bool) -> Response {
    let path = request.uri().path().to_owned();
    let request: GenerateRequest = match parsed(request).await {
        Ok(request) => request,
        Err(response) => return response,
    };
    let keep = match keep_alive(&request.keep_alive, server.settings.keep_alive) {
        Ok(keep) => keep,
        Err(error) => return fail(StatusCode::BAD_REQUEST, &error),
    };
    let prompt = request.question(chat).to_owned();
    let nothing_asked = if chat {
        request.messages.is_empty()
    } else {
        prompt.is_empty()
    };
    if !nothing_asked {
        note(server, &path, &request.model, &prompt);
    }
    if chat && request.model.is_empty() {
        return fail(StatusCode::BAD_REQUEST, "model is required");
    }
    let Some(stored) = Name::parse(&request.model).and_then(|name| server.store.find(&name)) else {
        return not_found(&request.model);
    };
    if nothing_asked && !request.keep_alive.is_null() && keep == Some(Duration::ZERO) {
        server.runners.unload(&stored);
        return json_response(StatusCode::OK, &generate::empty(chat, &request.model, "unload"));
    }
    let began = Instant::now();
    let options = Options::of(&request.options);
    let lease = match server.runners.get(&stored, options, keep).await {
        Ok(lease) => lease,
        Err(refused) => return fail(status_of(&refused), &refused.to_string()),
    };
    if nothing_asked {
        return json_response(StatusCode::OK, &generate::empty(chat, &request.model, "load"));
    }
    let cut = match server.context.faults.of_prompt(&prompt) {
        Some(Broken::Fails { status, message }) => return fail(ordered(status), &message),
        Some(Broken::Hangs) => return std::future::pending().await,
        Some(Broken::Cut) => true,
        None => false,
    };
    let answer = generate::answer(chat, request, &lease.model, began.elapsed(), cut).await;
    holding(answer, lease)
}

/// OpenAI's interface.
pub(super) async fn complete(server: &Server, kind: Kind, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let request: CompletionRequest = match read_json(request).await {
        Ok(request) => request,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, &error),
    };
    if let Some(message) = request.invalid(kind) {
        let real = if message.starts_with("messages") {
            "[] is too short - 'messages'"
        } else {
            message
        };
        return refuse(StatusCode::BAD_REQUEST, real);
    }
    let (asked, prompt) = (request.model.clone().unwrap_or_default(), request.question(kind));
    note(server, &path, &asked, &prompt);
    let Some(stored) = Name::parse(&asked).and_then(|name| server.store.find(&name)) else {
        return refuse(StatusCode::NOT_FOUND, &format!("model '{asked}' not found"));
    };
    let keep = server.settings.keep_alive;
    let lease = match server.runners.get(&stored, Options::default(), keep).await {
        Ok(lease) => lease,
        Err(refused) => return refuse(status_of(&refused), &refused.to_string()),
    };
    match server.context.faults.of_prompt(&prompt) {
        Some(Broken::Fails { status, message }) => return refuse(ordered(status), &message),
        Some(Broken::Hangs) => return std::future::pending().await,
        Some(Broken::Cut) | None => {}
    }
    let (scheduler, limit) = (Arc::clone(&lease.model.scheduler), lease.model.placed.context);
    let answer = openai::complete(scheduler, kind, request, asked, limit).await;
    holding(answer, lease)
}

/// OpenAI's form of an error; only a bad request has a type of its own.
pub(super) fn refuse(status: StatusCode, message: &str) -> Response {
    let word = if status == StatusCode::BAD_REQUEST {
        "invalid_request_error"
    } else {
        "api_error"
    };
    openai_json(
        status,
        &json!({"error": {"message": message, "type": word, "param": null, "code": null}}),
    )
}

fn note(server: &Server, path: &str, model: &str, prompt: &str) {
    server.context.note(Event::Prompt {
        path: path.to_owned(),
        model: model.to_owned(),
        prompt: prompt.to_owned(),
    });
}

fn status_of(refused: &Refused) -> StatusCode {
    match refused {
        Refused::Busy => StatusCode::SERVICE_UNAVAILABLE,
        Refused::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn ordered(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// `keep_alive` of a request: seconds, or Go's words; below zero means for ever. Other kinds of JSON are refused.
fn keep_alive(given: &Value, default: Lifetime) -> Result<Lifetime, String> {
    match given {
        Value::Null => Ok(default),
        Value::Number(seconds) => {
            let seconds = seconds.as_f64().unwrap_or(-1.0);
            // What is too long for a clock is for ever, too.
            Ok(Duration::try_from_secs_f64(seconds).ok())
        }
        Value::String(word) => {
            let (negative, length) = duration::parse(word)?;
            Ok((!negative).then_some(length))
        }
        other => {
            let kind = match other {
                Value::Bool(_) => "bool",
                Value::Array(_) => "[]interface {}",
                _ => "map[string]interface {}",
            };
            Err(format!("Unsupported type: '{kind}'"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keep_alive_is_read_as_the_real_one_reads_it() {
        let default = Some(Duration::from_mins(5));
        let cases = [
            (json!(null), Ok(default)),
            (json!(-1), Ok(None)),
            (json!(0), Ok(Some(Duration::ZERO))),
            (json!(1.5), Ok(Some(Duration::from_millis(1500)))),
            (json!("5m"), Ok(default)),
            (json!("-1m"), Ok(None)),
            (json!("5"), Err("time: missing unit in duration \"5\"")),
            (json!(true), Err("Unsupported type: 'bool'")),
        ];
        for (given, expected) in cases {
            assert_eq!(
                keep_alive(&given, default),
                expected.map_err(str::to_owned),
                "{given}"
            );
        }
    }
}
