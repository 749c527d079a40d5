//! One request, answered.
//!
//! In: a request and the certificates of its connection. Out: a response, always. Health is told to anyone, discovery to any
//! caller that the front proxy names, a metric to those who may read it, the operator's own metrics to whoever has a token that
//! may get them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use kube::Client;
use parking_lot::RwLock;
use reconcile::metrics::{self, Metrics};
use rustls::pki_types::{CertificateDer, UnixTime};
use serde_json::Value;

use crate::api::accept::{self, Form};
use crate::api::failure::Failure;
use crate::api::route::Route;
use crate::api::selector::Selector;
use crate::api::{discovery, metric_list};
use crate::decisions::Decisions;
use crate::front_proxy::{Access, AccessError, Caller, Settings, authenticate, vouched};
use crate::metrics::MetricsPage;
use crate::names::METRIC;
use crate::tls::Served;

/// Longest time for an answer. Only the question whether the caller may takes any; API servers give up after a minute.
const LIMIT: Duration = Duration::from_secs(10);

/// A response.
pub(crate) type Answer = Response<Full<Bytes>>;

/// What answering takes.
pub(crate) struct Service {
    /// What the aggregated API tells; without it there is none.
    external: Option<External>,
    /// The operator's own metrics; without them there is no such page.
    metrics: Option<MetricsPage>,
    settings: RwLock<Option<Arc<Settings>>>,
    served: Arc<Served>,
}

/// Decided numbers, and who may read them.
struct External {
    decisions: Arc<dyn Decisions>,
    access: Access,
}

impl Service {
    /// The aggregated API, and the operator's own metrics if there are any.
    pub(crate) fn new(
        decisions: Arc<dyn Decisions>,
        client: Client,
        served: Arc<Served>,
        metrics: Option<Metrics>,
    ) -> Self {
        Self {
            external: Some(External {
                decisions,
                access: Access::new(client.clone()),
            }),
            metrics: metrics.map(|metrics| MetricsPage::new(metrics, client)),
            settings: RwLock::default(),
            served,
        }
    }

    /// The operator's own metrics and nothing else.
    pub(crate) fn metrics_alone(client: Client, served: Arc<Served>, metrics: Metrics) -> Self {
        Self {
            external: None,
            metrics: Some(MetricsPage::new(metrics, client)),
            settings: RwLock::default(),
            served,
        }
    }

    /// From now on, callers are authenticated by these; by none, nobody is.
    pub(crate) fn set_settings(&self, settings: Option<Arc<Settings>>) {
        *self.settings.write() = settings;
    }

