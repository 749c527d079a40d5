//! The table of `vllm serve`'s options in 0.33: an option's name in, what values it takes out.
//! Names and types as the real parser registers them; it must not parse (`args` does).

/// `--x` and `--no-x` (`--enable-x` also `--disable-x`, and the other way round).
const TOGGLES: &str = "trust-remote-code allow-deprecated-quantization enforce-eager enable-return-routed-experts \
    return-sampling-mask use-fp64-gumbel enable-trace-replay disable-sliding-window disable-cascade-attn \
    skip-tokenizer-init enable-prompt-embeds enable-sleep-mode sleep-mode-offload-cudagraph \
    enable-cumem-allocator enable-nccl-comm-suspend use-tqdm-on-load \
    enable-mamba-cache-stochastic-rounding numa-bind dcp-q-replicate data-parallel-hybrid-lb \
    data-parallel-external-lb enable-hc-sp enable-expert-parallel enable-batch-sharded-sampling \
    enable-ep-weight-filter enable-dbo enable-shm-tensor-arena enable-elastic-ep \
    disable-nccl-for-dp-synchronization enable-eplb ray-workers-use-nsight disable-custom-all-reduce \
    enable-fault-tolerance enable-prefix-caching kv-sharing-fast-prefill swa-bounded-replay \
    enable-mamba-shared-prefix-checkpoint use-replayssm language-model-only enable-mm-embeds \
    mm-encoder-only interleave-mm-strings skip-mm-profiling mm-device-do-normalize enable-lora \
    enable-tower-connector-lora fully-sharded-loras specialize-active-lora enable-mixed-moe-lora-format \
    enable-moe-shared-loras kv-cache-metrics cudagraph-metrics enable-layerwise-nvtx-tracing \
    enable-mfu-metrics enable-logging-iteration-details jit-monitor-verbose \
    long-prefill-token-threshold-adaptive enable-chunked-prefill disable-chunked-mm-input \
    scheduler-reserve-full-isl disable-hybrid-kv-cache-manager async-scheduling \
    enable-flashinfer-autotune monokernel fail-on-environ-validation enable-log-requests \
    trust-request-chat-template trust-request-mm-kwargs return-tokens-as-token-ids \
    enable-auto-tool-choice exclude-tools-when-tool-choice-none enable-prompt-tokens-details \
    enable-per-request-metrics enable-server-load-tracking enable-force-include-usage \
    enable-tokenizer-info-endpoint enable-log-outputs enable-log-deltas cohere-is-reasoning-model \
    log-error-stack tokens-only enable-scale-out disable-uvicorn-access-log allow-credentials \
    enable-ssl-refresh enable-request-id-headers disable-fastapi-docs enable-offline-docs \
    enable-flash-late-interaction";

/// `--x` only.
const SWITCHES: &str =
    "data-parallel-multi-port-external-lb disable-log-stats aggregate-engine-logging headless grpc";

/// Python integers.
const INTEGERS: &str = "seed max-logprobs renderer-num-workers safetensors-prefetch-num-threads mamba-cache-philox-rounds \
    pipeline-parallel-size master-port nnodes node-rank distributed-timeout-seconds \
    cpu-distributed-timeout-seconds tensor-parallel-size decode-context-parallel-size \
    dcp-kv-cache-interleave-size cp-kv-cache-interleave-size prefill-context-parallel-size \
    data-parallel-size data-parallel-rank data-parallel-start-rank data-parallel-size-local \
    data-parallel-rpc-port ubatch-size elastic-ep-max-dp-size dbo-decode-token-threshold \
    dp-sync-interval dbo-prefill-token-threshold max-parallel-loading-workers block-size \
    num-gpu-blocks-override prefix-cache-retention-interval mamba-block-size prefix-match-unit \
    replayssm-buffer-len offload-group-size offload-num-in-group offload-prefetch-step \
    mm-shm-cache-max-object-size-mb max-loras max-cpu-loras max-lora-cls-labels max-num-seqs \
    max-num-active-seqs max-num-queued-reqs long-prefill-token-threshold prefill-schedule-interval \
    stream-interval max-cudagraph-capture-size spec-tokens optimization-level shutdown-timeout \
    max-log-len sse-keep-alive-interval port grpc-port data-parallel-supervisor-port \
    dp-supervisor-probe-failure-threshold ssl-cert-reqs h11-max-incomplete-event-size \
    h11-max-header-count api-server-count";

/// Integers that also take `8k`, `1.5m` (decimal) and `8K`, `1G` (binary).
const HUMAN_INTEGERS: &str = "safetensors-prefetch-block-size kv-cache-memory-bytes max-num-batched-tokens \
    max-num-scheduled-tokens max-num-queued-tokens";

