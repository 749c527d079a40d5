//! What a command line and an environment mean for a vLLM server: parsed arguments in, checked settings out.
//! It must not look at models, GPUs or files.

use super::args::Args;
use crate::process::Context;

/// Default share of GPU memory that vLLM 0.33 takes.
const UTILIZATION: f64 = 0.92;

const QUANTIZATION: &str = "awq auto_awq fp8 fbgemm_fp8 fp_quant modelopt modelopt_fp4 modelopt_mxfp8 modelopt_mixed \
    auto_gptq gptq gptq_marlin awq_marlin humming compressed-tensors experts_int8 quark moe_wna16 torchao inc mxfp4 \
    gpt_oss_mxfp4 deepseek_v4_fp8 online fp8_per_tensor fp8_per_block fp8_per_channel int8_per_channel_weight_only \
    nvfp4_per_token mxfp8";

const LOAD_FORMATS: &str = "auto hf dummy fastsafetensors instanttensor ipc_cache mistral modelexpress npcache pt \
    runai_streamer runai_streamer_sharded safetensors sharded_state tensorizer";

/// Settings of a server.
#[allow(clippy::struct_excessive_bools)] // independent switches, as the command line has them
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Config {
    pub(crate) model: String,
    pub(crate) served_names: Vec<String>,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tensor_parallel: u64,
    pub(crate) pipeline_parallel: u64,
    pub(crate) data_parallel: u64,
    /// `None`: what the model's configuration says.
    pub(crate) max_model_len: Option<u64>,
    /// Shrink the length to what fits.
    pub(crate) auto_model_len: bool,
    pub(crate) utilization: f64,
    pub(crate) kv_cache_memory: Option<u64>,
    pub(crate) kv_bytes: u64,
    pub(crate) dtype: String,
    pub(crate) quantization: Option<String>,
    pub(crate) load_format: String,
    pub(crate) download_dir: Option<String>,
    pub(crate) revision: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) max_num_seqs: Option<u64>,
    pub(crate) max_batched_tokens: Option<u64>,
    pub(crate) enforce_eager: bool,
    pub(crate) enable_lora: bool,
    pub(crate) lora_modules: Vec<(String, String)>,
    pub(crate) api_keys: Vec<String>,
    pub(crate) host_offload: u64,
    pub(crate) drain_seconds: u64,
    pub(crate) log_stats: bool,
    pub(crate) access_log: bool,
    pub(crate) root_path: String,
}

/// A Python exception of the configuration step.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConfigError {
    /// A field out of its range, in pydantic's words.
    #[error(
        "pydantic_core._pydantic_core.ValidationError: 1 validation error for {section}\n{field}\n  {message}"
    )]
    Range {
        section: &'static str,
        field: &'static str,
        message: String,
    },
    /// A check of a whole section.
    #[error(
        "pydantic_core._pydantic_core.ValidationError: 1 validation error for {section}\n  Value error, {message}"
    )]
    Section { section: &'static str, message: String },
    /// A plain exception.
    #[error("{0}")]
    Plain(String),
}

impl Config {
    pub(crate) fn new(args: &Args, context: &Context) -> Result<Self, ConfigError> {
        let utilization = args.float("gpu-memory-utilization").unwrap_or(UTILIZATION);
        check_utilization(utilization)?;
        let (max_model_len, auto_model_len) = model_len(args)?;
        let model = args.model.clone().unwrap_or_else(|| "Qwen/Qwen3-0.6B".into());
        let mut served_names = args.list("served-model-name").to_vec();
        if served_names.is_empty() {
            served_names.push(model.clone());
        }
        let mut api_keys = args.list("api-key").to_vec();
        if api_keys.is_empty() {
            api_keys.extend(context.env("VLLM_API_KEY").map(str::to_owned));
        }
        let kv_dtype = args.text("kv-cache-dtype").unwrap_or("auto");
        let token = args
            .text("hf-token")
            .or_else(|| context.env("HF_TOKEN"))
            .or_else(|| context.env("HUGGING_FACE_HUB_TOKEN"));
        Ok(Self {
            served_names,
            host: args.text("host").unwrap_or_default().to_owned(),
            port: port(args)?,
            tensor_parallel: positive(
                args,
                "tensor-parallel-size",
                "ParallelConfig",
                "tensor_parallel_size",
            )?
            .unwrap_or(1),
            pipeline_parallel: positive(
                args,
                "pipeline-parallel-size",
                "ParallelConfig",
                "pipeline_parallel_size",
            )?
            .unwrap_or(1),
            data_parallel: positive(args, "data-parallel-size", "ParallelConfig", "data_parallel_size")?
                .unwrap_or(1),
            max_model_len,
            auto_model_len,
            utilization,
            kv_cache_memory: args
                .integer("kv-cache-memory-bytes")
                .and_then(|bytes| u64::try_from(bytes).ok()),
            kv_bytes: if kv_dtype.starts_with("fp8") || kv_dtype.starts_with("int8") {
                1
            } else {
                2
            },
            dtype: args.text("dtype").unwrap_or("auto").to_owned(),
            quantization: quantization(args)?,
            load_format: load_format(args)?,
            download_dir: args.text("download-dir").map(str::to_owned),
            revision: args.text("revision").map(str::to_owned),
            token: token.map(str::to_owned),
            max_num_seqs: positive(args, "max-num-seqs", "SchedulerConfig", "max_num_seqs")?,
            max_batched_tokens: positive(
                args,
                "max-num-batched-tokens",
                "SchedulerConfig",
                "max_num_batched_tokens",
            )?,
            enforce_eager: args.flag("enforce-eager"),
            enable_lora: args.flag("enable-lora"),
            lora_modules: args
                .list("lora-modules")
                .iter()
                .filter_map(|module| lora(module))
                .collect(),
            api_keys,
            host_offload: gib(args.float("cpu-offload-gb")) + gib(args.float("kv-offloading-size")),
            drain_seconds: args
                .integer("shutdown-timeout")
                .and_then(|s| u64::try_from(s).ok())
                .unwrap_or(0),
            log_stats: !args.flag("disable-log-stats"),
            access_log: !args.flag("disable-uvicorn-access-log")
                && matches!(
                    args.text("uvicorn-log-level"),
                    None | Some("info" | "debug" | "trace")
                ),
            root_path: args
                .text("root-path")
                .unwrap_or_default()
                .trim_end_matches('/')
                .to_owned(),
            model,
        })
    }

