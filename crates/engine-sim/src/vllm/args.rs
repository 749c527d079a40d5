//! The command line of `vllm serve`, parsed as Python's argparse and vLLM's additions to it do: words in, typed values
//! or the real parser's complaint out. It must not know what the options mean.

use std::collections::BTreeMap;

use super::flags::{self, Takes};

/// A parsed value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Flag(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<String>),
}

/// What a command line says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Args {
    /// The positional model, or `--model`.
    pub(crate) model: Option<String>,
    values: BTreeMap<&'static str, Value>,
}

impl Args {
    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.values.get(name), Some(Value::Flag(true)))
    }

    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        if let Some(Value::Integer(number)) = self.values.get(name) {
            Some(*number)
        } else {
            None
        }
    }

    pub(crate) fn float(&self, name: &str) -> Option<f64> {
        if let Some(Value::Float(number)) = self.values.get(name) {
            Some(*number)
        } else {
            None
        }
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        if let Some(Value::Text(text)) = self.values.get(name) {
            Some(text)
        } else {
            None
        }
    }

    pub(crate) fn list(&self, name: &str) -> &[String] {
        if let Some(Value::List(words)) = self.values.get(name) {
            words
        } else {
            &[]
        }
    }
}

/// Why the parser refuses a command line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArgsError {
    /// The subcommand's parser: `vllm serve: error: …`, exit code 2.
    #[error("{0}")]
    Usage(String),
    /// Words that nobody took: the program's own parser says it, exit code 2.
    #[error("unrecognized arguments: {0}")]
    Unrecognized(String),
    /// A Python `ValueError`, exit code 1.
    #[error(
        "`model` should be provided as the first positional argument when using `vllm serve`. \
         i.e. `vllm serve <model> --<arg> <value>`."
    )]
    ModelNotFirst,
    /// `--help`: exit code 0.
    #[error("help")]
    Help,
}

/// Parses the words after `vllm serve`.
pub(crate) fn parse(words: &[String]) -> Result<Args, ArgsError> {
    let words: Vec<_> = model_first(words)?.into_iter().map(optimization_level).collect();
    let mut args = Args::default();
    let mut unknown = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let word = words[at].as_str();
        at += 1;
        if word == "--help" || word == "-h" || word.starts_with("--help=") {
            return Err(ArgsError::Help);
        }
        if !is_option(word) {
            match args.model {
                None => args.model = Some(word.to_owned()),
                Some(_) => unknown.push(word.to_owned()),
            }
            continue;
        }
        let (spelling, attached) = split(word);
        let Some(option) = resolve(&spelling)? else {
            unknown.push(word.to_owned());
            continue;
        };
        let (value, taken) = option.value(attached, &words[at..])?;
        at += taken;
        if option.name == "model" {
            if let (None, Value::Text(model)) = (&args.model, value) {
                args.model = Some(model);
            }
        } else {
            args.values.insert(option.name, value);
        }
    }
    if unknown.is_empty() {
        Ok(args)
    } else {
        Err(ArgsError::Unrecognized(unknown.join(" ")))
    }
}

/// `-O3` and `-O=3` are short for the long option with its value.
fn optimization_level(word: String) -> String {
    match word.strip_prefix("-O").map(|level| level.trim_start_matches('=')) {
        Some("") => "--optimization-level".to_owned(),
        Some(level) => format!("--optimization-level={level}"),
        None => word,
    }
}

