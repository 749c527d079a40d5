//! Inference as Triton's protocol has it: a loaded version and a request's JSON in, the answer or the real refusal out.
//! Numbers come back as they went in; text comes back as the simulated model's text.

use std::sync::Arc;

use futures::StreamExt as _;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::registry::Version;
use crate::generation::{Answer, generate as pieces};
use crate::http::openai::count_tokens;
use crate::http::stream::{event, streamed};
use crate::http::{Response, json as json_response};

/// Longest text without another word of the request.
const MAX_TOKENS: u64 = 128;

/// `POST …/infer`.
pub(crate) async fn infer(version: &Version, body: &Value) -> Result<Response, String> {
    let model = &version.candidate;
    let inputs = body.get("inputs").and_then(Value::as_array);
    let inputs =
        inputs.ok_or("Unable to parse 'inputs': attempt to access non-existing object member 'inputs'")?;
    for input in inputs {
        for member in ["name", "shape", "datatype"] {
            if input.get(member).is_none() {
                return Err(format!(
                    "Unable to parse '{member}': attempt to access non-existing object member '{member}'"
                ));
            }
        }
        let name = word(input, "name");
        let known = model.inputs.iter().find(|known| known.name == name);
        match known {
            None if !model.inputs.is_empty() => {
                return Err(format!(
                    "unexpected inference input '{name}' for model '{}'",
                    model.name
                ));
            }
            Some(known) if known.datatype != word(input, "datatype") => {
                return Err(format!(
                    "inference input '{name}' data-type is '{}', but model '{}' expects '{}'",
                    word(input, "datatype"),
                    model.name,
                    known.datatype
                ));
            }
            _ => {}
        }
    }
    if !model.inputs.is_empty() && inputs.len() != model.inputs.len() {
        return Err(format!(
            "expected {} inputs but got {} inputs for model '{}'",
            model.inputs.len(),
            inputs.len(),
            model.name
        ));
    }
    // The step's time; what comes of it is not used.
    text(version, "", 1).await;
    let names: Vec<(String, Option<String>)> = if model.outputs.is_empty() {
        vec![("OUTPUT0".to_owned(), None)]
    } else {
        let told = |tensor: &super::repository::Tensor| (tensor.name.clone(), Some(tensor.datatype.clone()));
        model.outputs.iter().map(told).collect()
    };
    let first = inputs.first();
    let outputs: Vec<Value> = names
        .into_iter()
        .map(|(name, datatype)| {
            let datatype = datatype
                .unwrap_or_else(|| first.map_or("FP32".into(), |input| word(input, "datatype").to_owned()));
            let shape = first.map_or(json!([1]), |input| input["shape"].clone());
            let data = first
                .and_then(|input| input.get("data"))
                .cloned()
                .unwrap_or(json!([]));
            json!({"name": name, "datatype": datatype, "shape": shape, "data": data})
        })
        .collect();
    let mut answer = head(version);
    if let Some(id) = body.get("id") {
        answer.insert("id".to_owned(), id.clone());
    }
    answer.insert("outputs".to_owned(), Value::Array(outputs));
    Ok(json_response(StatusCode::OK, &Value::Object(answer)))
}

/// `POST …/generate`.
pub(crate) async fn generate(version: &Version, body: &Value) -> Result<Response, String> {
    let (question, limit) = asked(body)?;
    let mut answer = head(version);
    let generated = text(version, &question, limit).await;
    answer.insert("text_output".to_owned(), Value::String(generated));
    Ok(json_response(StatusCode::OK, &Value::Object(answer)))
}

/// `POST …/generate_stream`: an event for each piece.
pub(crate) fn generate_stream(version: &Version, body: &Value) -> Result<Response, String> {
    let (question, limit) = asked(body)?;
    let head = head(version);
    let all = pieces(
        Arc::clone(&version.scheduler),
        count_tokens(&question),
        &answer(version, question, limit),
    );
    let events = all.map(move |piece| {
        let mut one = head.clone();
        one.insert("text_output".to_owned(), Value::String(piece.text));
        event(&Value::Object(one).to_string())
    });
    Ok(streamed("text/event-stream; charset=utf-8", events))
}

fn asked(body: &Value) -> Result<(String, u64), String> {
    let question = body.get("text_input").and_then(Value::as_str);
    let question = question.ok_or("expected 1 inputs but got 0 inputs: no 'text_input'")?;
    let limit = body
        .get("max_tokens")
        .and_then(Value::as_u64)
        .unwrap_or(MAX_TOKENS);
    Ok((question.to_owned(), limit))
}

fn answer(version: &Version, question: String, max_tokens: u64) -> Answer {
    Answer {
        question,
        model: version.candidate.name.clone(),
        max_tokens,
        ignore_eos: false,
    }
}

async fn text(version: &Version, question: &str, limit: u64) -> String {
    let answer = answer(version, question.to_owned(), limit);
    let all = pieces(Arc::clone(&version.scheduler), count_tokens(question), &answer);
    all.map(|piece| piece.text).collect::<Vec<_>>().await.concat()
}

fn head(version: &Version) -> Map<String, Value> {
    let mut head = Map::new();
    head.insert("model_name".to_owned(), json!(version.candidate.name));
    head.insert("model_version".to_owned(), json!(version.number.to_string()));
    head
}

fn word<'a>(input: &'a Value, member: &str) -> &'a str {
    input.get(member).and_then(Value::as_str).unwrap_or_default()
}
