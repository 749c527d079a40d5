//! The command line of `tritonserver`, parsed as `getopt_long` and Triton's own checks do: words in, typed options or the
//! real complaint out. It must not know what the options mean.

use std::collections::BTreeMap;

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Nothing,
    Bool,
    Integer,
    Float,
    Text,
}

const SWITCHES: &str = "help disable-auto-complete-config";

const BOOLS: &str = "exit-on-error strict-readiness strict-model-config model-namespacing enable-peer-access allow-http \
    reuse-http-port allow-grpc reuse-grpc-port grpc-use-ssl grpc-use-ssl-mutual log-info log-warning log-error \
    allow-sagemaker allow-vertex-ai allow-metrics allow-gpu-metrics allow-cpu-metrics allow-client-shm";

const INTEGERS: &str = "exit-timeout-secs repository-poll-secs model-load-thread-count model-load-retry-count http-port \
    http-thread-count http-max-input-size grpc-port grpc-infer-thread-count grpc-infer-allocation-pool-size \
    grpc-max-response-pool-size grpc-keepalive-time grpc-keepalive-timeout grpc-keepalive-permit-without-calls \
    grpc-http2-max-pings-without-data grpc-http2-min-recv-ping-interval-without-data grpc-http2-max-ping-strikes \
    grpc-max-connection-age grpc-max-connection-age-grace log-verbose sagemaker-port sagemaker-thread-count \
    vertex-ai-port vertex-ai-thread-count metrics-port pinned-memory-pool-byte-size response-cache-byte-size \
    buffer-manager-thread-count trace-rate trace-count trace-log-frequency";

const FLOATS: &str = "metrics-interval-ms min-supported-compute-capability";

const TEXTS: &str = "id model-store model-repository model-control-mode load-model model-config-name http-address \
    http-header-forward-pattern http-restricted-api grpc-address grpc-header-forward-pattern grpc-server-cert \
    grpc-server-key grpc-root-cert grpc-infer-response-compression-level grpc-restricted-protocol log-format log-file \
    sagemaker-safe-port-range vertex-ai-default-model metrics-address metrics-config trace-config trace-file \
    trace-level cache-config cache-directory rate-limit rate-limit-resource cuda-memory-pool-byte-size \
    cuda-virtual-address-size host-policy model-load-gpu-limit backend-directory backend-config repoagent-directory";

/// What a command line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Args(BTreeMap<&'static str, Vec<String>>);

impl Args {
    /// All values of an option that may be given again.
    pub(crate) fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The last value.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.all(name).last().map(String::as_str)
    }

    pub(crate) fn bool(&self, name: &str, default: bool) -> bool {
        self.text(name).map_or(default, |word| truth(word) == Some(true))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A port, or the default; a number that is no port is refused when the port is opened.
    pub(crate) fn port(&self, name: &str, default: u16) -> Result<u16, String> {
        match self.text(name).map(|word| word.parse::<i64>().unwrap_or(-1)) {
            None => Ok(default),
            Some(number) => u16::try_from(number).map_err(|_| number.to_string()),
        }
    }

    pub(crate) fn number(&self, name: &str, default: u64) -> u64 {
        self.text(name)
            .and_then(|word| word.parse().ok())
            .unwrap_or(default)
    }
}

/// Why the command line is refused: what getopt says first (empty: nothing) and what stands under the usage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{below}")]
pub(crate) struct ArgsError {
    pub(crate) getopt: String,
    pub(crate) below: String,
}

/// Parses the words after `tritonserver`.
pub(crate) fn parse(words: &[String]) -> Result<Args, ArgsError> {
    let mut args = Args::default();
    let getopt = |message: String| ArgsError {
        getopt: format!("tritonserver: {message}"),
        below: String::new(),
    };
    let below = |message: String| ArgsError {
        getopt: String::new(),
        below: message,
    };
    let mut plain = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let word = words[at].as_str();
        at += 1;
        if word == "--" {
            plain.extend(words[at..].iter().map(String::as_str));
            break;
        }
        let Some(spelled) = word.strip_prefix("--") else {
            match word.strip_prefix('-').and_then(|short| short.chars().next()) {
                Some(short) => return Err(getopt(format!("invalid option -- '{short}'"))),
                None => plain.push(word),
            }
            continue;
        };
        let (spelled, attached) = spelled
            .split_once('=')
            .map_or((spelled, None), |(n, v)| (n, Some(v)));
        let (name, takes) = resolve(spelled).map_err(getopt)?;
        if name == "help" {
            return Err(below(String::new()));
        }
        let value = match (takes, attached) {
            (Takes::Nothing, Some(_)) => {
                return Err(getopt(format!("option '--{name}' doesn't allow an argument")));
            }
            (Takes::Nothing, None) => "true",
            (_, Some(value)) => value,
            (_, None) => {
                let next = words
                    .get(at)
                    .ok_or_else(|| getopt(format!("option '--{name}' requires an argument")))?;
                at += 1;
                next.as_str()
            }
        };
        check(takes, value).map_err(|why| below(format!("Bad option: \"--{name}\".\n{why}\n")))?;
        let name = if name == "model-store" {
            "model-repository"
        } else {
            name
        };
        args.0.entry(name).or_default().push(value.to_owned());
    }
    if let Some(word) = plain.first() {
        return Err(below(format!("Unexpected argument: {word}")));
    }
    check_together(&args).map_err(below)?;
    Ok(args)
}