/// `--model X` counts as the positional one and comes first, as the real parser rewrites it.
fn model_first(words: &[String]) -> Result<Vec<String>, ArgsError> {
    let mut words = words.to_vec();
    if let Some(at) = words
        .iter()
        .position(|word| word == "--model" || word.starts_with("--model="))
    {
        let word = words.remove(at);
        let model = match word.strip_prefix("--model=") {
            Some(model) => model.to_owned(),
            None if at < words.len() => words.remove(at),
            None => return Err(expected_one("model")),
        };
        words.insert(0, model);
        return Ok(words);
    }
    let named = |word: &String| {
        let name = word.split('=').next().unwrap_or(word).replace('_', "-");
        name == "--served-model-name"
    };
    let starts_with_option = words.first().is_some_and(|word| word.starts_with('-'));
    if starts_with_option && words.iter().any(named) && !words.iter().any(|word| word.starts_with("--config"))
    {
        return Err(ArgsError::ModelNotFirst);
    }
    Ok(words)
}

/// Whether argparse takes the word for an option: a dash in front, unless it is a negative number.
fn is_option(word: &str) -> bool {
    word.len() > 1 && word.starts_with('-') && word.parse::<f64>().is_err()
}

/// Spelling (underscores of long names turned into dashes) and the value after `=`.
fn split(word: &str) -> (String, Option<&str>) {
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (word, None),
    };
    let name = match (name.starts_with("--"), name.split_once('.')) {
        (true, Some((option, member))) => format!("{}.{member}", option.replace('_', "-")),
        (true, None) => name.replace('_', "-"),
        _ => name.to_owned(),
    };
    (name, value)
}

/// An option as it was spelled.
struct Spelled {
    name: &'static str,
    takes: Takes,
    /// `--no-x` or the other of `--enable-x` and `--disable-x`.
    negated: bool,
    /// `--x.member`: a piece of a JSON document.
    member: bool,
}

fn resolve(spelling: &str) -> Result<Option<Spelled>, ArgsError> {
    let found = |name: &'static str, negated, member| {
        flags::takes(name).map(|takes| Spelled {
            name,
            takes,
            negated,
            member,
        })
    };
    if let Some(name) = flags::alias(spelling) {
        return Ok(found(name, false, false));
    }
    let Some(long) = spelling.strip_prefix("--") else {
        return Ok(None);
    };
    if let Some((option, _)) = long.split_once('.') {
        let name = flags::starting_with(option)
            .into_iter()
            .find(|name| *name == option);
        return Ok(name
            .filter(|name| flags::takes(name) == Some(Takes::Json))
            .and_then(|name| found(name, false, true)));
    }
    let candidates = flags::starting_with(long);
    if let Some(name) = candidates.iter().find(|name| **name == long) {
        return Ok(found(name, false, false));
    }
    if let Some(name) = inverse(long) {
        return Ok(found(name, true, false));
    }
    match candidates.as_slice() {
        [] => Ok(None),
        [name] => Ok(found(name, false, false)),
        several => {
            let all = several
                .iter()
                .map(|name| format!("--{name}"))
                .collect::<Vec<_>>()
                .join(", ");
            Err(ArgsError::Usage(format!(
                "ambiguous option: --{long} could match {all}"
            )))
        }
    }
}

/// The toggle that this long name switches off.
fn inverse(long: &str) -> Option<&'static str> {
    let toggle = |name: &str| {
        let exact = flags::starting_with(name)
            .into_iter()
            .find(|known| *known == name);
        exact.filter(|name| flags::takes(name) == Some(Takes::Toggle))
    };
    let other = |from, to| long.strip_prefix(from).map(|rest| format!("{to}{rest}"));
    let turned = other("enable-", "disable-").or_else(|| other("disable-", "enable-"));
    long.strip_prefix("no-")
        .and_then(toggle)
        .or_else(|| toggle(&turned?))
}

