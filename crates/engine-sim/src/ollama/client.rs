//! Ollama's commands against a running server: words in, the real output or error out.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::duration;
use super::settings::Settings;
use crate::http::server;
use crate::process::Context;

const UNREACHABLE: &str = "could not connect to ollama server, run 'ollama serve' to start it";

/// Runs one command; the error is what follows `Error: `.
pub(super) async fn run(context: &Context, words: &[&str]) -> Result<(), String> {
    let plain = without_flags(words);
    match (plain.as_slice(), words) {
        ([], ["--version", ..]) | (["-v"], _) => {
            version(context).await;
            Ok(())
        }
        ([] | ["help"], _) => {
            context.log.out("Usage:\n  ollama [flags]\n  ollama [command]");
            Ok(())
        }
        (["pull", model], _) => pull(context, model).await,
        (["list" | "ls", filter @ ..], _) => list(context, filter.first().copied().unwrap_or_default()).await,
        (["ps", ..], _) => running(context).await,
        (["show", model], _) => show(context, model).await,
        (["rm", models @ ..], _) if !models.is_empty() => remove(context, models).await,
        (["cp", from, to], _) => {
            let body = json!({"source": from, "destination": to});
            json_of(call(context, Method::POST, "/api/copy", &body).await?).await?;
            context.log.out(format!("copied '{from}' to '{to}'"));
            Ok(())
        }
        (["stop", model], _) => stop(context, model).await,
        (["run", model, prompt @ ..], _) => {
            let keep_alive = keep_alive(words)?;
            generate(context, model, &prompt.join(" "), keep_alive).await
        }
        (["pull" | "show" | "stop", rest @ ..], _) => {
            Err(format!("accepts 1 arg(s), received {}", rest.len()))
        }
        (["cp", rest @ ..], _) => Err(format!("accepts 2 arg(s), received {}", rest.len())),
        (["run" | "rm", ..], _) => Err("requires at least 1 arg(s), only received 0".into()),
        ([command, ..], _) => Err(format!("unknown command \"{command}\" for \"ollama\"")),
    }
}

/// Flags that take a value.
const VALUED: [&str; 3] = ["--keepalive", "--format", "--dimensions"];

fn without_flags<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let mut value = false;
    let plain = words.iter().copied().filter(|word| {
        let of_flag = std::mem::replace(&mut value, VALUED.contains(word));
        !of_flag && !word.starts_with("--") && *word != "-h"
    });
    plain.collect()
}

/// The value of `--keepalive`; the error is Go's.
fn keep_alive<'a>(words: &[&'a str]) -> Result<Option<&'a str>, String> {
    let after = words.iter().position(|word| *word == "--keepalive");
    let spaced = after.and_then(|at| words.get(at + 1).copied());
    let joined = words.iter().find_map(|word| word.strip_prefix("--keepalive="));
    let value = joined.or(spaced);
    if let Some(value) = value {
        duration::parse(value)?;
    }
    Ok(value)
}

async fn version(context: &Context) {
    let Ok(answer) = call(context, Method::GET, "/api/version", &Value::Null).await else {
        context
            .log
            .out("Warning: could not connect to a running Ollama instance");
        context
            .log
            .out(format!("Warning: client version is {}", super::VERSION));
        return;
    };
    let told = json_of(answer).await.unwrap_or_default();
    context.log.out(format!(
        "ollama version is {}",
        told["version"].as_str().unwrap_or_default()
    ));
}

async fn pull(context: &Context, model: &str) -> Result<(), String> {
    let answer = call(context, Method::POST, "/api/pull", &json!({"model": model})).await?;
    let mut status = String::new();
    lines(answer, |value| {
        if let Some(error) = value["error"].as_str() {
            return Err(error.to_owned());
        }
        let now = value["status"].as_str().unwrap_or_default();
        if status != now {
            now.clone_into(&mut status);
            context.log.err(now);
        }
        Ok(())
    })
    .await
}

