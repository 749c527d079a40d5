//! `llm-operator fit`: one question to the sizing, and its answer as text.
//!
//! In: a model's name, GPUs, wishes. Out: what would run, and the arithmetic. It decides nothing.

use serving::sizing::{Ask, Sizing, size, words::gib};

use crate::{cli::FitArgs, models};

/// Prints the choice; what does not fit is the error.
pub fn main(args: &FitArgs) -> Result<(), String> {
    let (catalogue, wrong) = models::catalogue(args.catalogue.as_deref())?;
    for error in &wrong {
        eprintln!("warning: {error}");
    }
    let ask = Ask {
        gpu_type: Some(&args.gpu),
        gpus: args.gpus,
        context: args.context,
        concurrency: args.concurrency,
        quantization: args.quantization,
        engine: args.engine,
        ..Ask::default()
    };
    let entry = catalogue.find(&args.model).map_err(|error| error.to_string())?;
    let sizing = size(entry, &ask).map_err(|error| error.to_string())?;
    crate::print(&text(&sizing))
}

fn text(sizing: &Sizing) -> String {
    let gated = if sizing.gated {
        ", gated: Secret hf-token is needed"
    } else {
        ""
    };
    let shm = match sizing.shm_bytes {
        0 => String::new(),
        bytes => format!(", {} of shared memory", gib(bytes)),
    };
    let rows = [
        ("model", sizing.model.clone()),
        ("source", format!("{}{gated}", sizing.source)),
        (
            "engine",
            format!("{}, image {}", sizing.engine.as_str(), sizing.image),
        ),
        ("arguments", sizing.args.join(" ")),
        (
            "variables",
            sizing
                .env
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
                .join(" "),
        ),
        ("GPUs", format!("{} x {}", sizing.gpus, sizing.gpu_product)),
        ("quantization", sizing.quantization.to_string()),
        (
            "sequences",
            format!(
                "{} at once, of {} tokens",
                sizing.concurrency, sizing.max_model_len
            ),
        ),
        (
            "host",
            format!(
                "{} CPUs, {} of memory{shm}",
                sizing.cpus,
                gib(sizing.memory_bytes)
            ),
        ),
        ("claim", gib(sizing.claim_bytes)),
        (
            "start-up",
            format!("up to {} minutes", sizing.startup_seconds.div_ceil(60)),
        ),
    ];
    let rows = rows.iter().filter(|(_, value)| !value.is_empty());
    let rows = rows.map(|(name, value)| format!("{name:<14}{value}\n"));
    let arithmetic = sizing.arithmetic.lines().map(|line| format!("{line}.\n"));
    rows.chain(std::iter::once("\n".to_owned()))
        .chain(arithmetic)
        .collect()
}