impl Spelled {
    /// The value and how many of the following words it took.
    fn value(&self, attached: Option<&str>, following: &[String]) -> Result<(Value, usize), ArgsError> {
        if self.member {
            return match attached.or(following.first().map(String::as_str)) {
                Some(value) => Ok((Value::Text(value.to_owned()), usize::from(attached.is_none()))),
                None => Err(expected_one(self.name)),
            };
        }
        match self.takes {
            Takes::Toggle | Takes::Switch => match attached {
                Some(value) => Err(self.error(&format!("ignored explicit argument '{value}'"))),
                None => Ok((Value::Flag(!self.negated), 0)),
            },
            Takes::List => self.list(attached, following),
            Takes::OptionalText => match attached.or_else(|| word(following)) {
                Some(text) => Ok((Value::Text(text.to_owned()), usize::from(attached.is_none()))),
                None => Ok((Value::Flag(true), 0)),
            },
            _ => {
                let text = attached
                    .or_else(|| word(following))
                    .ok_or_else(|| expected_one(self.name))?;
                Ok((self.typed(text)?, usize::from(attached.is_none())))
            }
        }
    }

    fn list(&self, attached: Option<&str>, following: &[String]) -> Result<(Value, usize), ArgsError> {
        if let Some(value) = attached {
            return Ok((Value::List(vec![value.to_owned()]), 0));
        }
        let words: Vec<_> = following
            .iter()
            .take_while(|word| !is_option(word))
            .cloned()
            .collect();
        match words.len() {
            0 => Err(self.error("expected at least one argument")),
            taken => Ok((Value::List(words), taken)),
        }
    }

    fn typed(&self, text: &str) -> Result<Value, ArgsError> {
        let invalid = |kind: &str| self.error(&format!("invalid {kind} value: '{text}'"));
        match self.takes {
            Takes::Integer => text
                .trim()
                .parse()
                .map(Value::Integer)
                .map_err(|_| invalid("int")),
            Takes::Float => text
                .trim()
                .parse()
                .map(Value::Float)
                .map_err(|_| invalid("float")),
            Takes::HumanInteger => human_integer(text)
                .map(Value::Integer)
                .ok_or_else(|| invalid("human_readable_int")),
            Takes::HumanIntegerOrAuto if text.trim().eq_ignore_ascii_case("auto") => Ok(Value::Integer(-1)),
            Takes::HumanIntegerOrAuto => human_integer(text)
                .map(Value::Integer)
                .ok_or_else(|| invalid("human_readable_int_or_auto")),
            Takes::Json if serde_json::from_str::<serde_json::Value>(text).is_err() => {
                Err(self.error(&format!("Value {text} cannot be converted to <function loads>.")))
            }
            Takes::Choice(choices) if !choices.split(' ').any(|choice| choice == text) => {
                let all = choices
                    .split(' ')
                    .map(|choice| format!("'{choice}'"))
                    .collect::<Vec<_>>()
                    .join(", ");
                Err(self.error(&format!("invalid choice: '{text}' (choose from {all})")))
            }
            _ => Ok(Value::Text(text.to_owned())),
        }
    }

    fn error(&self, message: &str) -> ArgsError {
        let spellings = match self.takes {
            Takes::Toggle => format!("--{0}/--no-{0}", self.name),
            _ => flags::spellings(self.name),
        };
        ArgsError::Usage(format!("argument {spellings}: {message}"))
    }
}

fn expected_one(name: &str) -> ArgsError {
    ArgsError::Usage(format!(
        "argument {}: expected one argument",
        flags::spellings(name)
    ))
}

fn word(following: &[String]) -> Option<&str> {
    following
        .first()
        .map(String::as_str)
        .filter(|word| !is_option(word))
}

