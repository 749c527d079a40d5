//! Names of models.
//!
//! In: a name as people write it. Out: a key that is the same for every case and punctuation, and how far two keys are apart.
//! It must not know which models there are.

/// Lower case letters and digits only.
pub(super) fn key(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// [`key`] without words that name a variant of the same shape.
pub(super) fn shape_key(name: &str) -> String {
    key(&name.to_ascii_lowercase().replace("coder", "").replace("math", ""))
}

/// Insertions, deletions and replacements that turn one key into the other.
pub(super) fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_do_not_see_punctuation() {
        assert_eq!(key("llama3.1:8b"), key("Llama-3.1-8B"));
        assert_eq!(shape_key("Qwen2.5-Coder-7B"), key("qwen2.5-7b"));
    }

    #[test]
    fn distances() {
        assert_eq!(distance("llama370b", "llama3170b"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
