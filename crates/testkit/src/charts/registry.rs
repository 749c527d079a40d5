//! An OCI registry of charts.
//!
//! In: archives under repositories and tags. Out: a web server with as much of the distribution API as fetching takes, over
//! plain HTTP; with a login if wanted, by password or by a token from a server of tokens, as the large registries do it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use serde_json::json;

use super::repository::{allowed, basic, sha256};
use super::server::serve;
use super::{ChartsError, Mood};
use crate::plane::Background;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";
const CONTENT: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
/// What the server of tokens hands out.
const TOKEN: &str = "a-token-for-charts";

/// What a registry asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistryLogin<'a> {
    /// Nothing.
    Open,
    /// User and password with every request.
    Basic(&'a str, &'a str),
    /// A token, which user and password get from the registry's server of tokens.
    Token(&'a str, &'a str),
}

#[derive(Debug, Default)]
struct Content {
    /// Manifests and blobs by digest, with their type.
    blobs: HashMap<String, (&'static str, Vec<u8>)>,
    /// Digests of manifests by repository and tag.
    tags: HashMap<String, Vec<(String, String)>>,
    mood: Mood,
    asked: Vec<String>,
}

#[derive(Debug)]
struct Shared {
    /// The header that lets somebody in.
    authorization: Option<String>,
    /// The header that is exchanged for a token.
    exchanged: Option<String>,
    content: Mutex<Content>,
}

/// A running registry; it ends with the value.
#[derive(Debug)]
pub struct ChartRegistry {
    host: String,
    shared: Arc<Shared>,
    _background: Background,
}

impl ChartRegistry {
    /// Starts one on a port of its own.
    pub async fn start(login: RegistryLogin<'_>) -> Result<Self, ChartsError> {
        let (authorization, exchanged) = match login {
            RegistryLogin::Open => (None, None),
            RegistryLogin::Basic(user, password) => (Some(basic(user, password)), None),
            RegistryLogin::Token(user, password) => {
                (Some(format!("Bearer {TOKEN}")), Some(basic(user, password)))
            }
        };
        let shared = Arc::new(Shared {
            authorization,
            exchanged,
            content: Mutex::default(),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let (background, url) = serve("chart-registry", router, None).await?;
        Ok(Self {
            host: url.trim_start_matches("http://").to_owned(),
            shared,
            _background: background,
        })
    }

    /// The reference of a repository, `oci://127.0.0.1:<port>/<repository>`. The last part of it is the chart's name.
    pub fn reference(&self, repository: &str) -> String {
        format!("oci://{}/{repository}", self.host)
    }

    /// Puts an archive under a tag.
    pub fn add(&self, repository: &str, tag: &str, archive: &Path) -> Result<(), ChartsError> {
        let mut content = self.shared.content.lock();
        let mut put = |kind: &'static str, bytes: Vec<u8>| {
            let digest = format!("sha256:{}", sha256(&bytes));
            let descriptor = json!({ "mediaType": kind, "digest": digest, "size": bytes.len() });
            content.blobs.insert(digest.clone(), (kind, bytes));
            (digest, descriptor)
        };
        let name = repository.rsplit('/').next().unwrap_or(repository);
        let about = json!({ "apiVersion": "v2", "name": name, "version": tag, "type": "application" });
        let (_, config) = put(CONFIG, about.to_string().into_bytes());
        let (_, layer) = put(CONTENT, std::fs::read(archive)?);
        let manifest =
            json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer] });
        let (digest, _) = put(MANIFEST, manifest.to_string().into_bytes());
        let tags = content.tags.entry(repository.to_owned()).or_default();
        tags.push((tag.to_owned(), digest));
        Ok(())
    }

    /// How it behaves from now on.
    pub fn set_mood(&self, mood: Mood) {
        self.shared.content.lock().mood = mood;
    }

    /// The paths that were asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        self.shared.content.lock().asked.clone()
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let mood = {
        let mut content = shared.content.lock();
        content.asked.push(path.clone());
        content.mood
    };
    if let Some(response) = mood.answer().await {
        return response;
    }
    if path == "/token" {
        return if allowed(request.headers(), shared.exchanged.as_deref()) {
            json!({ "token": TOKEN, "expires_in": 300 })
                .to_string()
                .into_response()
        } else {
            refusal(StatusCode::UNAUTHORIZED, "UNAUTHORIZED")
        };
    }
    if !allowed(request.headers(), shared.authorization.as_deref()) {
        return challenge(&shared, &request);
    }
    let content = shared.content.lock();
    content
        .find(&path)
        .unwrap_or_else(|| refusal(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"))
}

impl Content {
    fn find(&self, path: &str) -> Option<Response> {
        let path = path.strip_prefix("/v2/")?;
        if path.is_empty() {
            return Some("{}".into_response());
        }
        if let Some(repository) = path.strip_suffix("/tags/list") {
            let tags: Vec<&String> = self.tags.get(repository)?.iter().map(|(tag, _)| tag).collect();
            return Some(
                json!({ "name": repository, "tags": tags })
                    .to_string()
                    .into_response(),
            );
        }
        if let Some((_, digest)) = path.rsplit_once("/blobs/") {
            return self.blob(digest);
        }
        let (repository, reference) = path.rsplit_once("/manifests/")?;
        if reference.starts_with("sha256:") {
            return self.blob(reference);
        }
        let (_, digest) = self
            .tags
            .get(repository)?
            .iter()
            .rfind(|(tag, _)| tag == reference)?;
        self.blob(digest)
    }

    fn blob(&self, digest: &str) -> Option<Response> {
        let (kind, bytes) = self.blobs.get(digest)?;
        let headers = [("content-type", *kind), ("docker-content-digest", digest)];
        Some((headers, bytes.clone()).into_response())
    }
}

/// Tells how to get in.
fn challenge(shared: &Shared, request: &Request) -> Response {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let way = if shared.exchanged.is_some() {
        format!("Bearer realm=\"http://{host}/token\",service=\"charts\"")
    } else {
        "Basic realm=\"charts\"".to_owned()
    };
    let mut response = refusal(StatusCode::UNAUTHORIZED, "UNAUTHORIZED");
    if let Ok(way) = way.parse() {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, way);
    }
    response
}

fn refusal(status: StatusCode, code: &str) -> Response {
    let body = json!({ "errors": [{ "code": code, "message": code.to_lowercase() }] });
    (status, body.to_string()).into_response()
}
