//! The options of `local-ai run`: a table of names. Those of v2.15, which the images that are pinned in the field have,
//! and those that later releases added. It must not parse.

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// `--x` or `--x=true`.
    Flag,
    /// A 64-bit integer.
    Integer,
    /// A number.
    Float,
    /// Go's durations, such as `1m30s`.
    Duration,
    /// Any word.
    Text,
    /// Words separated by commas; may be given again.
    List,
}

const FLAGS: &str = "debug allow-insecure-public-bind auth-enabled auto-approve-nodes auto-upgrade-backends \
    autoload-backend-galleries autoload-galleries cors disable-agents disable-api-key-requirement-for-http-get \
    disable-csrf disable-gallery-endpoint disable-http-compression disable-local-ai-assistant disable-local-auth \
    disable-mcp disable-metrics-endpoint disable-predownload-scan disable-runtime-settings disable-web-ui distributed \
    enable-memory-reclaimer enable-tracing enable-watchdog-busy enable-watchdog-idle f16 federated \
    force-eviction-when-busy log-dedup-logs ollama-api-root-endpoint opaque-errors p2p parallel-requests \
    prefer-development-backends preload-backend-only require-backend-integrity single-active-backend \
    size-aware-eviction use-subtle-key-comparison version";

const INTEGERS: &str = "agent-job-retention-days artifact-download-concurrency context-size http-compression-min-length \
    lru-eviction-max-retries max-active-backends max-concurrent-backend-requests p2p-dht-interval p2p-otp-interval \
    threads tracing-max-body-bytes tracing-max-items upload-limit web-rtc-udp-port";

const FLOATS: &str = "memory-reclaimer-threshold";

const DURATIONS: &str = "localai-config-dir-poll-interval";

const TEXTS: &str = "log-level log-format address audio-path auth-admin-email auth-database-url auth-registration-mode \
    backend-assets-path backend-dev-suffix backend-galleries backend-images-branch-tag backend-images-release-tag \
    backends-path backends-system-path config-path cors-allow-origins data-path external-base-url galleries \
    generated-content-path image-path instance-id localai-config-dir lru-eviction-retry-interval machine-tag \
    model-load-failure-cooldown models-config-file models-path nats-url open-responses-store-ttl p2p-token \
    peer2-peer-network-id preload-models preload-models-config registration-token remote-library storage-url \
    upload-path vram-budget watchdog-busy-timeout watchdog-idle-timeout watchdog-interval";

const LISTS: &str = "api-keys external-backends external-grpc-backends http-get-exempted-endpoints load-to-memory models \
    pii-default-detectors";

/// Variables that stand for options; the first one that is set counts, and an option on the command line goes before.
pub(crate) const VARIABLES: &[(&str, &[&str])] = &[
    ("debug", &["LOCALAI_DEBUG", "DEBUG"]),
    ("log-level", &["LOCALAI_LOG_LEVEL"]),
    ("models-path", &["LOCALAI_MODELS_PATH", "MODELS_PATH"]),
    (
        "backend-assets-path",
        &["LOCALAI_BACKEND_ASSETS_PATH", "BACKEND_ASSETS_PATH"],
    ),
    ("image-path", &["LOCALAI_IMAGE_PATH", "IMAGE_PATH"]),
    ("audio-path", &["LOCALAI_AUDIO_PATH", "AUDIO_PATH"]),
    ("upload-path", &["LOCALAI_UPLOAD_PATH", "UPLOAD_PATH"]),
    ("config-path", &["LOCALAI_CONFIG_PATH", "CONFIG_PATH"]),
    ("localai-config-dir", &["LOCALAI_CONFIG_DIR"]),
    (
        "localai-config-dir-poll-interval",
        &["LOCALAI_CONFIG_DIR_POLL_INTERVAL"],
    ),
    (
        "models-config-file",
        &["LOCALAI_MODELS_CONFIG_FILE", "CONFIG_FILE"],
    ),
    ("galleries", &["LOCALAI_GALLERIES", "GALLERIES"]),
    (
        "autoload-galleries",
        &["LOCALAI_AUTOLOAD_GALLERIES", "AUTOLOAD_GALLERIES"],
    ),
    ("preload-models", &["LOCALAI_PRELOAD_MODELS", "PRELOAD_MODELS"]),
    ("models", &["LOCALAI_MODELS", "MODELS"]),
    (
        "preload-models-config",
        &["LOCALAI_PRELOAD_MODELS_CONFIG", "PRELOAD_MODELS_CONFIG"],
    ),
    ("f16", &["LOCALAI_F16", "F16"]),
    ("threads", &["LOCALAI_THREADS", "THREADS"]),
    ("context-size", &["LOCALAI_CONTEXT_SIZE", "CONTEXT_SIZE"]),
    ("address", &["LOCALAI_ADDRESS", "ADDRESS"]),
    ("cors", &["LOCALAI_CORS", "CORS"]),
    (
        "cors-allow-origins",
        &["LOCALAI_CORS_ALLOW_ORIGINS", "CORS_ALLOW_ORIGINS"],
    ),
    ("upload-limit", &["LOCALAI_UPLOAD_LIMIT", "UPLOAD_LIMIT"]),
    ("api-keys", &["LOCALAI_API_KEY", "API_KEY"]),
    ("disable-web-ui", &["LOCALAI_DISABLE_WEBUI", "DISABLE_WEBUI"]),
    (
        "parallel-requests",
        &["LOCALAI_PARALLEL_REQUESTS", "PARALLEL_REQUESTS"],
    ),
    (
        "single-active-backend",
        &["LOCALAI_SINGLE_ACTIVE_BACKEND", "SINGLE_ACTIVE_BACKEND"],
    ),
    (
        "preload-backend-only",
        &["LOCALAI_PRELOAD_BACKEND_ONLY", "PRELOAD_BACKEND_ONLY"],
    ),
    (
        "external-grpc-backends",
        &["LOCALAI_EXTERNAL_GRPC_BACKENDS", "EXTERNAL_GRPC_BACKENDS"],
    ),
    (
        "enable-watchdog-idle",
        &["LOCALAI_WATCHDOG_IDLE", "WATCHDOG_IDLE"],
    ),
    (
        "watchdog-idle-timeout",
        &["LOCALAI_WATCHDOG_IDLE_TIMEOUT", "WATCHDOG_IDLE_TIMEOUT"],
    ),
    (
        "enable-watchdog-busy",
        &["LOCALAI_WATCHDOG_BUSY", "WATCHDOG_BUSY"],
    ),
    (
        "watchdog-busy-timeout",
        &["LOCALAI_WATCHDOG_BUSY_TIMEOUT", "WATCHDOG_BUSY_TIMEOUT"],
    ),
];

/// The option of this name (aliases resolved), and what it takes.
pub(crate) fn find(name: &str) -> Option<(&'static str, Takes)> {
    let name = match name {
        "config-file" => "models-config-file",
        "p2ptoken" => "p2p-token",
        other => other,
    };
    let kinds = [
        (FLAGS, Takes::Flag),
        (INTEGERS, Takes::Integer),
        (FLOATS, Takes::Float),
        (DURATIONS, Takes::Duration),
        (TEXTS, Takes::Text),
        (LISTS, Takes::List),
    ];
    kinds.iter().find_map(|(names, takes)| {
        let known = names.split_whitespace().find(|known| *known == name)?;
        Some((known, *takes))
    })
}
