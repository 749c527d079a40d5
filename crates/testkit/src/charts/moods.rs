//! How a server of charts treats those who ask.
//!
//! In: a [`Mood`]. Out: an answer that is wrong, late or never comes.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::stream;

/// How a server behaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mood {
    /// As it should.
    #[default]
    Well,
    /// Every answer comes this much later.
    Late(Duration),
    /// Every answer has this status.
    Status(u16),
    /// Takes requests and never answers.
    Silent,
    /// Begins an answer and never ends it.
    Stuck,
}

impl Mood {
    /// The answer instead of the right one; `None` when that should be given.
    pub(super) async fn answer(self) -> Option<Response> {
        match self {
            Self::Well => None,
            Self::Late(delay) => {
                tokio::time::sleep(delay).await;
                None
            }
            Self::Status(status) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                Some((status, "not in the mood\n").into_response())
            }
            Self::Silent => std::future::pending().await,
            Self::Stuck => Some(Response::new(Body::from_stream(stream::unfold(
                true,
                |first| async move {
                    if !first {
                        std::future::pending::<()>().await;
                    }
                    Some((Ok::<_, Infallible>(Bytes::from_static(b"apiVersion")), false))
                },
            )))),
        }
    }
}
