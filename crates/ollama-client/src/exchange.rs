//! One question over HTTP/1.1: an address and a request in, a status and a body that comes piece by piece out.
//! The connection is driven by whoever waits for it and ends when dropped: no task is left behind.
//! It must not know Ollama's paths, or wait without its caller's limit.

use std::error::Error as _;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::error::{Cause, Part};
use crate::text::shown;

/// The most bytes of a head, and of what is read ahead of a body.
const BUFFER: usize = 64 << 10;
/// The most bytes of a refusal that are read for the server's words.
const REFUSAL: usize = 64 << 10;

/// A question: what to call, with what.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    method: Method,
    path: &'static str,
    body: Option<Value>,
}

impl Question {
    pub(crate) fn get(path: &'static str) -> Self {
        Self {
            method: Method::GET,
            path,
            body: None,
        }
    }

    pub(crate) fn post(path: &'static str, body: Value) -> Self {
        Self {
            method: Method::POST,
            path,
            body: Some(body),
        }
    }

    pub(crate) fn delete(path: &'static str, body: Value) -> Self {
        Self {
            method: Method::DELETE,
            path,
            body: Some(body),
        }
    }

    fn request(self, address: SocketAddr) -> Result<Request<Full<Bytes>>, http::Error> {
        let body = self.body.map(|body| body.to_string()).unwrap_or_default();
        Request::builder()
            .method(self.method)
            .uri(self.path)
            .header(HOST, address.to_string())
            .header(CONNECTION, HeaderValue::from_static("close"))
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(Full::new(Bytes::from(body)))
    }
}

/// A connection over which nothing was sent yet.
pub(crate) struct Connected {
    address: SocketAddr,
    sender: http1::SendRequest<Full<Bytes>>,
    driver: Driver,
}

/// Connects within `limit`.
pub(crate) async fn connect(address: SocketAddr, limit: Duration) -> Result<Connected, Cause> {
    let unreachable = |reason: String| Cause::Unreachable { reason };
    let socket = match tokio::time::timeout(limit, TcpStream::connect(address)).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(error)) => return Err(unreachable(error.to_string())),
        Err(_) => return Err(unreachable(format!("not connected within {limit:?}"))),
    };
    // Only delays small requests when it fails.
    let _ = socket.set_nodelay(true);
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(BUFFER)
        .handshake(TokioIo::new(socket))
        .await
        .map_err(|error| unreachable(chain(&error)))?;
    Ok(Connected {
        address,
        sender,
        driver: Driver(Some(connection)),
    })
}

impl Connected {
    /// Sends the question and waits for the head of the answer.
    pub(crate) async fn send(mut self, question: Question) -> Result<Exchange, Cause> {
        let request = question
            .request(self.address)
            .map_err(|error| Cause::Unreachable {
                reason: error.to_string(),
            })?;
        let sent = self.sender.try_send_request(request);
        match self.driver.until(sent).await {
            Ok(response) => Ok(Exchange {
                status: response.status(),
                body: response.into_body(),
                driver: self.driver,
            }),
            // The request came back: not a byte of it was written.
            Err(error) if error.message().is_some() => Err(Cause::Unreachable {
                reason: chain(error.error()),
            }),
            Err(error) => Err(cause(error.error())),
        }
    }
}

/// An answer that comes in.
pub(crate) struct Exchange {
    pub(crate) status: StatusCode,
    body: Incoming,
    driver: Driver,
}

impl Exchange {
    /// The next piece of the body; `None` at its end.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>, Cause> {
        loop {
            return match self.driver.until(self.body.frame()).await {
                None => Ok(None),
                Some(Err(error)) => Err(cause(&error)),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(piece) => Ok(Some(piece)),
                    Err(_trailers) => continue,
                },
            };
        }
    }

    /// The whole body.
    pub(crate) async fn whole(mut self, limit: usize) -> Result<Bytes, Cause> {
        let mut whole = BytesMut::new();
        while let Some(piece) = self.piece().await? {
            if whole.len() + piece.len() > limit {
                return Err(Cause::TooLarge {
                    part: Part::Body,
                    limit,
                });
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// The exchange when the server is willing, else its words: the `error` of its JSON, or the text as it is.
    pub(crate) async fn accepted(mut self) -> Result<Self, Cause> {
        if self.status.is_success() {
            return Ok(self);
        }
        let mut body = BytesMut::new();
        // The status says no, whatever becomes of the words.
        while let Ok(Some(piece)) = self.piece().await {
            let room = REFUSAL - body.len();
            body.extend_from_slice(piece.get(..room).unwrap_or(&piece));
            if body.len() == REFUSAL {
                break;
            }
        }
        let json = serde_json::from_slice::<Value>(&body).ok();
        let message = match json.as_ref().and_then(|json| json.get("error")) {
            Some(error) => words(error),
            None => shown(&String::from_utf8_lossy(&body)),
        };
        Err(Cause::Refused {
            status: self.status.as_u16(),
            message: if message.is_empty() {
                "no reason given".to_owned()
            } else {
                message
            },
        })
    }
}

/// A server's `error`: a sentence, or an object around one.
pub(crate) fn words(error: &Value) -> String {
    let sentence = error.as_str().or_else(|| error.get("message")?.as_str());
    shown(&sentence.map_or_else(|| error.to_string(), str::to_owned))
}

/// The connection's own work, done while somebody waits; empty once the connection has ended.
struct Driver(Option<http1::Connection<TokioIo<TcpStream>, Full<Bytes>>>);

impl Driver {
    async fn until<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            if let Some(connection) = &mut self.0
                && let Poll::Ready(_ended) = Pin::new(connection).poll(context)
            {
                // How it ended is told to who waits for the answer.
                self.0 = None;
            }
            work.as_mut().poll(context)
        })
        .await
    }
}

/// What an error after the request went out means.
fn cause(error: &hyper::Error) -> Cause {
    let reason = chain(error);
    if error.is_parse_too_large() {
        Cause::TooLarge {
            part: Part::Head,
            limit: BUFFER,
        }
    } else if error.is_parse() || has_invalid_data(error) {
        Cause::Malformed { reason }
    } else {
        Cause::Broken { reason }
    }
}

/// A chunked body that breaks its own rules is told by the kind of an I/O error.
fn has_invalid_data(error: &hyper::Error) -> bool {
    let wrong = |kind| matches!(kind, io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData);
    error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>())
        .is_some_and(|error| wrong(error.kind()))
}

/// An error with its sources.
fn chain(error: &dyn std::error::Error) -> String {
    let (mut all, mut next) = (error.to_string(), error.source());
    while let Some(source) = next {
        all = format!("{all}: {source}");
        next = source.source();
    }
    shown(&all)
}
