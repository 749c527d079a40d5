//! Protobuf's text format, as far as `config.pbtxt` uses it: a text in, fields by name out.
//! It must not know which fields mean what, but for the names that a model configuration has at its top.

/// One field's value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// A number, a name or a string, without its quotes.
    Plain(String),
    Message(Fields),
}

/// Fields in the order of the text; lists are the same name again.
pub(crate) type Fields = Vec<(String, Value)>;

/// Fields that a model configuration may have.
const KNOWN: &str = "name platform backend runtime version_policy max_batch_size input output batch_input batch_output \
    optimization dynamic_batching sequence_batching ensemble_scheduling instance_group default_model_filename \
    cc_model_filenames metric_tags parameters model_warmup model_operations model_transaction_policy \
    model_repository_agents response_cache model_metrics";

/// Reads a model configuration; the error says where it is broken.
pub(crate) fn parse(text: &str) -> Result<Fields, String> {
    let mut tokens = Tokens { text, line: 1 };
    let fields = message(&mut tokens, None)?;
    for (name, _) in &fields {
        if !KNOWN.split_whitespace().any(|known| known == name) {
            return Err(format!(
                "Message type \"inference.ModelConfig\" has no field named \"{name}\"."
            ));
        }
    }
    Ok(fields)
}

/// The first plain value of this name.
pub(crate) fn plain<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    fields.iter().find_map(|(known, value)| match value {
        Value::Plain(text) if known == name => Some(text.as_str()),
        _ => None,
    })
}

/// All plain values of this name.
pub(crate) fn plains<'a>(fields: &'a Fields, name: &'a str) -> impl Iterator<Item = &'a str> {
    fields.iter().filter_map(move |(known, value)| match value {
        Value::Plain(text) if known == name => Some(text.as_str()),
        _ => None,
    })
}

/// All messages of this name.
pub(crate) fn messages<'a>(fields: &'a Fields, name: &'a str) -> impl Iterator<Item = &'a Fields> {
    fields.iter().filter_map(move |(known, value)| match value {
        Value::Message(inner) if known == name => Some(inner),
        _ => None,
    })
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Mark(char),
}

struct Tokens<'a> {
    text: &'a str,
    line: usize,
}

impl Tokens<'_> {
    fn skip(&mut self) {
        loop {
            let rest = self.text.trim_start();
            self.line += self.text[..self.text.len() - rest.len()].matches('\n').count();
            self.text = rest;
            if !rest.starts_with('#') {
                return;
            }
            self.text = &rest[rest.find('\n').unwrap_or(rest.len())..];
        }
    }

    fn peek(&mut self) -> Option<char> {
        self.skip();
        self.text.chars().next()
    }

    fn next(&mut self) -> Result<Option<Token>, String> {
        let Some(first) = self.peek() else { return Ok(None) };
        if matches!(first, '"' | '\'') {
            return self.quoted(first).map(|text| Some(Token::Text(text)));
        }
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '+');
        let end = self.text.find(|c: char| !is_word(c)).unwrap_or(self.text.len());
        if end > 0 {
            let word = self.text[..end].to_owned();
            self.text = &self.text[end..];
            return Ok(Some(Token::Word(word)));
        }
        self.text = &self.text[first.len_utf8()..];
        Ok(Some(Token::Mark(first)))
    }

    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let mut text = String::new();
        let mut characters = self.text.char_indices().skip(1);
        while let Some((at, c)) = characters.next() {
            match c {
                c if c == quote => {
                    self.text = &self.text[at + 1..];
                    return Ok(text);
                }
                '\\' => match characters.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, other)) => text.push(other),
                    None => break,
                },
                '\n' => break,
                other => text.push(other),
            }
        }
        Err(format!(
            "{}: String literals cannot cross line boundaries.",
            self.line
        ))
    }

    fn wrong(&self, expected: &str) -> String {
        format!("{}: Expected {expected}.", self.line)
    }
}

/// Fields up to the closing mark, or to the end.
fn message(tokens: &mut Tokens<'_>, close: Option<char>) -> Result<Fields, String> {
    let mut fields = Fields::new();
    loop {
        match (tokens.next()?, close) {
            (None, None) => return Ok(fields),
            (Some(Token::Mark(mark)), Some(close)) if mark == close => return Ok(fields),
            (Some(Token::Mark(',' | ';')), _) => {}
            (Some(Token::Word(name)), _) => {
                let colon = tokens.peek() == Some(':');
                if colon {
                    tokens.next()?;
                }
                values(tokens, &name, colon, &mut fields)?;
            }
            _ => return Err(tokens.wrong("identifier")),
        }
    }
}

fn values(tokens: &mut Tokens<'_>, name: &str, colon: bool, fields: &mut Fields) -> Result<(), String> {
    if tokens.peek() != Some('[') {
        let value = value(tokens, colon)?;
        fields.push((name.to_owned(), value));
        return Ok(());
    }
    tokens.next()?;
    while tokens.peek() != Some(']') {
        let value = value(tokens, true)?;
        fields.push((name.to_owned(), value));
        if tokens.peek() == Some(',') {
            tokens.next()?;
        } else if tokens.peek() != Some(']') {
            return Err(tokens.wrong("\",\" or \"]\""));
        }
    }
    tokens.next().map(drop)
}

fn value(tokens: &mut Tokens<'_>, plain: bool) -> Result<Value, String> {
    match tokens.next()? {
        Some(Token::Mark('{')) => message(tokens, Some('}')).map(Value::Message),
        Some(Token::Mark('<')) => message(tokens, Some('>')).map(Value::Message),
        Some(Token::Word(word)) if plain => Ok(Value::Plain(word)),
        Some(Token::Text(mut text)) if plain => {
            // Adjacent strings are one.
            while matches!(tokens.peek(), Some('"' | '\'')) {
                if let Some(Token::Text(more)) = tokens.next()? {
                    text.push_str(&more);
                }
            }
            Ok(Value::Plain(text))
        }
        _ => Err(tokens.wrong("\"{\", found something else")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_configurations_are_read() {
        let text = "# a comment\nname: \"densenet\"\nplatform: \"onnxruntime_onnx\"\nmax_batch_size : 0\ninput [\n  {\n    \
                    name: \"data_0\"\n    data_type: TYPE_FP32\n    dims: [ 3, 224, 224 ]\n    reshape { shape: [ 1, 3, 224, 224 ] }\n  }\n]\n\
                    version_policy: { specific { versions: [1, 3] } }\n";
        let fields = parse(text).unwrap();
        assert_eq!(plain(&fields, "name"), Some("densenet"));
        let input = messages(&fields, "input").next().unwrap();
        assert_eq!(plains(input, "dims").collect::<Vec<_>>(), ["3", "224", "224"]);
        let policy = messages(&fields, "version_policy").next().unwrap();
        let specific = messages(policy, "specific").next().unwrap();
        assert_eq!(plains(specific, "versions").count(), 2);
    }

    #[test]
    fn broken_ones_and_unknown_fields_are_refused() {
        assert!(parse("name: \"x").unwrap_err().contains("String literals"));
        assert!(parse("input [ { name: \"a\" }").is_err());
        assert!(parse("{").is_err());
        assert!(
            parse("nam: \"x\"")
                .unwrap_err()
                .contains("no field named \"nam\"")
        );
    }
}
