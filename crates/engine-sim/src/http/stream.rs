//! Streamed bodies: pieces of text in, a chunked response out (server-sent events, or JSON lines).
//! It must not buffer: what is yielded is sent.

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;

use super::{Cut, Response};

/// One server-sent event.
pub(crate) fn event(data: &str) -> Bytes {
    Bytes::from(format!("data: {data}\n\n"))
}

/// A response whose body is the stream, sent piece by piece.
pub(crate) fn streamed(
    content_type: &'static str,
    pieces: impl Stream<Item = Bytes> + Send + 'static,
) -> Response {
    streamed_or_cut(content_type, pieces.map(Ok))
}

/// As [`streamed`]; an error of the stream cuts the connection.
pub(crate) fn streamed_or_cut(
    content_type: &'static str,
    pieces: impl Stream<Item = Result<Bytes, Cut>> + Send + 'static,
) -> Response {
    let frames = pieces.map(|piece| piece.map(Frame::data));
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    *response.status_mut() = StatusCode::OK;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
