//! The command line of `local-ai`, parsed as kong parses it: words and environment in, values or kong's complaint out.
//! It must not know what the options mean.

use std::collections::BTreeMap;

use super::flags::{self, Takes, VARIABLES};

/// Commands of which only `run`, the default, is simulated.
const COMMANDS: &[&str] = &["models", "tts", "transcript"];
/// What `--log-level` may be.
const LOG_LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace"];

/// What a command line and an environment say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Args {
    /// Positional words: models to load.
    pub(crate) models: Vec<String>,
    values: BTreeMap<&'static str, String>,
}

impl Args {
    /// The option's word; `None` when it is not given.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Whether a switch is on.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    /// An integer that the parser has checked.
    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }

    /// The words of a list.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let words = self.text(name).unwrap_or_default().split(',');
        words
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    }

    fn set(&mut self, name: &'static str, takes: Takes, value: String) {
        let earlier = self.values.get(name).filter(|_| takes == Takes::List);
        let value = earlier.map(|words| format!("{words},{value}")).unwrap_or(value);
        self.values.insert(name, value);
    }
}

/// Why nothing is run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArgsError {
    /// kong's own words after `local-ai: error: `.
    #[error("{0}")]
    Usage(String),
    /// `--help`.
    #[error("help")]
    Help,
    /// A command that exists and is not simulated.
    #[error("the command '{0}' of local-ai is not simulated; run is")]
    NotSimulated(String),
}

/// Parses the words after the program's name.
pub(crate) fn parse(words: &[String], env: &BTreeMap<String, String>) -> Result<Args, ArgsError> {
    let mut args = Args::default();
    let (mut at, mut only_models, mut in_command) = (0, false, false);
    while at < words.len() {
        let word = words[at].as_str();
        at += 1;
        if only_models || !word.starts_with('-') || word == "-" {
            match word {
                "run" if !in_command && !only_models => {}
                other if !in_command && COMMANDS.contains(&other) => {
                    return Err(ArgsError::NotSimulated(other.to_owned()));
                }
                model => args.models.push(model.to_owned()),
            }
            in_command = true;
        } else if word == "--" {
            only_models = true;
        } else {
            at += option(&mut args, word, words.get(at))?;
        }
    }
    variables(&mut args, env)?;
    if let Some(level) = args.text("log-level").filter(|level| !LOG_LEVELS.contains(level)) {
        let known = LOG_LEVELS.map_quoted();
        return Err(ArgsError::Usage(format!(
            "--log-level must be one of {known} but got \"{level}\""
        )));
    }
    Ok(args)
}

/// Takes one option; the number of further words that it took.
fn option(args: &mut Args, word: &str, next: Option<&String>) -> Result<usize, ArgsError> {
    if matches!(word, "-h" | "--help") {
        return Err(ArgsError::Help);
    }
    let (spelled, attached) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (word, None),
    };
    let unknown = || ArgsError::Usage(format!("unknown flag {spelled}"));
    let (name, attached) = match spelled.strip_prefix("--") {
        Some(name) => (name, attached),
        None => match word.strip_prefix("-t") {
            Some("") => ("threads", None),
            Some(value) => ("threads", Some(value.trim_start_matches('='))),
            None => return Err(unknown()),
        },
    };
    let (name, takes) = flags::find(name).ok_or_else(unknown)?;
    if takes == Takes::Flag {
        let value = attached.unwrap_or("true");
        args.set(
            name,
            takes,
            checked(name, takes, value).map_err(ArgsError::Usage)?,
        );
        return Ok(0);
    }
    let (word, used) = match (attached, next) {
        (Some(attached), _) => (attached, 0),
        (None, Some(next)) if !next.starts_with('-') => (next.as_str(), 1),
        (None, next) => return Err(ArgsError::Usage(missing(name, takes, next))),
    };
    args.set(name, takes, checked(name, takes, word).map_err(ArgsError::Usage)?);
    Ok(used)
}

fn missing(name: &str, takes: Takes, next: Option<&String>) -> String {
    let kind = match takes {
        Takes::Integer => "int",
        Takes::Float => "float",
        Takes::Duration => "duration",
        Takes::Flag => "bool",
        Takes::Text | Takes::List => "string",
    };
    match next {
        None => format!("--{name}: expected {kind} value but got \"EOL\" (<EOL>)"),
        Some(next) => {
            let kind_of_next = if next.starts_with("--") {
                "long flag"
            } else {
                "short flag"
            };
            format!(
                "--{name}: expected {kind} value but got {next:?} ({kind_of_next}); perhaps try --{name}={next:?}?"
            )
        }
    }
}

