//! The Kubernetes client as this operator needs it: bounded in time, counted, and without hidden retries.
//!
//! kube's own retry repeats a failing request for minutes, which starves the lease and hides overload from our
//! back-off; it is off. Every request but a watch must be answered completely within [`ClientOptions::timeout`]. What changes
//! the cluster is sent only while [`ClientOptions::fence`] is open.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::{Method, Request, Response, StatusCode, header, response::Parts};
use http_body_util::{BodyExt, Full};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder, DynBody},
    core::{Status, response::StatusDetails},
};
use tower::{BoxError, Layer, Service};

use crate::{fence::Fence, metrics::Metrics};

/// How requests are made.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Longest time for a request that is no watch, answer included; and for a watch to begin.
    pub timeout: Duration,
    /// Whether writes may be sent.
    pub fence: Fence,
}

impl Default for ClientOptions {
    /// 15 s: above what a loaded API server needs for one write, below a lease's renew deadline twice over. The fence is open.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(15),
            fence: Fence::default(),
        }
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No kubeconfig and not in a cluster.
    #[error("no cluster to talk to: set KUBECONFIG, or run in a Pod with a service account ({0})")]
    Config(#[source] Box<kube::config::InferConfigError>),
    /// The configuration cannot be used.
    #[error("the cluster's configuration cannot be used: {0}")]
    Client(#[source] Box<kube::Error>),
}

/// A client for the cluster that `KUBECONFIG`, `~/.kube/config` or the Pod's service account names.
pub async fn connect(options: ClientOptions, metrics: &Metrics) -> Result<Client, ConnectError> {
    let config = Config::infer()
        .await
        .map_err(|error| ConnectError::Config(Box::new(error)))?;
    from_config(config, options, metrics)
}

/// A client for a given configuration.
pub fn from_config(
    mut config: Config,
    options: ClientOptions,
    metrics: &Metrics,
) -> Result<Client, ConnectError> {
    config.default_retry = false;
    let builder = ClientBuilder::try_from(config).map_err(|error| ConnectError::Client(Box::new(error)))?;
    Ok(builder
        .with_layer(&Bounded {
            options,
            metrics: metrics.clone(),
        })
        .build())
}

/// What a write is told that comes too late.
const FENCED: &str = "not sent: the lease of this process has run out, and another replica may lead";

/// The layer that bounds and counts.
#[derive(Clone, Debug)]
struct Bounded {
    options: ClientOptions,
    metrics: Metrics,
}

impl<S> Layer<S> for Bounded {
    type Service = BoundedService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        BoundedService {
            inner,
            bounds: self.clone(),
        }
    }
}

#[derive(Clone, Debug)]
struct BoundedService<S> {
    inner: S,
    bounds: Bounded,
}

impl<S> Service<Request<Body>> for BoundedService<S>
where
    S: Service<Request<Body>, Response = Response<Box<DynBody>>, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<Box<DynBody>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let asked = Asked::of(&request);
        let Bounded { options, metrics } = self.bounds.clone();
        if asked.changes() && !options.fence.is_open() {
            metrics.api_request(asked.verb, &asked.resource, "fenced");
            return Box::pin(async { Err(FENCED.into()) });
        }
        let timeout = options.timeout;
        let answer = self.inner.call(request);
        Box::pin(async move {
            let streamed = asked.streamed;
            let complete = async {
                let response = answer.await?;
                if streamed {
                    Ok(response)
                } else {
                    buffered(response).await
                }
            };
            let result = tokio::time::timeout(timeout, complete).await;
            let code = match &result {
                Ok(Ok(response)) => response.status().as_str().to_owned(),
                Ok(Err(_)) => "error".to_owned(),
                Err(_) => "timeout".to_owned(),
            };
            metrics.api_request(asked.verb, &asked.resource, &code);
            result.unwrap_or_else(|_| {
                Err(format!("no complete answer from the API server within {timeout:?}").into())
            })
        })
    }
}

/// Reads the answer to its end, so that the timeout covers all of it.
async fn buffered(response: Response<Box<DynBody>>) -> Result<Response<Box<DynBody>>, BoxError> {
    let (parts, body) = response.into_parts();
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Response::from_parts(parts, body));
    }
    let bytes = body.collect().await?.to_bytes();
    let bytes = match with_retry_after(&parts, &bytes) {
        Some(body) => body.into(),
        None => bytes,
    };
    let body: Box<DynBody> = Box::new(Full::new(bytes).map_err(|never| match never {}));
    Ok(Response::from_parts(parts, body))
}

/// The body of a refusal with what its `Retry-After` header says: kube hands on the body alone, and an overloaded API
/// server answers in plain text. `None` when there is nothing to add.
fn with_retry_after(parts: &Parts, body: &[u8]) -> Option<Vec<u8>> {
    if parts.status.is_success() {
        return None;
    }
    let seconds: u32 = parts
        .headers
        .get(header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .parse()
        .ok()?;
    let mut status: Status = serde_json::from_slice(body).unwrap_or_else(|_| {
        let words = String::from_utf8_lossy(body);
        Status::failure(words.trim(), parts.status.canonical_reason().unwrap_or_default())
            .with_code(parts.status.as_u16())
    });
    let details = status.details.get_or_insert_with(|| StatusDetails {
        name: String::new(),
        group: String::new(),
        kind: String::new(),
        uid: String::new(),
        causes: Vec::new(),
        retry_after_seconds: 0,
    });
    details.retry_after_seconds = seconds;
    serde_json::to_vec(&status).ok()
}

/// What a request asks for, in Kubernetes terms.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    verb: &'static str,
    resource: String,
    streamed: bool,
}

