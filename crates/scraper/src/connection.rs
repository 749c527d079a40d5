//! One HTTP/1.1 connection that is used for one question after the other.
//!
//! In: an address, and a request at a time. Out: the whole body. The connection is driven by whoever waits for it and ends
//! when dropped: no task is left behind. It must not wait without its caller's limit, except to connect.

use std::{
    future::poll_fn,
    net::SocketAddr,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    body::Body as _,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::error::Cause;

/// The most bytes of a head, and of what is read ahead of a body.
const BUFFER: usize = 32 << 10;

/// An open connection.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    driver: Driver,
}

impl Connection {
    /// Connects within `limit`.
    pub(crate) async fn open(address: SocketAddr, limit: Duration) -> Result<Self, Cause> {
        let socket = match tokio::time::timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(socket)) => socket,
            Ok(Err(error)) => return Err(Cause::unreachable(&error)),
            Err(_) => {
                let reason = format!("not connected within {limit:?}");
                return Err(Cause::Unreachable { reason });
            }
        };
        // Only delays small requests when it fails.
        let _ = socket.set_nodelay(true);
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(socket))
            .await
            .map_err(|error| Cause::exchange(&error))?;
        let driver = Driver(Some(connection));
        Ok(Self { sender, driver })
    }

    /// Asks, and reads the answer's body into `body`, at most `limit` bytes. After an error the connection is of no use.
    pub(crate) async fn ask(
        &mut self,
        request: Request<Empty<Bytes>>,
        body: &mut Vec<u8>,
        limit: usize,
    ) -> Result<(), Cause> {
        body.clear();
        let Self { sender, driver } = self;
        driver
            .until(sender.ready())
            .await
            .map_err(|error| Cause::exchange(&error))?;
        let sent = sender.send_request(request);
        let response = driver
            .until(sent)
            .await
            .map_err(|error| Cause::exchange(&error))?;
        if response.status() != http::StatusCode::OK {
            let status = response.status().as_u16();
            return Err(Cause::Status { status });
        }
        let mut answer = response.into_body();
        let told = usize::try_from(answer.size_hint().lower()).unwrap_or(usize::MAX);
        if told > limit {
            return Err(Cause::TooLarge { limit });
        }
        body.reserve(told);
        while let Some(frame) = driver.until(answer.frame()).await {
            let frame = frame.map_err(|error| Cause::exchange(&error))?;
            let Some(piece) = frame.data_ref() else { continue };
            if body.len() + piece.len() > limit {
                return Err(Cause::TooLarge { limit });
            }
            body.extend_from_slice(piece);
        }
        Ok(())
    }

    /// Waits until the other side ends the connection.
    pub(crate) async fn ended(&mut self) {
        self.driver.ended().await;
    }
}

/// The connection's own work, done while somebody waits; empty once the connection has ended.
#[derive(Debug)]
struct Driver(Option<http1::Connection<TokioIo<TcpStream>, Empty<Bytes>>>);

impl Driver {
    async fn until<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            // How it ended is told to who waits for the answer.
            let _ = self.poll(context);
            work.as_mut().poll(context)
        })
        .await
    }

    async fn ended(&mut self) {
        poll_fn(|context| self.poll(context)).await;
    }

    fn poll(&mut self, context: &mut std::task::Context<'_>) -> Poll<()> {
        let Some(connection) = &mut self.0 else {
            return Poll::Ready(());
        };
        let ended = Pin::new(connection).poll(context).map(|_ended| ());
        if ended.is_ready() {
            self.0 = None;
        }
        ended
    }
}
