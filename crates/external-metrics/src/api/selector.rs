//! Label selectors as text, in the grammar of the API server.
//!
//! In: the value of `labelSelector`. Out: a [`Selector`], or where and why it is none.

use std::collections::BTreeSet;

use super::label;

/// The text is no label selector.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum SelectorError {
    /// Something else should stand there.
    #[error("found {found} where {expected} is expected")]
    Unexpected { found: String, expected: &'static str },
    /// No label can have this key.
    #[error("{0:?} cannot be a label's key")]
    Key(String),
    /// No label can have this value.
    #[error("{0:?} cannot be a label's value")]
    Value(String),
    /// `>` and `<` compare integers.
    #[error("{0:?} is not an integer")]
    Integer(String),
}

/// Requirements that all have to be met; none is met by everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    In(BTreeSet<String>),
    NotIn(BTreeSet<String>),
    Exists,
    Absent,
    Above(i64),
    Below(i64),
}

impl Selector {
    /// Reads the text; an empty one selects everything.
    pub(crate) fn parse(text: &str) -> Result<Self, SelectorError> {
        let mut tokens = Tokens { rest: text };
        let mut requirements = Vec::new();
        if tokens.peek() == Token::End {
            return Ok(Self(requirements));
        }
        loop {
            requirements.push(requirement(&mut tokens)?);
            match tokens.next() {
                Token::End => return Ok(Self(requirements)),
                Token::Comma => {}
                other => return Err(other.instead_of("a comma or the end")),
            }
        }
    }

    /// Whether something with these labels is selected.
    pub(crate) fn matches(&self, labels: &[(&str, &str)]) -> bool {
        self.0.iter().all(|requirement| {
            let mut labels = labels.iter();
            let found = labels.find(|(key, _)| *key == requirement.key);
            requirement.test.met_by(found.map(|(_, value)| *value))
        })
    }

    /// The one value that this label must have, if a requirement says so.
    pub(crate) fn pinned(&self, key: &str) -> Option<&str> {
        self.0.iter().find_map(|requirement| match &requirement.test {
            Test::In(values) if requirement.key == key && values.len() == 1 => {
                values.first().map(String::as_str)
            }
            _ => None,
        })
    }
}

impl Test {
    fn met_by(&self, value: Option<&str>) -> bool {
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match self {
            Self::In(values) => value.is_some_and(|value| values.contains(value)),
            Self::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            Self::Exists => value.is_some(),
            Self::Absent => value.is_none(),
            Self::Above(bound) => number().is_some_and(|number| number > *bound),
            Self::Below(bound) => number().is_some_and(|number| number < *bound),
        }
    }
}

fn requirement(tokens: &mut Tokens<'_>) -> Result<Requirement, SelectorError> {
    if tokens.peek() == Token::Not {
        tokens.next();
        let key = key(tokens)?;
        return Ok(Requirement {
            key,
            test: Test::Absent,
        });
    }
    let key = key(tokens)?;
    let test = match tokens.peek() {
        Token::End | Token::Comma => Test::Exists,
        _ => test(tokens)?,
    };
    Ok(Requirement { key, test })
}

fn key(tokens: &mut Tokens<'_>) -> Result<String, SelectorError> {
    match tokens.next() {
        Token::Word(word) if label::is_key(word) => Ok(word.to_owned()),
        Token::Word(word) => Err(SelectorError::Key(word.to_owned())),
        other => Err(other.instead_of("a label's key")),
    }
}

fn test(tokens: &mut Tokens<'_>) -> Result<Test, SelectorError> {
    match tokens.next() {
        Token::Equal => Ok(Test::In([value(tokens)?].into())),
        Token::NotEqual => Ok(Test::NotIn([value(tokens)?].into())),
        Token::Word("in") => Ok(Test::In(values(tokens)?)),
        Token::Word("notin") => Ok(Test::NotIn(values(tokens)?)),
        Token::Above => Ok(Test::Above(integer(tokens)?)),
        Token::Below => Ok(Test::Below(integer(tokens)?)),
        other => Err(other.instead_of("=, ==, !=, in, notin, < or >")),
    }
}

/// A value; where none stands, the empty one is meant.
fn value(tokens: &mut Tokens<'_>) -> Result<String, SelectorError> {
    match tokens.peek() {
        Token::Word(word) if label::is_value(word) => {
            tokens.next();
            Ok(word.to_owned())
        }
        Token::Word(word) => Err(SelectorError::Value(word.to_owned())),
        Token::End | Token::Comma | Token::Close => Ok(String::new()),
        other => Err(other.instead_of("a label's value")),
    }
}

