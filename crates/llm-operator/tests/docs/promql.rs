//! What an expression of Prometheus' query language asks for. In: an expression. Out: metrics with the labels that are
//! matched, and the labels that are grouped by. It does not judge the syntax.

/// Words that are neither metrics nor functions.
const WORDS: [&str; 11] = [
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "or",
    "and",
    "unless",
    "bool",
    "offset",
];

/// What one expression asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Metrics in the order of the text, each with label, operator and value of its matchers.
    pub metrics: Vec<(String, Vec<(String, String)>)>,
    /// Labels of `by`, `on` and their like.
    pub groups: Vec<String>,
}

/// Reads an expression.
pub fn asked(expression: &str) -> Asked {
    let mut found = Asked::default();
    let mut rest = expression;
    let mut grouping = false;
    while let Some(c) = rest.chars().next() {
        if c.is_ascii_alphabetic() || c == '_' {
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':')
                .unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            rest = after.trim_start();
            if WORDS.contains(&word) {
                grouping = rest.starts_with('(') && !["or", "and", "unless"].contains(&word);
            } else if grouping {
                found.groups.push(word.to_owned());
            } else if !rest.starts_with('(') && !rest.starts_with("by ") && !rest.starts_with("without ") {
                let (matchers, after) = matchers(rest);
                found.metrics.push((word.to_owned(), matchers));
                rest = after;
            }
        } else if c == '[' {
            // A time span: `5m` is no metric.
            rest = rest.split_once(']').map_or("", |(_, after)| after);
        } else if c.is_ascii_digit() {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '.');
        } else {
            grouping &= c != ')';
            rest = &rest[c.len_utf8()..];
        }
    }
    found
}

/// `{label="value", ...}` at the start of a text, and what follows it.
fn matchers(text: &str) -> (Vec<(String, String)>, &str) {
    let Some(mut rest) = text.strip_prefix('{') else {
        return (Vec::new(), text);
    };
    let mut found = Vec::new();
    while let Some((label, after)) = rest.split_once('"') {
        let (value, after) = after.split_once('"').unwrap();
        let label = label.trim_matches(|c: char| " ,=~!".contains(c));
        found.push((label.to_owned(), value.to_owned()));
        rest = after.trim_start();
        if let Some(after) = rest.strip_prefix('}') {
            return (found, after);
        }
    }
    (found, rest)
}

#[test]
fn metrics_labels_and_groups_are_told_apart() {
    let found = asked(
        r#"sum by (kind, le) (rate(a_bucket{kind=~"$kind", code!="5.."}[5m])) / on (kind) max(b) > 0.2 or vector(0)"#,
    );
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    let expected = Asked {
        metrics: vec![
            (
                "a_bucket".to_owned(),
                vec![pair("kind", "$kind"), pair("code", "5..")],
            ),
            ("b".to_owned(), Vec::new()),
        ],
        groups: ["kind", "le", "kind"].map(str::to_owned).to_vec(),
    };
    assert_eq!(found, expected);
}