/// The option that a spelling means; a beginning that only one option has will do.
fn resolve(spelled: &str) -> Result<(&'static str, Takes), String> {
    let kinds = [
        (SWITCHES, Takes::Nothing),
        (BOOLS, Takes::Bool),
        (INTEGERS, Takes::Integer),
        (FLOATS, Takes::Float),
        (TEXTS, Takes::Text),
    ];
    let all = || {
        kinds
            .iter()
            .flat_map(|(names, takes)| names.split_whitespace().map(move |name| (name, *takes)))
    };
    if let Some(exact) = all().find(|(name, _)| *name == spelled) {
        return Ok(exact);
    }
    let mut begun = all().filter(|(name, _)| !spelled.is_empty() && name.starts_with(spelled));
    match (begun.next(), begun.next()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(format!("option '--{spelled}' is ambiguous")),
        _ => Err(format!("unrecognized option '--{spelled}'")),
    }
}

fn truth(word: &str) -> Option<bool> {
    match word.to_lowercase().as_str() {
        "true" | "on" | "1" => Some(true),
        "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn check(takes: Takes, value: &str) -> Result<(), String> {
    let invalid = || Err(format!("Invalid option value. Got {value}"));
    match takes {
        Takes::Bool if truth(value).is_none() => Err(format!("invalid value for bool option: {value}")),
        // `--log-verbose` takes the two words as well.
        Takes::Integer if value.parse::<i64>().is_err() && !matches!(value, "true" | "false") => invalid(),
        Takes::Float if value.parse::<f64>().is_err() => invalid(),
        _ => Ok(()),
    }
}

fn check_together(args: &Args) -> Result<(), String> {
    let mode = args.text("model-control-mode").unwrap_or("none");
    if !matches!(mode, "none" | "poll" | "explicit") {
        return Err(
            "Bad option: \"--model-control-mode\".\ninvalid argument for --model-control-mode\n".into(),
        );
    }
    if mode != "explicit" && args.has("load-model") {
        return Err(
            "Error: Use of '--load-model' requires setting '--model-control-mode=explicit' as well.".into(),
        );
    }
    if args.has("response-cache-byte-size") && args.has("cache-config") {
        return Err(
            "Error: Incompatible flags --response-cache-byte-size and --cache-config both provided. Please provide \
             one or the other."
                .into(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn options_are_read_as_getopt_reads_them() {
        let args = parse(&words(
            "--model-repository=/a --model-store /b --http-port 9000 --exit-on-e=off --disable-auto-complete-config",
        ))
        .unwrap();
        assert_eq!(args.all("model-repository"), ["/a", "/b"]);
        assert_eq!(args.port("http-port", 8000), Ok(9000));
        assert_eq!(args.port("grpc-port", 8001), Ok(8001));
        assert!(!args.bool("exit-on-error", true) && args.has("disable-auto-complete-config"));
    }

    #[test]
    fn refusals_have_the_real_words() {
        let cases = [
            ("--no-such", "tritonserver: unrecognized option '--no-such'", ""),
            (
                "--http-port",
                "tritonserver: option '--http-port' requires an argument",
                "",
            ),
            ("--http", "tritonserver: option '--http' is ambiguous", ""),
            ("-v", "tritonserver: invalid option -- 'v'", ""),
            ("--help", "", ""),
            ("tritonserver", "", "Unexpected argument: tritonserver"),
            (
                "--http-port abc",
                "",
                "Bad option: \"--http-port\".\nInvalid option value. Got abc\n",
            ),
            (
                "--exit-on-error=maybe",
                "",
                "Bad option: \"--exit-on-error\".\ninvalid value for bool option: maybe\n",
            ),
            (
                "--load-model=x",
                "",
                "Error: Use of '--load-model' requires setting '--model-control-mode=explicit' as well.",
            ),
        ];
        for (line, getopt, below) in cases {
            let error = parse(&words(line)).unwrap_err();
            assert_eq!(
                (error.getopt.as_str(), error.below.as_str()),
                (getopt, below),
                "{line}"
            );
        }
    }
}