fn values(tokens: &mut Tokens<'_>) -> Result<BTreeSet<String>, SelectorError> {
    match tokens.next() {
        Token::Open => {}
        other => return Err(other.instead_of("(")),
    }
    let mut values = BTreeSet::new();
    loop {
        values.insert(value(tokens)?);
        match tokens.next() {
            Token::Close => return Ok(values),
            Token::Comma => {}
            other => return Err(other.instead_of("a comma or )")),
        }
    }
}

fn integer(tokens: &mut Tokens<'_>) -> Result<i64, SelectorError> {
    let text = value(tokens)?;
    text.parse().map_err(|_| SelectorError::Integer(text))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Equal,
    NotEqual,
    Not,
    Above,
    Below,
    Open,
    Close,
    Comma,
    End,
}

impl Token<'_> {
    fn instead_of(self, expected: &'static str) -> SelectorError {
        let found = match self {
            Self::Word(word) => return unexpected(format!("{word:?}"), expected),
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Not => "!",
            Self::Above => ">",
            Self::Below => "<",
            Self::Open => "(",
            Self::Close => ")",
            Self::Comma => "a comma",
            Self::End => "the end",
        };
        unexpected(found.to_owned(), expected)
    }
}

fn unexpected(found: String, expected: &'static str) -> SelectorError {
    SelectorError::Unexpected { found, expected }
}

struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    fn peek(&self) -> Token<'a> {
        self.split().0
    }

    fn next(&mut self) -> Token<'a> {
        let (token, rest) = self.split();
        self.rest = rest;
        token
    }

    fn split(&self) -> (Token<'a>, &'a str) {
        const SIGNS: [(&str, Token<'static>); 9] = [
            ("==", Token::Equal),
            ("=", Token::Equal),
            ("!=", Token::NotEqual),
            ("!", Token::Not),
            (">", Token::Above),
            ("<", Token::Below),
            ("(", Token::Open),
            (")", Token::Close),
            (",", Token::Comma),
        ];
        let text = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        if text.is_empty() {
            return (Token::End, text);
        }
        for (sign, token) in SIGNS {
            if let Some(rest) = text.strip_prefix(sign) {
                return (token, rest);
            }
        }
        let is_over = |letter: char| " \t\r\n=!()<>,".contains(letter);
        let end = text.find(is_over).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        (Token::Word(word), rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LABELS: [(&str, &str); 2] = [("kind", "a.b"), ("name", "x")];

    #[test]
    fn selects_as_the_api_server_does() {
        for (text, expected) in [
            ("", true),
            ("  ", true),
            ("kind=a.b,name=x", true),
            ("kind==a.b", true),
            (" kind = a.b , name = x ", true),
            ("name=y", false),
            ("name!=y", true),
            ("name!=x", false),
            ("other!=x", true),
            ("other=", false),
            ("name in (x,y)", true),
            ("name in(y)", false),
            ("name in ( y , x )", true),
            ("name notin (y)", true),
            ("name notin (x,y)", false),
            ("other notin (x)", true),
            ("name", true),
            ("other", false),
            ("!other", true),
            ("!name", false),
            ("name > 3", false),
            ("name in ()", false),
            ("in in (x)", false),
            ("name=x,name=y", false),
        ] {
            let selector = Selector::parse(text).unwrap();
            assert_eq!(selector.matches(&LABELS), expected, "{text}");
        }
        let above = Selector::parse("n>3,n<5").unwrap();
        assert!(above.matches(&[("n", "4")]) && !above.matches(&[("n", "5")]));
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, words) in [
            (",", "found a comma where a label's key is expected"),
            ("a,", "found the end where a label's key is expected"),
            (
                "a b",
                "found \"b\" where =, ==, !=, in, notin, < or > is expected",
            ),
            ("a in b", "found \"b\" where ( is expected"),
            ("a in (b", "found the end where a comma or ) is expected"),
            ("a=b=c", "found = where a comma or the end is expected"),
            ("/=b", "\"/\" cannot be a label's key"),
            ("a=b/c", "\"b/c\" cannot be a label's value"),
            ("a>b", "\"b\" is not an integer"),
            ("!", "found the end where a label's key is expected"),
        ] {
            assert_eq!(Selector::parse(text).unwrap_err().to_string(), words, "{text}");
        }
    }

    #[test]
    fn one_value_is_pinned() {
        let selector = Selector::parse("name=x,kind in (a),other in (b,c)").unwrap();
        assert_eq!(selector.pinned("name"), Some("x"));
        assert_eq!(selector.pinned("kind"), Some("a"));
        assert_eq!(selector.pinned("other"), None);
        assert_eq!(Selector::parse("name!=x").unwrap().pinned("name"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[a-z!=<>(), ./]{0,40}") {
            let _ = Selector::parse(&text);
        }
    }
}
