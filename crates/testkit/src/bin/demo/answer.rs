//! Asks a served model a question and prints the answer as it streams in.
//!
//! In: the address of a Pod and a model name. Out: the text, on the terminal while it comes.

use std::io::Write as _;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};

/// The streamed answer of `/v1/chat/completions` at `base`, for example `http://127.1.0.5:8000`.
pub async fn ask(base: &str, model: &str, question: &str) -> Result<String, String> {
    let body = json!({
        "model": model,
        "stream": true,
        "max_tokens": 40,
        "messages": [{"role": "user", "content": question}],
    });
    let request = hyper::Request::post(format!("{base}/v1/chat/completions"))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .map_err(|error| error.to_string())?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client
        .request(request)
        .await
        .map_err(|error| format!("{base} does not answer: {error}"))?;
    let status = response.status();
    let mut body = response.into_body();
    let (mut pending, mut answer) = (String::new(), String::new());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| format!("the stream broke: {error}"))?;
        let Ok(data) = frame.into_data() else { continue };
        pending.push_str(&String::from_utf8_lossy(&data));
        while let Some((line, rest)) = pending.split_once('\n') {
            if let Some(text) = delta(line) {
                print!("{text}");
                // A terminal that went away does not make the answer worse.
                let _ = std::io::stdout().flush();
                answer.push_str(&text);
            }
            pending = rest.to_owned();
        }
    }
    println!();
    if !status.is_success() || answer.is_empty() {
        return Err(format!("{base} answered {status}: {pending}"));
    }
    Ok(answer)
}

/// The piece of text in one line of a server-sent event.
fn delta(line: &str) -> Option<String> {
    let event: Value = serde_json::from_str(line.trim().strip_prefix("data: ")?).ok()?;
    event
        .pointer("/choices/0/delta/content")?
        .as_str()
        .map(str::to_owned)
}