/// The value as kong takes it, or its complaint.
fn checked(name: &str, takes: Takes, value: &str) -> Result<String, String> {
    let refused = |what: &str| Err(format!("--{name}: {what}"));
    match takes {
        Takes::Flag => match value.to_lowercase().as_str() {
            "true" | "1" | "yes" => Ok("true".to_owned()),
            "false" | "0" | "no" => Ok("false".to_owned()),
            _ => refused(&format!(
                "bool value must be true, 1, yes, false, 0 or no but got {value:?}"
            )),
        },
        Takes::Integer if value.parse::<i64>().is_err() => {
            refused(&format!("expected a valid 64 bit int but got {value:?}"))
        }
        Takes::Float if value.parse::<f64>().is_err() => {
            refused(&format!("expected a float but got {value:?} (string)"))
        }
        Takes::Duration if !is_duration(value) => refused(&format!("expected duration but got {value:?}")),
        _ => Ok(value.to_owned()),
    }
}

/// Go's form: numbers with a unit each, or a bare zero.
fn is_duration(value: &str) -> bool {
    let mut rest = value.trim_start_matches(['-', '+']);
    if rest == "0" {
        return true;
    }
    while !rest.is_empty() {
        let number = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let unit = ["ns", "us", "ms", "s", "m", "h"].iter().find(|unit| {
            let after = rest[number..].strip_prefix(**unit);
            after.is_some_and(|after| after.is_empty() || after.starts_with(|c: char| c.is_ascii_digit()))
        });
        match unit {
            Some(unit) if number > 0 => rest = &rest[number + unit.len()..],
            _ => return false,
        }
    }
    !value.is_empty()
}

/// Variables fill what the command line did not say.
fn variables(args: &mut Args, env: &BTreeMap<String, String>) -> Result<(), ArgsError> {
    for (name, variables) in VARIABLES {
        let Some((name, takes)) = flags::find(name) else {
            continue;
        };
        if args.values.contains_key(name) {
            continue;
        }
        let Some((variable, value)) = variables.iter().find_map(|v| env.get(*v).map(|value| (v, value)))
        else {
            continue;
        };
        let value = checked(name, takes, value)
            .map_err(|error| ArgsError::Usage(format!("{error} (from envar {variable}={value:?})")))?;
        args.set(name, takes, value);
    }
    Ok(())
}

trait Quoted {
    fn map_quoted(&self) -> String;
}

impl Quoted for &[&str] {
    fn map_quoted(&self) -> String {
        self.iter()
            .map(|word| format!("{word:?}"))
            .collect::<Vec<_>>()
            .join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn models_options_and_variables_are_told_apart() {
        let args = parse(
            &words(
                "tinyllama-chat phi-2 --threads 8 --debug=false --address=:9090 --api-keys a --api-keys b,c",
            ),
            &env(&[
                ("DEBUG", "true"),
                ("LOCALAI_MODELS_PATH", "/m"),
                ("MODELS_PATH", "/n"),
                ("MODELS", "x,y"),
            ]),
        )
        .unwrap();
        assert_eq!(args.models, ["tinyllama-chat", "phi-2"]);
        assert_eq!(args.integer("threads"), Some(8));
        assert!(
            !args.flag("debug"),
            "the command line goes before the environment"
        );
        assert_eq!(args.text("models-path"), Some("/m"));
        assert_eq!((args.list("models").len(), args.list("api-keys").len()), (2, 3));
        let run = parse(&words("run run -t4 -- --odd"), &BTreeMap::new()).unwrap();
        assert_eq!(run.models, ["run", "--odd"]);
    }

    #[test]
    fn refusals_have_kongs_words() {
        let cases = [
            ("--no-such", "unknown flag --no-such"),
            ("-x", "unknown flag -x"),
            (
                "--threads",
                "--threads: expected int value but got \"EOL\" (<EOL>)",
            ),
            (
                "--threads many",
                "--threads: expected a valid 64 bit int but got \"many\"",
            ),
            (
                "--address --debug",
                "--address: expected string value but got \"--debug\" (long flag); perhaps try --address=\"--debug\"?",
            ),
            (
                "--log-level loud",
                "--log-level must be one of \"error\",\"warn\",\"info\",\"debug\",\"trace\" but got \"loud\"",
            ),
            (
                "--localai-config-dir-poll-interval soon",
                "--localai-config-dir-poll-interval: expected duration but got \"soon\"",
            ),
        ];
        for (line, message) in cases {
            let error = parse(&words(line), &BTreeMap::new()).unwrap_err();
            assert_eq!(error, ArgsError::Usage(message.to_owned()), "{line}");
        }
        let error = parse(&[], &env(&[("THREADS", "tcp://10.0.0.1:80")])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "--threads: expected a valid 64 bit int but got \"tcp://10.0.0.1:80\" (from envar \
             THREADS=\"tcp://10.0.0.1:80\")"
        );
        assert_eq!(parse(&words("--help"), &BTreeMap::new()), Err(ArgsError::Help));
        assert!(matches!(
            parse(&words("tts"), &BTreeMap::new()),
            Err(ArgsError::NotSimulated(_))
        ));
        assert!(is_duration("1m30s") && is_duration("0") && !is_duration("5"));
    }
}
