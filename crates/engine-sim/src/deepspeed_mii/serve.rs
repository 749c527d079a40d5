//! MII's REST gateway: requests in, generated texts and health out.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use http::{Method, StatusCode};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::model::Fit;
use crate::fault::{FaultHandle, Health};
use crate::generation::{Answer, generate};
use crate::http::openai::count_tokens;
use crate::http::{Request, Response, empty, json as json_response, read_json, server, with_body};
use crate::process::Context;
use crate::scheduler::Scheduler;
use crate::stats::Finish;

/// `deployment_name` of the script: the path is `/mii/<name>`.
const PATH: &str = "/mii/default";
/// MII's default for prompt and answer together, in tokens.
const MAX_LENGTH: u64 = 1024;

/// The gateway's process.
pub(crate) struct Gateway(Arc<State>);

struct State {
    model: String,
    scheduler: Mutex<Option<(Arc<Scheduler>, Fit)>>,
    faults: FaultHandle,
    terminated: CancellationToken,
}

/// What MII's client takes; another member is an unexpected keyword argument.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Generate {
    prompts: Prompts,
    #[serde(default)]
    max_length: Option<u64>,
    #[serde(default)]
    max_new_tokens: Option<u64>,
    #[serde(default)]
    ignore_eos: bool,
    #[serde(default)]
    return_full_text: bool,
    #[serde(default, rename = "min_new_tokens")]
    _min_new_tokens: Option<u64>,
    #[serde(default, rename = "do_sample")]
    _do_sample: Option<bool>,
    #[serde(default, rename = "top_p")]
    _top_p: Option<f64>,
    #[serde(default, rename = "top_k")]
    _top_k: Option<u64>,
    #[serde(default, rename = "temperature")]
    _temperature: Option<f64>,
    #[serde(default, rename = "stop")]
    _stop: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Prompts {
    One(String),
    Several(Vec<String>),
}

impl Gateway {
    pub(crate) fn new(context: &Context, model: &str) -> Self {
        Self(Arc::new(State {
            model: model.to_owned(),
            scheduler: Mutex::default(),
            faults: context.faults.clone(),
            terminated: CancellationToken::new(),
        }))
    }

    /// The model server answers from now on.
    pub(crate) fn loaded(&self, scheduler: Arc<Scheduler>, fit: Fit) {
        *self.0.scheduler.lock() = Some((scheduler, fit));
    }

    /// Answers until somebody asks `/terminate`.
    pub(crate) async fn serve(&self, listener: TcpListener) {
        let state = Arc::clone(&self.0);
        let handler = move |request| handle(Arc::clone(&state), request);
        server::serve(
            listener,
            handler,
            self.0.terminated.clone(),
            Duration::from_secs(1),
        )
        .await;
    }
}

async fn handle(state: Arc<State>, request: Request) -> Response {
    match state.faults.current_health() {
        Health::Hanging => return std::future::pending().await,
        Health::Failing if request.uri().path() == "/healthz" => {
            return empty(StatusCode::SERVICE_UNAVAILABLE);
        }
        _ => {}
    }
    let html = |status, text: &str| with_body(status, "text/html; charset=utf-8", text.to_owned());
    match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/healthz") => html(StatusCode::OK, "ok"),
        (&Method::GET, "/terminate") => {
            state.terminated.cancel();
            html(StatusCode::OK, "Shutting down RESTful API gateway server")
        }
        (&Method::POST, PATH) => answer(&state, request).await,
        (_, PATH) => json_response(
            StatusCode::METHOD_NOT_ALLOWED,
            &json!({"message": "The method is not allowed for the requested URL."}),
        ),
        _ => html(
            StatusCode::NOT_FOUND,
            "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n",
        ),
    }
}

async fn answer(state: &State, request: Request) -> Response {
    let broken = || {
        let message = json!({"message": "Internal Server Error"});
        json_response(StatusCode::INTERNAL_SERVER_ERROR, &message)
    };
    // Before the model is loaded, the gateway's client finds nobody on the model server's port.
    let Some((scheduler, fit)) = state.scheduler.lock().clone() else {
        return broken();
    };
    let Ok(body) = read_json::<Generate>(request).await else {
        return broken();
    };
    let prompts = match &body.prompts {
        Prompts::One(prompt) => std::slice::from_ref(prompt),
        Prompts::Several(prompts) => prompts.as_slice(),
    };
    let max_length = body.max_length.unwrap_or(MAX_LENGTH).min(fit.tokens);
    let mut texts = Vec::new();
    for prompt in prompts {
        let length = count_tokens(prompt);
        if length >= max_length {
            return broken();
        }
        let left = max_length - length;
        let answer = Answer {
            question: prompt.clone(),
            model: state.model.clone(),
            max_tokens: body.max_new_tokens.unwrap_or(left).min(left),
            ignore_eos: body.ignore_eos,
        };
        texts.push(
            generated(
                &scheduler,
                length,
                &answer,
                body.return_full_text.then_some(prompt.as_str()),
            )
            .await,
        );
    }
    json_response(StatusCode::OK, &Value::Array(texts))
}

async fn generated(scheduler: &Arc<Scheduler>, length: u64, answer: &Answer, before: Option<&str>) -> Value {
    let (mut text, mut tokens, mut finish) = (before.unwrap_or_default().to_owned(), 0_u64, Finish::Stop);
    let pieces = generate(Arc::clone(scheduler), length, answer);
    futures::pin_mut!(pieces);
    while let Some(piece) = pieces.next().await {
        text.push_str(&piece.text);
        tokens += 1;
        finish = piece.finish.unwrap_or(finish);
    }
    json!({
        "generated_text": text,
        "prompt_length": length,
        "generated_length": tokens,
        "finish_reason": finish.word(),
    })
}
