//! Prem's image of DeepSpeed-MII: `serve-rest-api.py --uri MODEL` in, a REST gateway on 8080 and a model server on 50051
//! out, or the exception that ends it. The gateway answers `/healthz` before the model is loaded, as the real one does;
//! the model server's port opens after it.

mod model;
mod serve;

use std::time::Duration;

use self::model::{Fit, Source};
use crate::http::server;
use crate::latency::{self, Profile};
use crate::process::{Context, Exit};
use crate::scheduler::{Limits, Scheduler};
use crate::tcp;

const USAGE: &str = "usage: serve-rest-api.py [-h] --uri URI";
/// REST gateway, load balancer and model server: `restful_api_port` of the script, MII's default and the one after it.
const REST: u16 = 8080;
const BALANCER: u16 = 50_050;
const MODEL: u16 = 50_051;
/// Four Python processes with torch, and CUDA's context.
const HOST: u64 = 3 << 30;

/// Runs what `argv` says.
pub(crate) async fn run(context: Context) -> Exit {
    let uri = match uri(&context) {
        Ok(uri) => uri,
        Err(exit) => return exit,
    };
    tokio::select! {
        biased;
        // Python without a handler.
        () = context.stop.cancelled() => Exit::exited(143, ""),
        exit = lifetime(&context, &uri) => exit,
    }
}

/// The model that the command line names, as argparse reads it.
fn uri(context: &Context) -> Result<String, Exit> {
    let argv: Vec<&str> = context.spec.argv.iter().map(String::as_str).collect();
    let program = argv.first().copied().unwrap_or_default();
    let name = program.rsplit('/').next().unwrap_or(program);
    let words = match (name, argv.get(1)) {
        ("python" | "python3", Some(script)) if script.ends_with("serve-rest-api.py") => &argv[2..],
        ("serve-rest-api.py" | "deepspeed-mii", _) => &argv[1..],
        ("python" | "python3", Some(script)) => {
            let message = format!("{name}: can't open file '/{script}': [Errno 2] No such file or directory");
            return Err(failed(context, 2, &message));
        }
        _ => return Err(Exit::cannot_start(program)),
    };
    parse(words).map_err(|message| match message {
        None => {
            context.log.out(USAGE);
            Exit::success()
        }
        Some(message) => {
            context.log.err(USAGE);
            failed(context, 2, &format!("serve-rest-api.py: error: {message}"))
        }
    })
}

/// `None` as the error: help was asked for.
fn parse(words: &[&str]) -> Result<String, Option<String>> {
    let (mut uri, mut unknown, mut at) = (None, Vec::new(), 0);
    while at < words.len() {
        let word = words[at];
        at += 1;
        let (name, attached) = word.split_once('=').map_or((word, None), |(n, v)| (n, Some(v)));
        match name {
            "-h" | "--help" => return Err(None),
            "--uri" | "--ur" | "--u" => {
                let next = words.get(at).filter(|next| !next.starts_with('-')).copied();
                at += usize::from(attached.is_none() && next.is_some());
                let value = attached.or(next);
                uri = Some(value.ok_or_else(|| Some("argument --uri: expected one argument".to_owned()))?);
            }
            _ => unknown.push(word),
        }
    }
    let uri = uri.ok_or_else(|| Some("the following arguments are required: --uri".to_owned()))?;
    if unknown.is_empty() {
        Ok(uri.to_owned())
    } else {
        Err(Some(format!("unrecognized arguments: {}", unknown.join(" "))))
    }
}