async fn list(context: &Context, filter: &str) -> Result<(), String> {
    let answer = json_of(call(context, Method::GET, "/api/tags", &Value::Null).await?).await?;
    let mut rows = vec![["NAME", "ID", "SIZE", "MODIFIED"].map(str::to_owned)];
    for model in answer["models"].as_array().into_iter().flatten() {
        let name = model["name"].as_str().unwrap_or_default().to_owned();
        if name.to_lowercase().starts_with(&filter.to_lowercase()) {
            rows.push([
                name,
                short(&model["digest"]),
                size(&model["size"]),
                ago(&model["modified_at"]),
            ]);
        }
    }
    context.log.out(table(&rows));
    Ok(())
}

async fn running(context: &Context) -> Result<(), String> {
    let answer = json_of(call(context, Method::GET, "/api/ps", &Value::Null).await?).await?;
    let mut rows = vec![["NAME", "ID", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL"].map(str::to_owned)];
    for model in answer["models"].as_array().into_iter().flatten() {
        let name = model["name"].as_str().unwrap_or_default().to_owned();
        let (all, video) = (
            model["size"].as_u64().unwrap_or(0),
            model["size_vram"].as_u64().unwrap_or(0),
        );
        let place = match video {
            0 => "100% CPU".to_owned(),
            video if video >= all => "100% GPU".to_owned(),
            video => {
                let cpu = ((all - video) * 100 + all / 2) / all;
                format!("{cpu}%/{}% CPU/GPU", 100 - cpu)
            }
        };
        let until = ago(&model["expires_at"]);
        rows.push([
            name,
            short(&model["digest"]),
            size(&model["size"]),
            place,
            model["context_length"].to_string(),
            until,
        ]);
    }
    context.log.out(table(&rows));
    Ok(())
}

async fn show(context: &Context, model: &str) -> Result<(), String> {
    let answer = json_of(call(context, Method::POST, "/api/show", &json!({"model": model})).await?).await?;
    let details = &answer["details"];
    let info = &answer["model_info"];
    let architecture = info["general.architecture"].as_str().unwrap_or_default();
    let word = |name: &str| details[name].as_str().unwrap_or_default().to_owned();
    let number = |name: &str| info[format!("{architecture}.{name}")].to_string();
    let row = |name: &str, value: String| [String::new(), name.to_owned(), value];
    let rows = [
        row("architecture", architecture.to_owned()),
        row("parameters", word("parameter_size")),
        row("context length", number("context_length")),
        row("embedding length", number("embedding_length")),
        row("quantization", word("quantization_level")),
    ];
    context.log.out(format!("  Model\n{}\n", table(&rows)));
    context.log.out("  Capabilities\n    completion    \n");
    Ok(())
}

async fn remove(context: &Context, models: &[&str]) -> Result<(), String> {
    for model in models {
        stop(context, model).await.ok();
        json_of(call(context, Method::DELETE, "/api/delete", &json!({"model": model})).await?).await?;
        context.log.out(format!("deleted '{model}'"));
    }
    Ok(())
}

async fn stop(context: &Context, model: &str) -> Result<(), String> {
    let body = json!({"model": model, "keep_alive": 0});
    let answer = call(context, Method::POST, "/api/generate", &body).await?;
    lines(answer, |_| Ok(())).await.map_err(|error| {
        if error.contains("not found") {
            format!("couldn't find model \"{model}\" to stop")
        } else {
            error
        }
    })
}

/// Pulls the model when it is not there, then asks it; without a prompt it is only loaded.
async fn generate(
    context: &Context,
    model: &str,
    prompt: &str,
    keep_alive: Option<&str>,
) -> Result<(), String> {
    let known = call(context, Method::POST, "/api/show", &json!({"model": model})).await?;
    if known.status() == StatusCode::NOT_FOUND {
        pull(context, model).await?;
    }
    let mut body = json!({"model": model, "prompt": prompt});
    if let Some(keep_alive) = keep_alive {
        body["keep_alive"] = keep_alive.into();
    }
    let answer = call(context, Method::POST, "/api/generate", &body).await?;
    let mut text = String::new();
    lines(answer, |value| {
        if let Some(error) = value["error"].as_str() {
            return Err(error.to_owned());
        }
        text.push_str(value["response"].as_str().unwrap_or_default());
        Ok(())
    })
    .await?;
    if !text.is_empty() {
        context.log.out(format!("{text}\n"));
    }
    Ok(())
}

/// Sends a request to the server that `OLLAMA_HOST` names.
async fn call(
    context: &Context,
    method: Method,
    path: &str,
    body: &Value,
) -> Result<http::Response<Incoming>, String> {
    let socket = connect(context).await.ok_or(UNREACHABLE)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket))
        .await
        .map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    let bytes = if body.is_null() {
        Bytes::new()
    } else {
        Bytes::from(body.to_string())
    };
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("host", "ollama")
        .body(Full::new(bytes));
    let request = request.map_err(|error| error.to_string())?;
    sender
        .send_request(request)
        .await
        .map_err(|error| error.to_string())
}