/// Python floats.
const FLOATS: &str = "gpu-memory-utilization kv-offloading-size cpu-offload-gb mm-processor-cache-gb \
    mm-encoder-fp8-scale-save-margin video-pruning-rate mm-ipc-gpu-memory-gb kv-cache-metrics-sample \
    watermark dp-supervisor-probe-interval-s dp-supervisor-probe-timeout-s";

/// Any word.
const STRINGS: &str = "model tokenizer tokenizer-mode hf-config-path allowed-local-media-path revision code-revision \
    tokenizer-revision quantization generation-config sleep-mode-backend model-impl io-processor-plugin \
    load-format download-dir pt-load-map-location attention-backend mamba-backend reasoning-parser \
    reasoning-parser-plugin distributed-executor-backend master-addr device-ids data-parallel-address \
    data-parallel-backend worker-cls worker-extension-cls kv-cache-dtype mamba-cache-mode \
    mm-encoder-attn-backend mm-encoder-fp8-scale-path mm-encoder-fp8-scale-save-path mm-processor-device \
    log-level log-config-file show-hidden-metrics-for-version otlp-traces-endpoint scheduler-cls \
    moe-backend linear-backend sparse-indexer-topk-backend spec-method spec-model chat-template \
    chat-template-content-format response-role tool-call-parser tool-parser-plugin tool-strict-level \
    tool-server cohere-format anthropic-disabled-thinking-effort fingerprint-value host uds \
    disable-access-log-for-endpoints ssl-keyfile ssl-certfile ssl-ca-certs ssl-ciphers root-path \
    middleware config config-format";

/// A JSON document; `--x.key value` sets one member.
const JSON: &str = "quantization-config hf-overrides model-class-overrides pooler-config override-generation-config \
    model-loader-extra-config eplb-config fault-tolerance-config limit-mm-per-prompt media-io-kwargs \
    mm-processor-kwargs default-mm-loras logging-config ir-op-priority speculative-config \
    watermark-config diffusion-config kv-transfer-config kv-events-config ec-transfer-config \
    ec-manager-config compilation-config attention-config engram-config reasoning-config kernel-config \
    additional-config structured-outputs-config aux-output-config profiler-config watchdog-config \
    weight-transfer-config default-chat-template-kwargs reasoning-effort-map allowed-origins \
    allowed-methods allowed-headers custom-histogram-buckets";

/// One or more words.
const LISTS: &str = "allowed-media-domains served-model-name sleep-preserve-parameter-names logits-processors \
    ignore-patterns numa-bind-nodes numa-bind-cpus kv-cache-dtype-skip-layers cpu-offload-params \
    offload-params lora-target-modules cudagraph-capture-sizes lora-modules api-key";

/// Other spellings.
const ALIASES: &[(&str, &str)] = &[
    ("-q", "quantization"),
    ("-pp", "pipeline-parallel-size"),
    ("-n", "nnodes"),
    ("-r", "node-rank"),
    ("-tp", "tensor-parallel-size"),
    ("-dcp", "decode-context-parallel-size"),
    ("-pcp", "prefill-context-parallel-size"),
    ("-dp", "data-parallel-size"),
    ("-dpn", "data-parallel-rank"),
    ("-dpr", "data-parallel-start-rank"),
    ("-dpl", "data-parallel-size-local"),
    ("-dpa", "data-parallel-address"),
    ("-dpp", "data-parallel-rpc-port"),
    ("-dpb", "data-parallel-backend"),
    ("-dph", "data-parallel-hybrid-lb"),
    ("-dpe", "data-parallel-external-lb"),
    ("-dpm", "data-parallel-multi-port-external-lb"),
    ("-ep", "enable-expert-parallel"),
    ("--device-memory-utilization", "gpu-memory-utilization"),
    ("-sc", "speculative-config"),
    ("-dc", "diffusion-config"),
    ("-cc", "compilation-config"),
    ("-ac", "attention-config"),
    ("-asc", "api-server-count"),
];

