//! Where one document of a manifest ends and the next begins.
//!
//! Helm's rule (`pkg/release/v1/util/manifest.go`), not YAML's: whatever begins a line with `---` begins a document, also with text
//! right behind it (`---apiVersion: v1`, which charts do emit). A YAML parser would read that as part of the document before.

/// The documents, without those that are blank. Comments stay in.
pub fn split(manifest: &str) -> Vec<&str> {
    let manifest = manifest.trim_start();
    let mut documents = Vec::new();
    let (mut begin, mut at) = (0, 0);
    for line in manifest.split_inclusive('\n') {
        if let Some(rest) = line.strip_prefix("---") {
            documents.push(&manifest[begin..at]);
            begin = at + line.len() - rest.trim_start_matches([' ', '\t']).len();
        }
        at += line.len();
    }
    documents.push(&manifest[begin..]);
    documents.retain(|document| !document.trim().is_empty());
    documents
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_split_as_helm_does() {
        let cases: [(&str, &[&str]); 9] = [
            ("", &[]),
            ("a: 1", &["a: 1"]),
            ("---\na: 1\n---\nb: 2\n", &["\na: 1\n", "\nb: 2\n"]),
            ("\n\n  ---\na: 1\n", &["\na: 1\n"]),
            ("a: 1\n---b: 2\n", &["a: 1\n", "b: 2\n"]),
            ("a: 1\n--- # comment\nb: 2", &["a: 1\n", "# comment\nb: 2"]),
            ("a: 1\n--- \t\n---\n\n---\n", &["a: 1\n"]),
            ("a: |\n  ---\n  text\n", &["a: |\n  ---\n  text\n"]),
            ("---\r\na: 1\r\n---\r\nb: 2", &["\r\na: 1\r\n", "\r\nb: 2"]),
        ];
        for (manifest, documents) in cases {
            assert_eq!(split(manifest), documents, "{manifest:?}");
        }
    }
}
