//! One request through the proxy.
//!
//! In: a client's request. Out: the API server's answer, or the fault that a rule ordered. Bodies of answers are
//! streamed; those of requests are small and read whole.

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER, TRANSFER_ENCODING,
};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use kube::client::Body as ClientBody;
use serde_json::{Value, json};

use super::halt::{Turn, is_change};
use super::rules::{Fault, Seen};
use super::watches::{AnswerBody, broken, cuttable, full};
use super::{State, Upstream};

/// Answers a request as the rules say.
pub(super) async fn answer(state: &State, request: Request<Incoming>) -> Response<AnswerBody> {
    let (method, path, query) = (request.method(), request.uri().path(), request.uri().query());
    let watch = is_watch(query);
    let change = is_change(method.as_str(), path, query).then(|| path.to_owned());
    if change.is_some() {
        state.halt.pass().await;
    }
    let (delay, fault) = {
        let path = request.uri().path();
        let seen = Seen {
            method: request.method().as_str(),
            path,
            watch,
        };
        *state.counts.lock().entry(seen.verb().to_owned()).or_default() += 1;
        state.rules.lock().meet(&seen)
    };
    tokio::time::sleep(delay).await;
    match fault {
        Some(Fault::Status { status, retry_after }) => {
            let mut response = failure(status, "ordered by the fault proxy");
            if let Some(time) = retry_after {
                response
                    .headers_mut()
                    .insert(RETRY_AFTER, HeaderValue::from(time.as_secs()));
            }
            response
        }
        Some(Fault::ExpiredWatch) => expired_watch(),
        Some(Fault::LostAnswer) => {
            let answer = forward(&state.upstream, request).await;
            // Its end says that the API server is done with the request.
            let _ = answer.into_body().collect().await;
            Response::new(broken())
        }
        Some(Fault::Delay(_)) | None => {
            let answer = forward(&state.upstream, request).await;
            if let Some(path) = change.filter(|_| answer.status().is_success())
                && state.halt.succeeded(&path) == Turn::Keep
            {
                return std::future::pending().await;
            }
            if watch {
                answer.map(|body| cuttable(body, &state.cuts))
            } else {
                answer
            }
        }
    }
}

async fn forward(upstream: &Upstream, request: Request<Incoming>) -> Response<AnswerBody> {
    let (mut parts, body) = request.into_parts();
    let body: Bytes = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return failure(400, &format!("the request broke off: {error}")),
    };
    // These belong to the client's connection, not to the one to the API server.
    for header in [HOST, CONNECTION, TRANSFER_ENCODING, CONTENT_LENGTH] {
        parts.headers.remove(header);
    }
    match upstream
        .0
        .send(Request::from_parts(parts, ClientBody::from(body.to_vec())))
        .await
    {
        Ok(response) => {
            let (mut parts, body) = response.into_parts();
            parts.version = http::Version::HTTP_11;
            parts.headers.remove(CONNECTION);
            parts.headers.remove(TRANSFER_ENCODING);
            Response::from_parts(parts, body.map_err(Into::into).boxed_unsync())
        }
        Err(error) => failure(502, &format!("the API server cannot be reached: {error}")),
    }
}

fn is_watch(query: Option<&str>) -> bool {
    query
        .unwrap_or_default()
        .split('&')
        .any(|pair| matches!(pair, "watch=true" | "watch=1" | "watch"))
}

/// A failure in the API server's own form.
fn failure(status: u16, message: &str) -> Response<AnswerBody> {
    let reason = match status {
        409 => "Conflict",
        410 => "Expired",
        429 => "TooManyRequests",
        500 => "InternalError",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "",
    };
    let body = status_object(status, reason, message);
    let mut response = json_response(&body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

fn expired_watch() -> Response<AnswerBody> {
    let object = status_object(410, "Expired", "too old resource version: 1 (2)");
    json_response(&json!({ "type": "ERROR", "object": object }))
}

fn status_object(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    })
}

fn json_response(body: &Value) -> Response<AnswerBody> {
    let mut response = Response::new(full(format!("{body}\n")));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
