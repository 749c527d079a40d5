//! Why a container ended.
//!
//! In: exit code, the kubelet's reason, the last words of the program, probe events. Out: the most exact cause known.
//! Must not: change its words while the kubelet waits, retries and waits again; only the restart count moves.

use super::Case;
use crate::{
    Finding, Reason,
    facts::{ContainerFacts, ProbeFacts, Termination},
    redact,
};

/// A container that ran longer past its startup budget than this had passed its startup probe (Kubernetes' default grace
/// period is 30 s; engines that drain requests get some minutes).
const LONGEST_GRACE_SECONDS: i64 = 300;

/// Words of CUDA, HIP, `PyTorch`, vLLM and llama.cpp when a model does not fit into GPU memory.
const GPU_MEMORY: [&str; 12] = [
    "CUDA out of memory",
    "HIP out of memory",
    "torch.OutOfMemoryError",
    "torch.cuda.OutOfMemoryError",
    "CUDA error: out of memory",
    "cudaMalloc failed: out of memory",
    "CUDA_ERROR_OUT_OF_MEMORY",
    "No available memory for the cache blocks",
    "KV cache is needed, which is larger than",
    "larger than the maximum number of tokens that can be stored in KV cache",
    "less than desired GPU memory utilization",
    "unable to allocate CUDA",
];
/// Words of argparse, clap, cobra, Go's flag package and llama.cpp when they refuse a command line.
const ARGUMENTS: [&str; 11] = [
    "unrecognized arguments",
    "the following arguments are required",
    "error: argument ",
    "invalid choice:",
    "unexpected argument",
    "required arguments were not provided",
    "unknown flag:",
    "unknown shorthand flag",
    "unknown command",
    "flag provided but not defined",
    "error: invalid argument",
];
/// Words of Hugging Face's client when the hub refuses a model.
const ACCESS: [&str; 6] = [
    "is restricted. You must have access",
    "is restricted and you are not in the authorized list",
    "Cannot access gated repo",
    "401 Client Error",
    "403 Client Error",
    "is not a valid model identifier listed on",
];

/// The finding about a container that ended and should not have.
pub(super) fn explain(case: &Case<'_>, container: &ContainerFacts, ending: &Termination) -> Finding {
    let words = ending.message.as_deref().unwrap_or_default();
    let reason = ending.reason.as_deref().unwrap_or_default();
    let tail = format!("(restarts: {})", container.restarts);
    let subject = case.subject(container);
    if reason == "OOMKilled" {
        return out_of_memory(&subject, container, &tail);
    }
    if matches!(reason, "StartError" | "ContainerCannotRun") {
        return super::kubelet::cannot_run(case, container, words);
    }
    if let Some(line) = line_with(words, &GPU_MEMORY) {
        return Finding::new(
            Reason::GpuOutOfMemory,
            format!(
                "The model does not fit into GPU memory: {subject} ended with exit code {} {tail}: {line}. Use more \
                 or larger GPUs, a quantized model, or a shorter context length.",
                ending.exit_code
            ),
        );
    }
    if let Some(line) = line_with(words, &["model requires more system memory"]) {
        return Finding::new(
            Reason::OutOfMemory,
            format!(
                "The model does not fit into main memory: {subject} says: {line}. Raise the memory limit."
            ),
        );
    }
    if let Some(line) = line_with(words, &ACCESS) {
        return Finding::new(
            Reason::ModelAccessDenied,
            format!(
                "The model cannot be fetched: {subject} ended with exit code {} {tail}: {line}. Get access to the \
                 model and give the engine a token that has it (HF_TOKEN), or correct the model's name.",
                ending.exit_code
            ),
        );
    }
    let usage = || ending.exit_code == 2 && words.lines().any(is_usage);
    if let Some(line) = line_with(words, &ARGUMENTS).or_else(|| usage().then(|| redact::cause_line(words))) {
        return Finding::new(
            Reason::EngineRefusedArguments,
            format!(
                "The engine refuses its command line: {subject} ended with exit code {} {tail}: {line}. Correct args \
                 or command.",
                ending.exit_code
            ),
        );
    }
    by_probe(case, container, ending, &subject, &tail)
        .unwrap_or_else(|| plain(case, container, ending, &subject, &tail))
}

fn out_of_memory(subject: &str, container: &ContainerFacts, tail: &str) -> Finding {
    let (limit, way_out) = match &container.memory_limit {
        Some(limit) => (
            format!("its memory limit of {limit}"),
            "Raise the limit, or use a smaller model or context.",
        ),
        None => (
            "the memory of its node".to_owned(),
            "Set a memory request and limit, or use a node with more memory.",
        ),
    };
    Finding::new(
        Reason::OutOfMemory,
        format!(
            "{} was killed because it used more than {limit} {tail}. {way_out}",
            capital(subject)
        ),
    )
}