    /// GPUs that one engine needs.
    pub(crate) fn world_size(&self) -> u64 {
        self.tensor_parallel * self.pipeline_parallel
    }
}

fn check_utilization(value: f64) -> Result<(), ConfigError> {
    let range = |rule: &str, kind: &str| {
        let message =
            format!("Input should be {rule} [type={kind}, input_value={value:?}, input_type=float]");
        Err(ConfigError::Range {
            section: "CacheConfig",
            field: "gpu_memory_utilization",
            message,
        })
    };
    if value > 1.0 {
        return range("less than or equal to 1", "less_than_equal");
    }
    if value > 0.0 {
        Ok(())
    } else {
        range("greater than 0", "greater_than")
    }
}

fn positive(
    args: &Args,
    option: &str,
    section: &'static str,
    field: &'static str,
) -> Result<Option<u64>, ConfigError> {
    match args.integer(option) {
        None => Ok(None),
        Some(value) if value >= 1 => Ok(Some(value.unsigned_abs())),
        Some(value) => {
            let message = format!(
                "Input should be greater than or equal to 1 [type=greater_than_equal, input_value={value}, input_type=int]"
            );
            Err(ConfigError::Range {
                section,
                field,
                message,
            })
        }
    }
}

fn model_len(args: &Args) -> Result<(Option<u64>, bool), ConfigError> {
    match args.integer("max-model-len") {
        None => Ok((None, false)),
        Some(-1) => Ok((None, true)),
        Some(value) if value >= 1 => Ok((Some(value.unsigned_abs()), false)),
        Some(value) => Err(ConfigError::Section {
            section: "ModelConfig",
            message: format!(
                "max_model_len must be a positive integer, got int: {value}. Example: max_model_len=2048"
            ),
        }),
    }
}

fn port(args: &Args) -> Result<u16, ConfigError> {
    let port = args.integer("port").unwrap_or(8000);
    u16::try_from(port).map_err(|_| ConfigError::Plain("OverflowError: bind(): port must be 0-65535.".into()))
}

fn quantization(args: &Args) -> Result<Option<String>, ConfigError> {
    let Some(method) = args.text("quantization").filter(|method| *method != "None") else {
        return Ok(None);
    };
    if QUANTIZATION.split_whitespace().any(|known| known == method) {
        return Ok(Some(method.to_owned()));
    }
    let known = QUANTIZATION
        .split_whitespace()
        .map(|m| format!("'{m}'"))
        .collect::<Vec<_>>()
        .join(", ");
    let message = format!("Unknown quantization method: {method}. Must be one of [{known}].");
    Err(ConfigError::Section {
        section: "ModelConfig",
        message,
    })
}

fn load_format(args: &Args) -> Result<String, ConfigError> {
    let format = args.text("load-format").unwrap_or("auto");
    if LOAD_FORMATS.split_whitespace().any(|known| known == format) {
        return Ok(format.to_owned());
    }
    Err(ConfigError::Plain(format!(
        "ValueError: Load format `{format}` is not supported"
    )))
}

/// `name=path`, or the JSON form.
fn lora(module: &str) -> Option<(String, String)> {
    if let Ok(value) = serde_json::from_str::<serde_json::Value>(module) {
        let member = |name: &str| value.get(name).and_then(|v| v.as_str()).map(str::to_owned);
        return Some((member("name")?, member("path")?));
    }
    module
        .split_once('=')
        .map(|(name, path)| (name.to_owned(), path.to_owned()))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn gib(amount: Option<f64>) -> u64 {
    (amount.unwrap_or(0.0).max(0.0) * 1_073_741_824.0) as u64
}
