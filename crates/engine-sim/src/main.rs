//! The program `engine-sim`: plays an engine or a generic model server, by its first argument or by the name that it was
//! called by. Command line and environment in; logs on stdout and stderr, the engine's exit code out.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Read as _};
use std::process::ExitCode;

use engine_sim::{Cause, FaultHandle, GenericOptions, LogSink, ProcessSpec, Program, from_environment, run};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

const HELP: &str = "\
Simulated inference engines for machines without GPUs.

Usage: engine-sim vllm serve MODEL [options]     as vLLM's own command line
       engine-sim ollama serve|pull|list|run|…   as Ollama's own command line
       engine-sim localai run MODEL… [options]   as LocalAI's own command line
       engine-sim deepspeed-mii --uri MODEL      as Prem's image of DeepSpeed-MII
       engine-sim tritonserver [options]         as Triton's own command line
       engine-sim generic [--port N]             any OpenAI-compatible server
       engine-sim aws s3 sync s3://B/P DIR       puts a model's files there
A link named vllm, ollama, local-ai, deepspeed-mii, tritonserver or aws to this program plays that one.

Environment:
  ENGINE_SIM_GPUS     GPUs to show, e.g. 8xNVIDIA-H100-80GB-HBM3:80 (default: none)
  ENGINE_SIM_SPEED    speed-up of loading and of generation, e.g. 10,1 (default: 1,1)
  ENGINE_SIM_GENERIC  options of the generic server, as JSON";

fn main() -> ExitCode {
    let argv: Vec<String> = std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    match process(argv, env) {
        Ok(Some(spec)) => play(spec),
        Ok(None) => {
            println!("{HELP}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("engine-sim: {message}");
            ExitCode::from(2)
        }
    }
}

/// What to play; `None` means help.
fn process(mut argv: Vec<String>, env: BTreeMap<String, String>) -> Result<Option<ProcessSpec>, String> {
    let name = |argv: &[String]| {
        let word = argv.first().map_or("", String::as_str);
        word.rsplit('/').next().unwrap_or(word).to_owned()
    };
    if known(&name(&argv)).is_none() {
        argv.remove(0);
    }
    let program = match (known(&name(&argv)), name(&argv).as_str()) {
        (Some(program), _) => program,
        (None, "generic") => Program::Generic(generic(&env)?),
        (None, "" | "help" | "-h" | "--help") => return Ok(None),
        (None, other) => {
            return Err(format!(
                "unknown engine '{other}'; known: vllm, ollama, localai, deepspeed-mii, tritonserver, generic, aws"
            ));
        }
    };
    if program == Program::Ollama
        && let Some(prompt) = piped_prompt(&argv)
    {
        argv.insert(3, prompt);
    }
    from_environment(program, argv, env)
        .map(Some)
        .map_err(|error| error.to_string())
}

/// The engine that a name stands for.
fn known(name: &str) -> Option<Program> {
    match name {
        "vllm" => Some(Program::Vllm),
        "ollama" => Some(Program::Ollama),
        "localai" | "local-ai" => Some(Program::LocalAi),
        "deepspeed-mii" => Some(Program::DeepspeedMii),
        "triton" | "tritonserver" => Some(Program::Triton),
        "aws" => Some(Program::Aws),
        _ => None,
    }
}

/// What is piped into `ollama run MODEL`: it goes before the words of the prompt.
fn piped_prompt(argv: &[String]) -> Option<String> {
    let runs = argv.get(1).is_some_and(|word| word == "run")
        && argv.get(2).is_some_and(|word| !word.starts_with('-'));
    let mut text = String::new();
    let piped = runs && !std::io::stdin().is_terminal() && std::io::stdin().read_to_string(&mut text).is_ok();
    (piped && !text.is_empty()).then_some(text)
}

fn generic(env: &BTreeMap<String, String>) -> Result<GenericOptions, String> {
    let Some(json) = env.get("ENGINE_SIM_GENERIC") else {
        return Ok(GenericOptions::default());
    };
    serde_json::from_str(json).map_err(|error| format!("ENGINE_SIM_GENERIC: {error}"))
}

fn play(spec: ProcessSpec) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("engine-sim: {error}");
            return ExitCode::FAILURE;
        }
    };
    let exit = runtime.block_on(async {
        let stop = CancellationToken::new();
        stop_on_signal(&stop);
        let faults = spec
            .fault_file
            .clone()
            .map_or_else(FaultHandle::new, FaultHandle::following);
        run(spec, faults, LogSink::console(), stop).await
    });
    if exit.cause == Cause::CannotStart {
        eprintln!("engine-sim: {}", exit.message);
    }
    ExitCode::from(u8::try_from(exit.code).unwrap_or(1))
}

fn stop_on_signal(stop: &CancellationToken) {
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let Ok(mut signals) = signal(kind) else { continue };
        let stop = stop.clone();
        tokio::spawn(async move {
            signals.recv().await;
            stop.cancel();
        });
    }
}
