//! Bodies of answers: streamed as they come, and cut when ordered.
//!
//! In: the API server's body and the signal that cuts watches. Out: a body that ends with an error when cut, as a
//! broken connection does.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame};
use tokio::sync::watch;

/// The body of every answer of the proxy.
pub(super) type AnswerBody =
    http_body_util::combinators::UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// A body held in memory.
pub(super) fn full(bytes: impl Into<Bytes>) -> AnswerBody {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// A body that breaks before its first byte.
pub(super) fn broken() -> AnswerBody {
    Cut {
        inner: full(Bytes::new()),
        signal: Box::pin(std::future::ready(())),
    }
    .boxed_unsync()
}

/// The same body, cut at the next change of `cuts`.
pub(super) fn cuttable(inner: AnswerBody, cuts: &watch::Sender<u64>) -> AnswerBody {
    let mut receiver = cuts.subscribe();
    let signal = Box::pin(async move {
        let _ = receiver.changed().await;
    });
    Cut { inner, signal }.boxed_unsync()
}

struct Cut {
    inner: AnswerBody,
    signal: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Body for Cut {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.signal.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err("cut by the fault proxy".into())));
        }
        Pin::new(&mut self.inner).poll_frame(context)
    }
}
