//! vLLM's OpenAI-compatible server, as of 0.33: a command line in, a serving engine or the real refusal out.
//! The order of checks is the real one's: arguments, device, model, parallelism, download, memory; then the port answers.

mod args;
mod config;
mod file;
mod flags;
mod journal;
mod memory;
mod metrics;
mod serve;
mod source;

use std::time::Duration;

use self::args::ArgsError;
use self::config::Config;
use self::journal::Journal;
use self::memory::Fit;
use self::source::Source;
use crate::latency;
use crate::process::{Context, Exit};

pub(crate) const VERSION: &str = "0.33.0";

const USAGE: &str = "usage: vllm serve [model_tag] [options]";
const TOP_USAGE: &str = "usage: vllm [-h] [-v] {chat,complete,serve,launch,bench,collect-env,run-batch} ...";

/// Runs what `argv` says.
pub(crate) async fn run(context: Context) -> Exit {
    match lifetime(&context).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn lifetime(context: &Context) -> Result<Exit, Exit> {
    let words = subcommand(context)?;
    let config = configure(context, &words)?;
    let journal = Journal(context.log.clone());
    journal.server(
        "api_server.py:1972",
        &format!("vLLM API server version {VERSION}"),
    );
    let socket = serve::bind(context, &config).map_err(|error| exception(&journal, &error))?;
    let (source, length) = check(context, &config, &journal)?;
    let load = load(context, &config, &journal, source, length);
    let (source, fit) = tokio::select! {
        biased;
        () = context.stop.cancelled() => return Err(interrupted(context)),
        loaded = load => loaded?,
    };
    serve::serve(context, config, source, fit, socket, journal).await
}

/// The words after `vllm serve`; other spellings of the program are resolved as the image does.
fn subcommand(context: &Context) -> Result<Vec<String>, Exit> {
    let argv = &context.spec.argv;
    let program = argv.first().map_or("", String::as_str);
    let name = program.rsplit('/').next().unwrap_or(program);
    if matches!(name, "python" | "python3") {
        return match argv.get(1..3) {
            Some([flag, module]) if flag == "-m" && module == "vllm.entrypoints.openai.api_server" => {
                Ok(argv[3..].to_vec())
            }
            Some([flag, module]) if flag == "-m" => Err(failed(
                context,
                1,
                &format!("/usr/bin/{name}: No module named {module}"),
            )),
            _ => Err(failed(
                context,
                2,
                &format!("{name}: can't open file '{}'", argv.get(1).map_or("", |w| w)),
            )),
        };
    }
    if name != "vllm" {
        return Err(Exit::cannot_start(program));
    }
    match argv.get(1).map(String::as_str) {
        Some("serve") => Ok(argv[2..].to_vec()),
        Some("-v" | "--version") => {
            context.log.out(VERSION);
            Err(Exit::success())
        }
        None | Some("-h" | "--help") => {
            context.log.out(TOP_USAGE);
            Err(Exit::success())
        }
        Some(word) => Err(usage(
            context,
            TOP_USAGE,
            &format!(
                "vllm: error: argument subparser: invalid choice: '{word}' (choose from chat, complete, serve, launch, \
                 bench, collect-env, run-batch)"
            ),
        )),
    }
}

fn configure(context: &Context, words: &[String]) -> Result<Config, Exit> {
    let journal = Journal(context.log.clone());
    let words = file::expand(words, &context.spec.files).map_err(|error| exception(&journal, &error))?;
    let args = args::parse(&words).map_err(|error| match error {
        ArgsError::Help => {
            context.log.out(USAGE);
            Exit::success()
        }
        ArgsError::Usage(message) => usage(context, USAGE, &format!("vllm serve: error: {message}")),
        ArgsError::Unrecognized(_) => usage(context, TOP_USAGE, &format!("vllm: error: {error}")),
        ArgsError::ModelNotFirst => exception(&journal, &format!("ValueError: {error}")),
    })?;
    Config::new(&args, context).map_err(|error| exception(&journal, &error.to_string()))
}

/// What is refused before anything is loaded; returns the model and the longest request.
fn check(context: &Context, config: &Config, journal: &Journal) -> Result<(Source, u64), Exit> {
    if context.spec.gpus.is_empty() {
        return Err(exception(
            journal,
            "RuntimeError: Failed to infer device type, please set the environment variable \
             `VLLM_LOGGING_LEVEL=DEBUG` to turn on verbose logging to help debug the issue.",
        ));
    }
    let source = source::locate(config, context).map_err(|error| exception(journal, &error.to_string()))?;
    journal.server(
        "model.py:631",
        &format!("Resolved architecture: {}", source.shape.architecture),
    );
    let length = max_model_len(context, config, &source).map_err(|error| exception(journal, &error))?;
    journal.server("model.py:2170", &format!("Using max model len {length}"));
    check_parallel(context, config, &source).map_err(|error| exception(journal, &error))?;
    Ok((source, length))
}

fn max_model_len(context: &Context, config: &Config, source: &Source) -> Result<u64, String> {
    let derived = source.shape.context;
    let longer = context.env("VLLM_ALLOW_LONG_MAX_MODEL_LEN") == Some("1");
    match config.max_model_len {
        Some(asked) if asked > derived && !longer => Err(format!(
            "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig\n  Value error, \
             User-specified max_model_len ({asked}) is greater than the derived max_model_len \
             (max_position_embeddings={derived} or model_max_length=None in model's config.json). To allow overriding \
             this maximum, set the env var VLLM_ALLOW_LONG_MAX_MODEL_LEN=1. VLLM_ALLOW_LONG_MAX_MODEL_LEN must be used \
             with extreme caution. If the model uses relative position encoding (RoPE), positions exceeding \
             derived_max_model_len lead to nan. If the model uses absolute position encoding, positions exceeding \
             derived_max_model_len will cause a CUDA array out-of-bounds error."
        )),
        Some(asked) => Ok(asked),
        None => Ok(derived),
    }
}

fn check_parallel(context: &Context, config: &Config, source: &Source) -> Result<(), String> {
    let world = config.world_size();
    let gpus = context.spec.gpus.len() as u64;
    if world * config.data_parallel > gpus {
        return Err(format!(
            "pydantic_core._pydantic_core.ValidationError: 1 validation error for ParallelConfig\n  Value error, World \
             size ({world}) is larger than the number of available GPUs ({gpus}) in this node. If this is intentional \
             and you are using:\n- ray, set '--distributed-executor-backend ray'.\n- multiprocessing, set '--nnodes' \
             appropriately."
        ));
    }
    let heads = u64::from(source.shape.heads);
    if !heads.is_multiple_of(config.tensor_parallel) {
        return Err(format!(
            "pydantic_core._pydantic_core.ValidationError: 1 validation error for VllmConfig\n  Value error, Total \
             number of attention heads ({heads}) must be divisible by tensor parallel size ({}).",
            config.tensor_parallel
        ));
    }
    Ok(())
}

/// Downloads, loads and measures, as the engine's process does.
async fn load(
    context: &Context,
    config: &Config,
    journal: &Journal,
    source: Source,
    length: u64,
) -> Result<(Source, Fit), Exit> {
    let engine_failed = |message: &str| {
        journal.engine_failed(message);
        Exit::exited(1, last_line(message))
    };
    let wait = async |real: Duration| context.faults.load_for(context.spec.speed.load_time(real)).await;
    context.use_memory(host_memory(config))?;
    // Python's imports and the engine's process.
    wait(Duration::from_secs(12)).await;
    let line = format!(
        "Initializing a V1 LLM engine (v{VERSION}) with config: model='{}'",
        config.model
    );
    journal.engine("core.py:139", &line);
    if config.world_size() > 1 && !has_shared_memory(context) {
        context.log.err(
            "NCCL WARN Error while creating shared memory segment /dev/shm/nccl-XhfRXm (size 9637888), error: No space \
             left on device (28)",
        );
        return Err(engine_failed(
            "RuntimeError: NCCL error: unhandled system error (run with NCCL_DEBUG=INFO for details)",
        ));
    }
    journal.engine(
        "gpu_model_runner.py:4978",
        &format!("Starting to load model {}...", config.model),
    );
    if source.download_to.is_some() {
        source::prepare(&source, config, context).map_err(|error| engine_failed(&error.to_string()))?;
        let time = latency::download(source.bytes);
        wait(time).await;
        source::store(&source, config, context).map_err(|error| engine_failed(&error.to_string()))?;
        let line = format!(
            "Time spent downloading weights for {}: {:.6} seconds",
            config.model,
            time.as_secs_f64()
        );
        journal.engine("weight_utils.py:537", &line);
    }
    let gpu = &context.spec.gpus[0];
    let fit = memory::fit(config, &source, gpu, length);
    let reading = latency::weight_loading(source.bytes);
    wait(reading).await;
    let fit = fit.map_err(|error| {
        if matches!(error, memory::FitError::Weights { .. }) {
            context.log.err(format!(
                "(EngineCore pid=62) ERROR Failed to load model - not enough GPU memory. Try lowering \
                 --gpu-memory-utilization to free memory for weights, increasing --tensor-parallel-size, or using \
                 --quantization. See https://docs.vllm.ai/en/latest/configuration/conserving_memory/ for more tips. \
                 (original error: {})",
                error.to_string().trim_start_matches("torch.OutOfMemoryError: ")
            ));
        }
        engine_failed(&error.to_string())
    })?;
    let gib = |bytes: f64| bytes / 1_073_741_824.0;
    let line = format!(
        "Model loading took {:.2} GiB memory and {:.6} seconds",
        gib(fit.weights),
        reading.as_secs_f64()
    );
    journal.engine("gpu_model_runner.py:5088", &line);
    let warm_up = Duration::from_secs(if config.enforce_eager { 5 } else { 25 });
    wait(warm_up).await;
    journal.engine(
        "gpu_worker.py:772",
        &format!("Available KV cache memory: {:.2} GiB", gib(fit.cache)),
    );
    journal.engine(
        "kv_cache_utils.py:1140",
        &format!("GPU KV cache size: {} tokens", fit.tokens),
    );
    #[allow(clippy::cast_precision_loss)]
    let concurrency = fit.tokens as f64 / fit.max_model_len as f64;
    let line = format!(
        "Maximum concurrency for {} tokens per request: {concurrency:.2}x",
        fit.max_model_len
    );
    journal.engine("kv_cache_utils.py:1148", &line);
    let line = format!(
        "init engine (profile, create kv cache, warmup model) took {:.2} s",
        warm_up.as_secs_f64()
    );
    journal.engine("core.py:405", &line);
    Ok((source, fit))
}

/// Python, CUDA's context and pinned buffers: about 2 GiB and 1.5 GiB for each GPU; offloaded weights come on top.
fn host_memory(config: &Config) -> u64 {
    (2 << 30) + (config.world_size() * config.data_parallel * 3) * (512 << 20) + config.host_offload
}

/// Whether `/dev/shm` is more than the 64 MiB that a container has by itself.
fn has_shared_memory(context: &Context) -> bool {
    let files = &context.spec.files;
    files.root == crate::filesystem::Root::Host
        || files
            .mounts
            .iter()
            .any(|mount| mount.container_path.as_os_str() == "/dev/shm")
}

fn interrupted(context: &Context) -> Exit {
    Journal(context.log.clone()).server_failed("KeyboardInterrupt: terminated");
    Exit::exited(130, "KeyboardInterrupt: terminated")
}

fn exception(journal: &Journal, text: &str) -> Exit {
    journal.server_failed(text);
    Exit::exited(1, text)
}

fn usage(context: &Context, usage: &str, error: &str) -> Exit {
    context.log.err(usage);
    failed(context, 2, error)
}

fn failed(context: &Context, code: i32, message: &str) -> Exit {
    context.log.err(message);
    Exit::exited(code, message)
}

fn last_line(text: &str) -> String {
    text.trim_end().to_owned()
}