async fn lifetime(context: &Context, uri: &str) -> Exit {
    match start(context, uri).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn start(context: &Context, uri: &str) -> Result<Exit, Exit> {
    context.use_memory(HOST)?;
    wait(context, Duration::from_secs(10)).await;
    let source = model::locate(uri, context).map_err(|error| exception(context, &error.to_string()))?;
    info(
        context,
        &format!("Detected default task as 'text-generation' for model '{uri}'"),
    );
    if context.spec.gpus.is_empty() {
        let message = "ValueError: Only able to place 0 replicas, but 1 replicas were requested.";
        return Err(exception(context, message));
    }
    wait(context, Duration::from_secs(8)).await;
    let open = async |port| {
        server::listen(&context.spec, "", port).await.map_err(|error| {
            let reason = error.to_string();
            let reason = reason.split(" (os error").next().unwrap_or_default().to_owned();
            exception(context, &format!("OSError: [Errno 98] {reason}: port {port}"))
        })
    };
    context
        .log
        .out(format!("Starting load balancer on port: {BALANCER}"));
    let balancer = open(BALANCER).await?;
    context
        .log
        .out(format!("Starting RESTful API gateway on port: {REST}"));
    let gateway = serve::Gateway::new(context, uri);
    let rest = open(REST).await?;
    let served = async {
        let (scheduler, fit) = load(context, uri, &source).await?;
        context.log.out(format!("Starting server on port: {MODEL}"));
        let listener = open(MODEL).await?;
        gateway.loaded(scheduler, fit);
        info(context, &format!("server has started on ports [{MODEL}]"));
        tcp::accept(listener).await;
        Ok(())
    };
    // `/terminate` ends the gateway's process only: the script sleeps on without it.
    let gateway_process = async {
        gateway.serve(rest).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = served => ended.map(|()| Exit::success()),
        () = tcp::accept(balancer) => Ok(Exit::success()),
        () = gateway_process => Ok(Exit::success()),
    }
}

/// The replica's process: downloads, checks, reads the weights.
async fn load(
    context: &Context,
    uri: &str,
    source: &Source,
) -> Result<(std::sync::Arc<Scheduler>, Fit), Exit> {
    let crashed = |message: &str| {
        context.log.err("Traceback (most recent call last):");
        context.log.err(message);
        exception(
            context,
            "RuntimeError: server crashed for some reason, unable to proceed",
        )
    };
    model::supported(source).map_err(|error| crashed(&error.to_string()))?;
    if let Some(dir) = &source.download_to {
        model::prepare(dir, context).map_err(|error| crashed(&error.to_string()))?;
        wait(context, latency::download(source.bytes)).await;
        model::store(dir, source, context).map_err(|error| crashed(&error.to_string()))?;
    }
    let gpu = &context.spec.gpus[0];
    let fit = model::fit(source, gpu);
    wait(context, latency::weight_loading(source.bytes)).await;
    let fit = fit.map_err(|error| crashed(&error.to_string()))?;
    info(context, "waiting for server to start...");
    wait(context, Duration::from_secs(8)).await;
    let limits = Limits {
        sequences: 512,
        kv_tokens: fit.tokens,
    };
    info(context, &format!("{uri}: {} tokens fit the KV cache", fit.tokens));
    let profile = Profile::of(&source.shape, &context.spec.gpus[..1]);
    Ok((Scheduler::new(profile, limits, context.spec.speed), fit))
}

async fn wait(context: &Context, real: Duration) {
    context.faults.load_for(context.spec.speed.load_time(real)).await;
}

fn info(context: &Context, message: &str) {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S,%3f");
    context.log.out(format!(
        "[{now}] [INFO] [server.py:65:_wait_until_server_is_live] {message}"
    ));
}

fn exception(context: &Context, text: &str) -> Exit {
    context.log.err("Traceback (most recent call last):");
    failed(context, 1, text)
}

fn failed(context: &Context, code: i32, message: &str) -> Exit {
    context.log.err(message);
    Exit::exited(code, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_argparses() {
        assert_eq!(
            parse(&["--uri", "microsoft/phi-2"]),
            Ok("microsoft/phi-2".to_owned())
        );
        assert_eq!(
            parse(&["--uri=a", "--uri", "b"]),
            Ok("b".to_owned()),
            "the last one counts"
        );
        let refused = |words: &[&str]| parse(words).unwrap_err().unwrap();
        assert_eq!(refused(&[]), "the following arguments are required: --uri");
        assert_eq!(refused(&["--uri"]), "argument --uri: expected one argument");
        assert_eq!(
            refused(&["--uri", "m", "--port", "9"]),
            "unrecognized arguments: --port 9"
        );
        assert_eq!(parse(&["-h"]), Err(None));
    }
}
