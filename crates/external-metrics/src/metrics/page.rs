//! One request for `/metrics`, answered.
//!
//! In: a request. Out: the page for who may read it, else a sentence that says what to do.

use http::header::AUTHORIZATION;
use http::{Method, Request};
use kube::Client;
use reconcile::metrics::Metrics;

use super::reader::{PATH, Readers, Verdict};
use crate::api::failure::Failure;

/// What makes whoever has a token a reader.
const READER: &str = "the ClusterRole llm-operator-metrics-reader";

/// The metrics and who may read them.
pub(crate) struct MetricsPage {
    metrics: Metrics,
    readers: Readers,
}

impl MetricsPage {
    pub(crate) fn new(metrics: Metrics, client: Client) -> Self {
        Self {
            metrics,
            readers: Readers::new(client),
        }
    }

    /// The page as text.
    pub(crate) async fn answer<B>(&self, request: &Request<B>) -> Result<String, Failure> {
        if request.method() != Method::GET {
            return Err(Failure::method_not_allowed());
        }
        let token = token(request).ok_or_else(|| {
            Failure::unauthorized(format!(
                "no bearer token: send `Authorization: Bearer <token>` of a user with {READER}"
            ))
        })?;
        match self.readers.judge(token).await {
            Ok(Verdict::Allowed) => {}
            Ok(Verdict::Nobody(why)) => {
                let why = if why.is_empty() {
                    String::new()
                } else {
                    format!(": {why}")
                };
                return Err(Failure::unauthorized(format!(
                    "the cluster does not know the bearer token{why}"
                )));
            }
            Ok(Verdict::Denied(user)) => {
                return Err(Failure::forbidden(format!(
                    "{user:?} cannot get path {PATH:?}; bind {READER} to that user"
                )));
            }
            Err(error) => return Err(unanswered(&error)),
        }
        self.metrics
            .encode()
            .map_err(|error| Failure::internal(error.to_string()))
    }
}

/// The bearer token, if there is one that could be one.
fn token<B>(request: &Request<B>) -> Option<&str> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn unanswered(error: &kube::Error) -> Failure {
    match error {
        kube::Error::Api(status) if status.code == 403 => Failure::unavailable(format!(
            "the operator may not ask the cluster who you are ({}); grant it config/rbac/metrics_auth_role.yaml, or use \
             `kubectl port-forward` to port 8080",
            status.message
        )),
        other => Failure::unavailable(format!("the cluster does not say who you are: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_as_the_standard_says() {
        let read = |value: &str| {
            let request = Request::builder().header(AUTHORIZATION, value).body(()).unwrap();
            token(&request).map(str::to_owned)
        };
        assert_eq!(read("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(read("bearer  abc ").as_deref(), Some("abc"));
        for other in ["", "Bearer", "Bearer ", "Basic abc", "abc"] {
            assert_eq!(read(other), None, "{other:?}");
        }
        assert_eq!(token(&Request::new(())), None);
    }
}