/// One of some words, as the parser lists them.
const CHOICES: &[(&str, &str)] = &[
    ("dtype", "auto bfloat16 float float16 float32 half"),
    (
        "logprobs-mode",
        "processed_logits processed_logprobs raw_logits raw_logprobs",
    ),
    ("safetensors-load-strategy", "eager lazy prefetch torchao"),
    ("mamba-ssu-algorithm", "auto horizontal simple vertical"),
    ("dcp-comm-backend", "a2a ag_rs"),
    (
        "all2all-backend",
        "allgather_reducescatter deepep_high_throughput deepep_low_latency deepep_v2 flashinfer_all2allv flashinfer_nvlink_one_sided flashinfer_nvlink_two_sided moonep mori_high_throughput mori_low_latency naive nixl_ep passthrough pplx",
    ),
    ("expert-placement-strategy", "linear round_robin"),
    (
        "prefix-caching-hash-algo",
        "sha256 sha256_cbor xxhash xxhash_cbor",
    ),
    ("mamba-cache-dtype", "auto bfloat16 float16 float32"),
    ("mamba-ssm-cache-dtype", "auto bfloat16 float16 float32"),
    ("kv-offloading-backend", "lmcache native"),
    ("offload-backend", "auto prefetch uva"),
    ("mm-processor-cache-type", "lru shm"),
    ("mm-hasher-algorithm", "blake3 sha256 sha512"),
    ("mm-encoder-tp-mode", "data weights"),
    ("mm-encoder-attn-dtype", "fp8"),
    ("video-pruning-method", "evs vidcom2"),
    ("mm-tensor-ipc", "direct_rpc torch_shm"),
    ("max-lora-rank", "1 8 16 32 64 128 256 320 512"),
    ("lora-dtype", "auto bfloat16 float16"),
    ("collect-detailed-traces", "all model worker"),
    ("per-request-spec-decode-metrics", "detailed none summary"),
    ("jit-monitor-mode", "error warn"),
    ("scheduling-policy", "fcfs priority"),
    ("performance-mode", "balanced interactivity throughput"),
    (
        "gdn-prefill-backend",
        "aiter_flydsl cutedsl flashinfer sycl triton",
    ),
    ("kda-prefill-backend", "auto flashinfer flashkda fused triton"),
    ("kda-decode-backend", "auto flashinfer native triton"),
    ("fingerprint-mode", "custom full hash none"),
    ("uvicorn-log-level", "critical debug error info trace warning"),
    ("runner", "auto draft generate pooling"),
    ("convert", "auto classify embed none"),
];

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Nothing; `--no-x` sets it to false.
    Toggle,
    /// Nothing.
    Switch,
    Integer,
    HumanInteger,
    /// As `HumanInteger`, also `auto` and `-1`.
    HumanIntegerOrAuto,
    Float,
    Text,
    Json,
    List,
    /// A word or nothing.
    OptionalText,
    /// One of these, separated by blanks.
    Choice(&'static str),
}

/// What the option of this long name (without dashes) takes.
pub(crate) fn takes(name: &str) -> Option<Takes> {
    let listed = |words: &str| words.split_whitespace().any(|word| word == name);
    let choice = || {
        CHOICES
            .iter()
            .find(|(option, _)| *option == name)
            .map(|(_, words)| Takes::Choice(words))
    };
    match name {
        "max-model-len" => Some(Takes::HumanIntegerOrAuto),
        "hf-token" => Some(Takes::OptionalText),
        _ if listed(TOGGLES) => Some(Takes::Toggle),
        _ if listed(SWITCHES) => Some(Takes::Switch),
        _ if listed(INTEGERS) => Some(Takes::Integer),
        _ if listed(HUMAN_INTEGERS) => Some(Takes::HumanInteger),
        _ if listed(FLOATS) => Some(Takes::Float),
        _ if listed(STRINGS) => Some(Takes::Text),
        _ if listed(JSON) => Some(Takes::Json),
        _ if listed(LISTS) => Some(Takes::List),
        _ => choice(),
    }
}

/// The long name behind another spelling, e.g. `-tp`.
pub(crate) fn alias(spelling: &str) -> Option<&'static str> {
    ALIASES
        .iter()
        .find(|(short, _)| *short == spelling)
        .map(|(_, long)| *long)
}

/// The other spellings of an option, as error messages list them (`--tensor-parallel-size/-tp`).
pub(crate) fn spellings(name: &str) -> String {
    let others = ALIASES
        .iter()
        .filter(|(_, long)| *long == name)
        .map(|(short, _)| format!("/{short}"));
    format!("--{name}{}", others.collect::<String>())
}

/// All long options that begin with `prefix` (argparse takes a unique beginning for the whole).
pub(crate) fn starting_with(prefix: &str) -> Vec<&'static str> {
    let lists = [
        TOGGLES,
        SWITCHES,
        INTEGERS,
        HUMAN_INTEGERS,
        FLOATS,
        STRINGS,
        JSON,
        LISTS,
        "max-model-len hf-token",
    ];
    let words = lists.into_iter().flat_map(str::split_whitespace);
    let all = words.chain(CHOICES.iter().map(|(name, _)| *name));
    all.filter(|name| name.starts_with(prefix)).collect()
}