/// The kubelet ends a container whose startup or liveness probe gives up: SIGTERM, then SIGKILL.
fn by_probe(
    case: &Case<'_>,
    container: &ContainerFacts,
    ending: &Termination,
    subject: &str,
    tail: &str,
) -> Option<Finding> {
    let unhealthy = |prefix: &str| {
        case.latest("Unhealthy", |event| {
            Case::about(event, container) && event.message.starts_with(prefix)
        })
    };
    // A program may also answer SIGTERM with an exit code of its own, then only time and events tell.
    let signalled = matches!(ending.exit_code, 137 | 143 | 0);
    if let Some(startup) = container
        .startup
        .as_ref()
        .filter(|startup| signalled && spent_budget(startup, ending))
    {
        let answer = unhealthy("Startup probe")
            .and_then(|event| event.message.split_once(": "))
            .map_or(String::new(), |(_, words)| {
                format!(" (last answer: {})", super::running::answer(words))
            });
        return Some(Finding::new(
            Reason::LoadTimeout,
            format!(
                "{} was killed because its startup probe {} did not pass within {} {tail}{answer}. Raise the \
                     startup probe's budget, use faster storage, or correct the probe's port or path.",
                capital(subject),
                startup.target,
                super::running::budget(startup.budget_seconds),
            ),
        ));
    }
    let liveness = container.liveness.as_ref()?;
    let event = unhealthy("Liveness probe").filter(|_| signalled)?;
    let words = event.message.split_once(": ").map_or("", |(_, words)| words);
    Some(Finding::new(
        Reason::ProbeFailing,
        format!(
            "{} was killed because its liveness probe {} failed {tail}: {}. Correct the probe, or look at what blocks \
             the engine: {}",
            capital(subject),
            liveness.target,
            super::running::answer(words),
            case.previous_log(container)
        ),
    ))
}

fn plain(
    case: &Case<'_>,
    container: &ContainerFacts,
    ending: &Termination,
    subject: &str,
    tail: &str,
) -> Finding {
    let code = match ending.exit_code {
        137 => "exit code 137 (killed)".to_owned(),
        139 => "exit code 139 (segmentation fault)".to_owned(),
        134 => "exit code 134 (aborted)".to_owned(),
        143 => "exit code 143 (terminated)".to_owned(),
        126 => "exit code 126 (command cannot be executed)".to_owned(),
        127 => "exit code 127 (command not found)".to_owned(),
        0 => "exit code 0, though a server should keep running".to_owned(),
        other => format!("exit code {other}"),
    };
    let line = redact::cause_line(ending.message.as_deref().unwrap_or_default());
    let said = if line.is_empty() {
        String::new()
    } else {
        format!(": {}", line.trim_end_matches('.'))
    };
    Finding::new(
        Reason::CrashLooping,
        format!(
            "{} ended with {code} {tail}{said}. See {}",
            capital(subject),
            case.previous_log(container)
        ),
    )
}

/// The kubelet backs off, but no longer knows how the container ended.
pub(super) fn without_ending(case: &Case<'_>, container: &ContainerFacts) -> Finding {
    Finding::new(
        Reason::CrashLooping,
        format!(
            "{} ends again and again (restarts: {}). See {}",
            capital(&case.subject(container)),
            container.restarts,
            case.previous_log(container)
        ),
    )
}

/// One ending that says nothing about the next run: a clean end, an outside SIGTERM, a restarted node.
pub(super) fn harmless(container: &ContainerFacts, ending: &Termination) -> bool {
    let outside = matches!(ending.exit_code, 0 | 143 | 255)
        || ending.reason.as_deref() == Some("ContainerStatusUnknown");
    let probe_killed = container
        .startup
        .as_ref()
        .is_some_and(|probe| spent_budget(probe, ending));
    container.restarts <= 1 && outside && !probe_killed
}

/// It ran as long as a startup probe lets a container run that never answers. The kubelet acts at the last failure, one
/// period before the budget's end, and then gives the program its grace period.
fn spent_budget(startup: &ProbeFacts, ending: &Termination) -> bool {
    let first = startup.budget_seconds.saturating_sub(startup.period_seconds);
    let last = startup.budget_seconds.saturating_add(LONGEST_GRACE_SECONDS);
    ending
        .ran_seconds
        .is_some_and(|ran| (first..=last).contains(&ran))
}

pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// A line of a program that tells its own usage, or refuses it as argparse and clap do. Exit code 2 alone does not say so:
/// tar ends with it as well.
fn is_usage(line: &str) -> bool {
    line.contains("usage:") || line.contains(": error:") || line.trim_start().starts_with("error:")
}

/// The last line that contains one of the words, cleaned.
fn line_with(text: &str, words: &[&str]) -> Option<String> {
    text.lines()
        .rev()
        .find(|line| words.iter().any(|word| line.contains(word)))
        .map(|line| redact::clean(line).trim_end_matches('.').to_owned())
}