/// `8k` is 8,000 and `8K` is 8,192; fractions only with the decimal ones.
#[allow(clippy::cast_possible_truncation)]
fn human_integer(text: &str) -> Option<i64> {
    let text = text.trim();
    let Some(suffix) = text.chars().last().filter(char::is_ascii_alphabetic) else {
        return text.parse().ok();
    };
    let digits = &text[..text.len() - 1];
    let power = "kmgt".find(suffix.to_ascii_lowercase())? as u32 + 1;
    if suffix.is_ascii_lowercase() {
        let number = digits
            .parse::<f64>()
            .ok()
            .filter(|number| *number >= 0.0 && number.is_finite())?;
        return Some((number * 1000f64.powi(power.cast_signed())) as i64);
    }
    digits
        .parse::<i64>()
        .ok()?
        .checked_mul(1024i64.checked_pow(power)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn command_lines_that_the_real_parser_takes() {
        let line = "--model=org/m --tensor_parallel_size 2 -pp=3 --max-model-len 8k --gpu-memory-utilization=.8 \
                    --served-model-name a b --no-enable-prefix-caching --enforce-eager --kv-cache-memory-bytes 1G \
                    --limit-mm-per-prompt.image 4 --dtype bfloat16 --enable-cascade-attn --max-num-se 7 -O3";
        let args = parse(&words(line)).unwrap();
        assert_eq!(args.model.as_deref(), Some("org/m"));
        assert_eq!(args.integer("tensor-parallel-size"), Some(2));
        assert_eq!(args.integer("pipeline-parallel-size"), Some(3));
        assert_eq!(args.integer("max-model-len"), Some(8000));
        assert_eq!(args.integer("max-num-seqs"), Some(7));
        assert_eq!(args.integer("kv-cache-memory-bytes"), Some(1 << 30));
        assert_eq!(args.float("gpu-memory-utilization"), Some(0.8));
        assert_eq!(args.list("served-model-name"), ["a", "b"]);
        assert_eq!(args.text("dtype"), Some("bfloat16"));
        assert!(
            args.flag("enforce-eager")
                && !args.flag("enable-prefix-caching")
                && !args.flag("disable-cascade-attn")
        );
        for (given, length) in [
            ("auto", -1),
            ("-1", -1),
            ("8K", 8192),
            ("1.5k", 1500),
            ("4096", 4096),
        ] {
            let args = parse(&words(&format!("m --max-model-len {given}"))).unwrap();
            assert_eq!(args.integer("max-model-len"), Some(length), "{given}");
        }
    }

    #[test]
    fn command_lines_that_it_refuses_with_its_words() {
        let cases = [
            ("m --foo", "unrecognized arguments: --foo"),
            (
                "m --foo bar --swap-space 4",
                "unrecognized arguments: --foo bar --swap-space 4",
            ),
            (
                "m --max-num-seqs abc",
                "argument --max-num-seqs: invalid int value: 'abc'",
            ),
            (
                "m -tp two",
                "argument --tensor-parallel-size/-tp: invalid int value: 'two'",
            ),
            (
                "m --max-model-len 8x",
                "argument --max-model-len: invalid human_readable_int_or_auto value: '8x'",
            ),
            (
                "m --max-model-len 1.5K",
                "argument --max-model-len: invalid human_readable_int_or_auto value: '1.5K'",
            ),
            ("m --port", "argument --port: expected one argument"),
            ("m --port --host x", "argument --port: expected one argument"),
            (
                "m --api-key",
                "argument --api-key: expected at least one argument",
            ),
            (
                "m --enforce-eager=true",
                "argument --enforce-eager/--no-enforce-eager: ignored explicit argument 'true'",
            ),
            (
                "m --scheduling-policy best",
                "argument --scheduling-policy: invalid choice: 'best' (choose from 'fcfs', 'priority')",
            ),
            ("m --max-num-b 1", "unrecognized"),
            (
                "m --max-num-s 1",
                "ambiguous option: --max-num-s could match --max-num-seqs, --max-num-scheduled-tokens",
            ),
            (
                "--served-model-name x --port 1",
                "`model` should be provided as the first positional argument when using `vllm serve`. \
                 i.e. `vllm serve <model> --<arg> <value>`.",
            ),
        ];
        for (line, message) in cases {
            match parse(&words(line)) {
                Err(error) => assert_eq!(error.to_string(), message, "{line}"),
                Ok(args) => assert_eq!(
                    (line, args.integer("max-num-batched-tokens")),
                    ("m --max-num-b 1", Some(1))
                ),
            }
        }
    }
}
