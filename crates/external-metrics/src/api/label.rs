//! The syntax of label keys and values.

/// Longest name part of a key, and longest value.
const NAME: usize = 63;
/// Longest prefix of a key: a DNS subdomain.
const PREFIX: usize = 253;

/// Whether this can be a label's key: an optional DNS subdomain with `/`, and a name.
pub(super) fn is_key(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_name(name),
        None => is_name(text),
    }
}

/// Whether this can be a label's value. Empty is one.
pub(super) fn is_value(text: &str) -> bool {
    text.is_empty() || is_name(text)
}

fn is_name(text: &str) -> bool {
    text.len() <= NAME && is_framed(text, |byte| byte.is_ascii_alphanumeric(), b"-_.")
}

fn is_subdomain(text: &str) -> bool {
    let outer = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= PREFIX && text.split('.').all(|part| is_framed(part, outer, b"-"))
}

/// Not empty, begins and ends with an outer character, and has only those and `inner` ones.
fn is_framed(text: &str, outer: impl Fn(u8) -> bool, inner: &[u8]) -> bool {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    let known = |byte: &u8| outer(*byte) || inner.contains(byte);
    outer(*first) && outer(*last) && bytes.iter().all(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values() {
        for key in ["a", "llm-operator.io/kind", "A_b.c-9", "a.b/c"] {
            assert!(is_key(key), "{key}");
        }
        for key in [
            "",
            "/a",
            "a/",
            "a/b/c",
            "A.b/c",
            "-a",
            "a-",
            "a b",
            &"a".repeat(64),
        ] {
            assert!(!is_key(key), "{key}");
        }
        assert!(is_value("") && is_value("llmdeployment.llm.example.com"));
        assert!(!is_value("a/b") && !is_value(".a"));
    }
}
