//! A classic repository of charts.
//!
//! In: archives. Out: a web server with `index.yaml` and the archives, in a runtime of its own, so that it lives as long as its
//! value whichever test made it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::server::{Identity, serve};
use super::{ChartsError, Mood};
use crate::plane::Background;

#[derive(Debug, Default)]
struct Shelf {
    files: HashMap<String, Vec<u8>>,
    entries: HashMap<String, Vec<Value>>,
    mood: Mood,
    asked: Vec<String>,
}

#[derive(Debug)]
struct Shared {
    /// The header that lets somebody in; everybody when absent.
    authorization: Option<String>,
    shelf: Mutex<Shelf>,
}

/// A running repository; it ends with the value.
#[derive(Debug)]
pub struct ChartRepository {
    url: String,
    authority: Option<String>,
    shared: Arc<Shared>,
    _background: Background,
}

impl ChartRepository {
    /// Starts one on a port of its own. With `login` (user, password), nobody gets anything without it.
    pub async fn start(login: Option<(&str, &str)>) -> Result<Self, ChartsError> {
        Self::start_as(login, None).await
    }

    /// As [`ChartRepository::start`], over TLS with a certificate that nobody trusts: see [`ChartRepository::authority`].
    pub async fn start_tls(login: Option<(&str, &str)>) -> Result<Self, ChartsError> {
        Self::start_as(login, Some(Identity::new()?)).await
    }

    async fn start_as(login: Option<(&str, &str)>, identity: Option<Identity>) -> Result<Self, ChartsError> {
        let shared = Arc::new(Shared {
            authorization: login.map(|(user, password)| basic(user, password)),
            shelf: Mutex::default(),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let (background, url) = serve("chart-repository", router, identity.as_ref()).await?;
        Ok(Self {
            url,
            authority: identity.map(|identity| identity.certificate),
            shared,
            _background: background,
        })
    }

    /// What must be trusted to get in, as PEM; `None` without TLS.
    pub fn authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    /// Its address, `http://127.0.0.1:<port>`, or `https://` with TLS.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Puts an archive into the index.
    pub fn add(&self, chart: &str, version: &str, archive: &Path) -> Result<(), ChartsError> {
        let content = std::fs::read(archive)?;
        let file = format!("{chart}-{version}.tgz");
        let entry = json!({
            "apiVersion": "v2",
            "name": chart,
            "version": version,
            "created": "2026-01-01T00:00:00Z",
            "digest": sha256(&content),
            "urls": [file],
        });
        let mut held = self.shared.shelf.lock();
        held.entries.entry(chart.to_owned()).or_default().push(entry);
        held.files.insert(format!("/{file}"), content);
        Ok(())
    }

    /// Puts something else in the place of a file, such as `/index.yaml`.
    pub fn put(&self, path: &str, content: impl Into<Vec<u8>>) {
        self.shared
            .shelf
            .lock()
            .files
            .insert(path.to_owned(), content.into());
    }

    /// How it behaves from now on.
    pub fn set_mood(&self, mood: Mood) {
        self.shared.shelf.lock().mood = mood;
    }

    /// The paths that were asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        self.shared.shelf.lock().asked.clone()
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let mood = {
        let mut shelf = shared.shelf.lock();
        shelf.asked.push(path.clone());
        shelf.mood
    };
    if let Some(response) = mood.answer().await {
        return response;
    }
    if !allowed(request.headers(), shared.authorization.as_deref()) {
        return (StatusCode::UNAUTHORIZED, "who are you?\n").into_response();
    }
    let shelf = shared.shelf.lock();
    match shelf.files.get(&path) {
        Some(content) => content.clone().into_response(),
        // JSON is YAML.
        None if path == "/index.yaml" => {
            let index =
                json!({ "apiVersion": "v1", "generated": "2026-01-01T00:00:00Z", "entries": shelf.entries });
            index.to_string().into_response()
        }
        None => (StatusCode::NOT_FOUND, "no such file\n").into_response(),
    }
}

/// The header of a user with a password.
pub(super) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// Whether the request has the header that is asked for.
pub(super) fn allowed(headers: &HeaderMap, authorization: Option<&str>) -> bool {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    authorization.is_none_or(|wanted| given == Some(wanted))
}

/// The hash of the content, in hexadecimal.
pub(super) fn sha256(content: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(content)
        .iter()
        .fold(String::new(), |mut text, byte| {
            // Writing to a String does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