/// A server on all interfaces is reached under both of the Pod's addresses.
async fn connect(context: &Context) -> Option<TcpStream> {
    let host = Settings::read(context).host;
    let spec = &context.spec;
    let mut places = Vec::new();
    match server::pod_address(spec, &host.host) {
        Ok(address) if address == spec.loopback => places.extend([spec.loopback, spec.address]),
        Ok(address) => places.extend([address, spec.loopback]),
        Err(_) => return TcpStream::connect((host.host.as_str(), host.port)).await.ok(),
    }
    for place in places {
        let attempt = tokio::time::timeout(Duration::from_secs(5), TcpStream::connect((place, host.port)));
        if let Ok(Ok(socket)) = attempt.await {
            return Some(socket);
        }
    }
    None
}

async fn json_of(answer: http::Response<Incoming>) -> Result<Value, String> {
    let status = answer.status();
    let body = answer
        .into_body()
        .collect()
        .await
        .map_err(|error| error.to_string())?
        .to_bytes();
    let value: Value = serde_json::from_slice(&body).unwrap_or_default();
    match value["error"].as_str() {
        Some(error) => Err(error.to_owned()),
        None if !status.is_success() => Err(status.to_string()),
        None => Ok(value),
    }
}

/// Hands every JSON line of a streamed answer to `each` as it comes; a failure is told with its status.
async fn lines(
    answer: http::Response<Incoming>,
    mut each: impl FnMut(&Value) -> Result<(), String>,
) -> Result<(), String> {
    let status = answer.status();
    if !status.is_success() {
        let error = json_of(answer).await.err().unwrap_or_default();
        return Err(format!("{status}: {error}"));
    }
    let mut body = answer.into_body();
    let mut rest = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| error.to_string())?;
        rest.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            each(&serde_json::from_slice(&line).unwrap_or_default())?;
        }
    }
    if rest.is_empty() {
        Ok(())
    } else {
        each(&serde_json::from_slice(&rest).unwrap_or_default())
    }
}

fn short(digest: &Value) -> String {
    digest.as_str().unwrap_or_default().chars().take(12).collect()
}

/// Decimal units, as Ollama shows them.
#[allow(clippy::cast_precision_loss)]
fn size(bytes: &Value) -> String {
    let bytes = bytes.as_u64().unwrap_or(0);
    let (unit, word) = match bytes {
        1_000_000_000.. => (1e9, "GB"),
        1_000_000.. => (1e6, "MB"),
        1000.. => (1e3, "KB"),
        _ => (1.0, "B"),
    };
    let value = bytes as f64 / unit;
    if value >= 10.0 {
        format!("{value:.0} {word}")
    } else {
        format!("{value:.1} {word}")
    }
}

fn ago(at: &Value) -> String {
    let Ok(at) = at.as_str().unwrap_or_default().parse::<jiff::Timestamp>() else {
        return "Never".into();
    };
    let seconds = at.as_second() - jiff::Timestamp::now().as_second();
    let (count, unit) = match seconds.unsigned_abs() {
        0 => return "Less than a second ago".into(),
        seconds @ ..60 => (seconds, "second"),
        seconds @ ..3600 => (seconds / 60, "minute"),
        seconds @ ..86_400 => (seconds / 3600, "hour"),
        seconds if seconds > 86_400 * 36_500 => return "Forever".into(),
        seconds => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!(
        "{count} {unit}{plural} {}",
        if seconds < 0 { "ago" } else { "from now" }
    )
}

/// Columns padded to their widest cell and four blanks.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
            + 4
    };
    let line = |row: &[String; N]| {
        row.iter().enumerate().fold(String::new(), |line, (i, cell)| {
            line + &format!("{cell:<w$}", w = width(i))
        })
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
