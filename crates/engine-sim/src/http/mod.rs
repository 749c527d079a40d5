//! HTTP/1.1 as all engines use it: requests in, responses out.
//! It must not know any engine's paths; every engine dispatches by method and path itself, which keeps an idle one small.

pub(crate) mod client;
pub(crate) mod openai;
pub(crate) mod server;
pub(crate) mod stream;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A body that ends before its end, and the connection with it.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("cut as ordered")]
pub(crate) struct Cut;

pub(crate) type Body = UnsyncBoxBody<Bytes, Cut>;
pub(crate) type Request = http::Request<Incoming>;
pub(crate) type Response = http::Response<Body>;

/// Largest request body taken, in bytes.
const MAX_BODY: usize = 8 << 20;

fn whole(body: impl Into<Bytes>) -> Body {
    Full::new(body.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// Keeps `guard` until the response has been sent or its client has gone.
pub(crate) fn holding<G: Send + 'static>(response: Response, guard: G) -> Response {
    response.map(|body| {
        let held = body.map_frame(move |frame| {
            let _ = &guard;
            frame
        });
        held.boxed_unsync()
    })
}

pub(crate) fn with_body(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(whole(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

pub(crate) fn json(status: StatusCode, value: &Value) -> Response {
    with_body(status, "application/json", value.to_string())
}

pub(crate) fn text(status: StatusCode, body: impl Into<Bytes>) -> Response {
    with_body(status, "text/plain; charset=utf-8", body)
}

pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(whole(Bytes::new()));
    *response.status_mut() = status;
    response
}

/// Reads a JSON body; the error is what the parser says.
pub(crate) async fn read_json<T: DeserializeOwned>(request: Request) -> Result<T, String> {
    let body = read(request).await?;
    serde_json::from_slice(&body).map_err(|e| e.to_string())
}

/// Reads a body.
pub(crate) async fn read(request: Request) -> Result<Bytes, String> {
    let body = Limited::new(request.into_body(), MAX_BODY).collect().await;
    Ok(body.map_err(|e| e.to_string())?.to_bytes())
}

/// The token of an `Authorization: Bearer` header.
pub(crate) fn bearer(request: &Request) -> Option<&str> {
    request
        .headers()
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Bearer ")
}