impl Asked {
    fn of(request: &Request<Body>) -> Self {
        let query = request.uri().query().unwrap_or_default();
        let watch = query
            .split('&')
            .any(|pair| matches!(pair, "watch=true" | "watch=1" | "watch=True"));
        let follow = query.split('&').any(|pair| pair == "follow=true");
        let (resource, named) = resource_of(request.uri().path());
        let apply = request
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/apply-patch"));
        let verb = match *request.method() {
            Method::GET if watch => "watch",
            Method::GET if named => "get",
            Method::GET => "list",
            Method::POST => "create",
            Method::PUT => "update",
            Method::PATCH if apply => "apply",
            Method::PATCH => "patch",
            Method::DELETE => "delete",
            _ => "other",
        };
        Self {
            verb,
            resource,
            streamed: watch || follow,
        }
    }

    /// Whether it changes the cluster in the leader's name. The lease is each candidate's own; reviews of tokens and rights are
    /// questions.
    fn changes(&self) -> bool {
        let reads = matches!(self.verb, "get" | "list" | "watch");
        !reads && self.resource != "leases" && !self.resource.ends_with("reviews")
    }
}

/// Resource (with subresource) that a path is about, and whether it names one object.
fn resource_of(path: &str) -> (String, bool) {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let rest: Vec<&str> = match parts.next() {
        Some("api") => parts.skip(1).collect(),
        Some("apis") => parts.skip(2).collect(),
        _ => return ("other".to_owned(), false),
    };
    let rest = match rest.as_slice() {
        ["namespaces", _, inside @ ..] if !inside.is_empty() => inside,
        rest => rest,
    };
    match rest {
        [] => ("discovery".to_owned(), false),
        [resource] => ((*resource).to_owned(), false),
        [resource, _] => ((*resource).to_owned(), true),
        [resource, _, subresource, ..] => (format!("{resource}/{subresource}"), true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, uri: &str, content_type: &str) -> Asked {
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header(header::CONTENT_TYPE, content_type)
            .body(Body::empty())
            .unwrap();
        Asked::of(&request)
    }

    #[test]
    fn a_refusal_in_plain_text_says_when_to_come_again() {
        let refused = Response::builder().status(429).header(header::RETRY_AFTER, "7");
        let (parts, ()) = refused.body(()).unwrap().into_parts();
        let read = |body: Vec<u8>| serde_json::from_slice::<Status>(&body).unwrap();
        let status = read(with_retry_after(&parts, b"Too many requests\n").unwrap());
        assert_eq!((status.code, &*status.message), (429, "Too many requests"));
        let said =
            br#"{"kind":"Status","status":"Failure","code":429,"message":"m","details":{"kind":"pods"}}"#;
        let details = read(with_retry_after(&parts, said).unwrap()).details.unwrap();
        assert_eq!((&*details.kind, details.retry_after_seconds), ("pods", 7));
        let (without, ()) = Response::builder().status(429).body(()).unwrap().into_parts();
        assert_eq!(with_retry_after(&without, b"x"), None);
    }

    #[test]
    fn requests_are_named_in_kubernetes_terms() {
        for (method, uri, kind, verb, resource, streamed) in [
            ("GET", "/api/v1/pods?limit=100", "", "list", "pods", false),
            (
                "GET",
                "/api/v1/namespaces/n/pods?watch=true",
                "",
                "watch",
                "pods",
                true,
            ),
            (
                "GET",
                "/apis/apps/v1/namespaces/n/deployments/a",
                "",
                "get",
                "deployments",
                false,
            ),
            (
                "PATCH",
                "/apis/g/v1/namespaces/n/things/a/status?x",
                "application/apply-patch+yaml",
                "apply",
                "things/status",
                false,
            ),
            (
                "PATCH",
                "/api/v1/namespaces/n/services/a",
                "application/merge-patch+json",
                "patch",
                "services",
                false,
            ),
            (
                "PUT",
                "/apis/coordination.k8s.io/v1/namespaces/n/leases/l",
                "",
                "update",
                "leases",
                false,
            ),
            ("DELETE", "/api/v1/nodes/n1", "", "delete", "nodes", false),
            ("GET", "/version", "", "list", "other", false),
        ] {
            let expected = Asked {
                verb,
                resource: resource.to_owned(),
                streamed,
            };
            assert_eq!(asked(method, uri, kind), expected, "{method} {uri}");
        }
    }

    #[test]
    fn writes_in_the_leaders_name_are_told_from_the_rest() {
        for (method, uri, changes) in [
            ("GET", "/api/v1/namespaces/n/pods", false),
            ("PATCH", "/apis/apps/v1/namespaces/n/deployments/a", true),
            ("PATCH", "/apis/g/v1/namespaces/n/things/a/status", true),
            ("POST", "/api/v1/namespaces/n/events", true),
            ("DELETE", "/api/v1/namespaces/n/pods/a", true),
            ("PUT", "/apis/coordination.k8s.io/v1/namespaces/n/leases/l", false),
            (
                "POST",
                "/apis/authorization.k8s.io/v1/subjectaccessreviews",
                false,
            ),
            ("POST", "/apis/authentication.k8s.io/v1/tokenreviews", false),
        ] {
            assert_eq!(asked(method, uri, "").changes(), changes, "{method} {uri}");
        }
    }
}