    /// Whether the other end of a connection is the front proxy.
    pub(crate) fn is_front_proxy(&self, chain: &[CertificateDer<'_>]) -> bool {
        let settings = self.settings.read().clone();
        settings.is_some_and(|settings| vouched(&settings, chain, UnixTime::now()).is_ok())
    }

    /// Answers a request, in time.
    pub(crate) async fn answer<B>(&self, request: &Request<B>, chain: &[CertificateDer<'_>]) -> Answer {
        let answered = tokio::time::timeout(LIMIT, self.respond(request, chain)).await;
        match answered.unwrap_or_else(|_| Err(Failure::timeout())) {
            Ok(answer) => answer,
            Err(failure) => refused(&failure),
        }
    }

    async fn respond<B>(
        &self,
        request: &Request<B>,
        chain: &[CertificateDer<'_>],
    ) -> Result<Answer, Failure> {
        let route = Route::of(request.uri().path());
        match route {
            Route::Alive => return Ok(words("ok")),
            Route::Ready => return self.ready(),
            Route::Metrics => return self.own_metrics(request).await,
            _ => {}
        }
        let external = self.external.as_ref().ok_or_else(nothing_here)?;
        let caller = self.caller(request, chain)?;
        if request.method() != Method::GET {
            return Err(Failure::method_not_allowed());
        }
        let headers = request.headers().get_all(ACCEPT).iter();
        let accepted = headers.filter_map(|value| value.to_str().ok());
        let form = accept::choose(accepted, route == Route::Groups).ok_or_else(Failure::not_acceptable)?;
        let body = match route {
            Route::Groups if form == Form::AggregatedDiscovery => discovery::aggregated(),
            Route::Groups => discovery::groups(),
            Route::Group => discovery::group(),
            Route::Resources => discovery::resources(),
            Route::OpenApi2 => discovery::openapi_2(),
            Route::OpenApi3 => discovery::openapi_3(),
            Route::Metric { namespace, metric } => {
                let query = request.uri().query();
                external.values(query, caller, namespace, metric).await?
            }
            Route::Alive | Route::Ready | Route::Metrics | Route::Unknown => return Err(nothing_here()),
        };
        Ok(json(StatusCode::OK, form, &body))
    }

    async fn own_metrics<B>(&self, request: &Request<B>) -> Result<Answer, Failure> {
        let page = self.metrics.as_ref().ok_or_else(nothing_here)?;
        let text = page.answer(request).await?;
        let mut answer = Response::new(Full::new(Bytes::from(text)));
        answer.headers_mut().insert(
            CONTENT_TYPE,
            http::HeaderValue::from_static(metrics::CONTENT_TYPE),
        );
        Ok(answer)
    }

    fn ready(&self) -> Result<Answer, Failure> {
        if self.external.is_none() {
            return Ok(words("ok"));
        }
        if !self.served.is_set() {
            return Err(Failure::unavailable("there is no serving certificate yet"));
        }
        if self.settings.read().is_none() {
            return Err(Failure::unavailable(
                "how the front proxy proves itself is not known yet",
            ));
        }
        Ok(words("ok"))
    }

    fn caller<B>(&self, request: &Request<B>, chain: &[CertificateDer<'_>]) -> Result<Caller, Failure> {
        let settings = self.settings.read().clone();
        let settings = settings
            .ok_or_else(|| Failure::unavailable("how the front proxy proves itself is not known yet"))?;
        authenticate(&settings, chain, request.headers(), UnixTime::now())
            .map_err(|error| Failure::unauthorized(error.to_string()))
    }
}

impl External {
    async fn values(
        &self,
        query: Option<&str>,
        caller: Caller,
        namespace: &str,
        metric: &str,
    ) -> Result<Value, Failure> {
        if metric != METRIC {
            let message = format!("the metric {metric:?} is not served: there is only {METRIC:?}");
            return Err(Failure::not_found(message));
        }
        let selector = selector(query.unwrap_or_default())?;
        self.access.check(caller, namespace).await.map_err(|error| {
            let message = format!("{METRIC}.external.metrics.k8s.io is forbidden: {error}");
            match error {
                AccessError::Denied { .. } => Failure::forbidden(message),
                AccessError::Unknown(_) => Failure::unavailable(error.to_string()),
            }
        })?;
        Ok(metric_list::body(&*self.decisions, namespace, &selector))
    }
}

fn nothing_here() -> Failure {
    Failure::not_found("the server could not find the requested resource")
}

/// The selector in a query. What else stands there is about objects, which metrics are not; a watch is one thing that we
/// cannot do and must say.
fn selector(query: &str) -> Result<Selector, Failure> {
    let mut text = String::new();
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*key {
            "labelSelector" => text = value.into_owned(),
            "watch" if !matches!(&*value, "false" | "0") => {
                return Err(Failure::bad_request("metrics cannot be watched"));
            }
            _ => {}
        }
    }
    Selector::parse(&text).map_err(|error| Failure::bad_request(format!("labelSelector {text:?}: {error}")))
}

fn words(text: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    answer.headers_mut().insert(
        CONTENT_TYPE,
        http::HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    answer
}

fn refused(failure: &Failure) -> Answer {
    let mut answer = json(failure.code, Form::Json, &failure.body());
    let told = match failure.code {
        StatusCode::METHOD_NOT_ALLOWED => Some((ALLOW, "GET")),
        StatusCode::UNAUTHORIZED => Some((WWW_AUTHENTICATE, "Bearer")),
        _ => None,
    };
    if let Some((name, value)) = told {
        answer
            .headers_mut()
            .insert(name, http::HeaderValue::from_static(value));
    }
    answer
}

fn json(code: StatusCode, form: Form, body: &Value) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body.to_string())));
    *answer.status_mut() = code;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, http::HeaderValue::from_static(form.content_type()));
    answer
}
