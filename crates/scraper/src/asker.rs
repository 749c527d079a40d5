//! What all questions share: limits, the clock, buffers and the reader of metrics.
//!
//! In: a target and the connection that was kept. Out: a reading, and a connection to keep. It must not remember anything about a
//! target.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use engine_metrics::{Engine, Reader, Reading};
use http::{HeaderValue, Request, Uri, header::HOST, uri::PathAndQuery};
use http_body_util::Empty;
use parking_lot::Mutex;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

use crate::{Cause, Options, Target, buffers::Buffers, connection::Connection};

/// A connection kept between two questions.
#[derive(Debug)]
pub(crate) struct Kept {
    connection: Connection,
    /// Its place among those that may be kept; none while only one question was asked.
    place: Option<OwnedSemaphorePermit>,
}

impl Kept {
    /// Waits until the other side ends the connection.
    pub(crate) async fn ended(&mut self) {
        self.connection.ended().await;
    }
}

/// A question as it is sent each time.
#[derive(Debug)]
pub(crate) struct Question {
    target: Target,
    uri: Uri,
    host: HeaderValue,
}

impl Question {
    pub(crate) fn new(target: Target) -> Result<Self, Cause> {
        let path = Some(&*target.path)
            .filter(|path| path.starts_with('/'))
            .and_then(|path| PathAndQuery::try_from(path).ok());
        let host = HeaderValue::try_from(target.address.to_string());
        match (path, host) {
            (Some(path), Ok(host)) => Ok(Self {
                target,
                uri: Uri::from(path),
                host,
            }),
            _ => Err(Cause::Path {
                path: target.path.chars().take(100).collect(),
            }),
        }
    }

    fn request(&self) -> Request<Empty<Bytes>> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.uri.clone();
        request.headers_mut().insert(HOST, self.host.clone());
        request
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Asker {
    pub(crate) options: Options,
    start: Instant,
    concurrency: Semaphore,
    places: Arc<Semaphore>,
    buffers: Buffers,
    reader: Mutex<Reader>,
}

impl Asker {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            options,
            start: Instant::now(),
            concurrency: Semaphore::new(options.concurrency.max(1)),
            places: Arc::new(Semaphore::new(options.connections)),
            buffers: Buffers::default(),
            reader: Mutex::default(),
        }
    }

    /// Time since the scraper's start.
    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// The moment that was or will be this long after the start.
    pub(crate) fn moment(&self, at: Duration) -> Instant {
        self.start + at
    }

    /// Asks once. Waits for its turn, which does not count as the target's time.
    pub(crate) async fn ask(
        &self,
        question: &Question,
        engine: Option<Engine>,
        kept: &mut Option<Kept>,
    ) -> Result<Reading, Cause> {
        let _turn = self.concurrency.acquire().await;
        let mut body = self.buffers.take();
        let whole = self.options.whole;
        let last = kept.take();
        let asked = timeout(whole, self.fetch(question, last, &mut body)).await;
        let reading = match asked {
            Ok(Ok(used)) => {
                *kept = self.keep(used);
                let at = self.now();
                let read = self.reader.lock().read(&body, engine, at);
                read.map_err(Cause::from)
            }
            Ok(Err(cause)) => Err(cause),
            Err(_) => Err(Cause::TooLate { after: whole }),
        };
        self.buffers.give(body);
        reading
    }

    async fn fetch(
        &self,
        question: &Question,
        last: Option<Kept>,
        body: &mut Vec<u8>,
    ) -> Result<Kept, Cause> {
        let limit = self.options.bytes;
        if let Some(mut last) = last {
            match last.connection.ask(question.request(), body, limit).await {
                Ok(()) => return Ok(last),
                // Servers end connections that they find idle: the question is asked again on a new one.
                Err(Cause::Broken { .. }) => {}
                Err(cause) => return Err(cause),
            }
        }
        let mut connection = Connection::open(question.target.address, self.options.connect).await?;
        connection.ask(question.request(), body, limit).await?;
        Ok(Kept {
            connection,
            place: None,
        })
    }

    /// The connection, if there is a place for it.
    fn keep(&self, mut used: Kept) -> Option<Kept> {
        if used.place.is_none() {
            used.place = Arc::clone(&self.places).try_acquire_owned().ok();
        }
        used.place.is_some().then_some(used)
    }
}
