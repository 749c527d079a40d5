//! What Helm says, made fit to be shown.
//!
//! In: the output of a process, texts that must not be shown. Out: the reason alone, bounded, with the secrets blanked.

use crate::Secret;

/// Characters of a message that is shown: room for a schema's violations, far below what a condition may hold.
const LONGEST: usize = 2000;
/// Shorter texts are no secrets: blanking them would garble the message.
const SHORTEST_SECRET: usize = 4;
const BLANKED: &str = "***";
/// What Helm puts before the reason, which tells nothing that the caller does not know.
const PREFIXES: [&str; 4] = [
    "INSTALLATION FAILED: ",
    "UPGRADE FAILED: ",
    "uninstallation completed with 1 error(s): ",
    "failed to invoke post-renderer plugin",
];

/// What Helm puts behind the reason: advice to those who run it by hand.
const SUFFIX: &str = "Use --debug flag to render out invalid YAML";

/// Blanks and cuts.
#[derive(Default)]
pub(super) struct Shown {
    secrets: Vec<String>,
}

impl Shown {
    /// Blanks these texts.
    pub(super) fn without<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut texts: Vec<String> = secrets
            .into_iter()
            .map(|secret| secret.reveal().to_owned())
            .filter(|text| text.len() >= SHORTEST_SECRET)
            .collect();
        // One that is part of another must not spoil it.
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Self { secrets: texts }
    }

    /// The text as it may be shown.
    pub(super) fn text(&self, text: &str) -> String {
        let mut text = without_user_info(text.trim());
        for secret in &self.secrets {
            text = text.replace(secret, BLANKED);
        }
        match text.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }
}

/// The reason for a failure: what stands behind the last `Error:`, else the last lines.
pub(super) fn reason(stderr: &str) -> &str {
    const MARK: &str = "Error: ";
    let start = match stderr.rfind(&format!("\n{MARK}")) {
        Some(index) => index + 1 + MARK.len(),
        None if stderr.starts_with(MARK) => MARK.len(),
        None => {
            let lines: Vec<&str> = stderr.trim_end().rsplitn(4, '\n').collect();
            let rest = lines.get(3).map_or(0, |rest| rest.len() + 1);
            return stderr[rest.min(stderr.len())..].trim();
        }
    };
    let mut reason = stderr[start..].trim();
    reason = reason.strip_suffix(SUFFIX).unwrap_or(reason).trim();
    for prefix in PREFIXES {
        reason = reason.strip_prefix(prefix).unwrap_or(reason);
    }
    reason
}

/// `scheme://user:password@host` without what stands before the `@`.
fn without_user_info(text: &str) -> String {
    let mut parts = text.split("://");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown.push_str("://");
        let end = part
            .find(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '?' | '#'))
            .unwrap_or(part.len());
        match part[..end].rfind('@') {
            Some(at) => {
                shown.push_str(BLANKED);
                shown.push_str(&part[at..]);
            }
            None => shown.push_str(part),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_stands_behind_the_last_error() {
        let stderr = "level=WARN msg=\"x\"\nError: INSTALLATION FAILED: no\nmore\n";
        assert_eq!(reason(stderr), "no\nmore");
        assert_eq!(
            reason("Error: boom\n\nUse --debug flag to render out invalid YAML\n"),
            "boom"
        );
        assert_eq!(reason("a\nb\nc\nd\n"), "b\nc\nd");
        assert_eq!(reason("only\n"), "only");
        assert_eq!(reason(""), "");
    }

    #[test]
    fn secrets_are_blanked_longest_first() {
        let secrets = ["hunter2".to_owned(), "hunter2-long".to_owned(), "a".to_owned()].map(Secret::new);
        let shown = Shown::without(&secrets);
        assert_eq!(shown.text("a hunter2-long hunter2"), "a *** ***");
        assert_eq!(
            shown.text("GET https://me:pw@host/path?x=a@b and oci://host/a"),
            "GET https://***@host/path?x=a@b and oci://host/a"
        );
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let shown = Shown::default().text(&"ü".repeat(3000));
        assert_eq!(shown.chars().count(), LONGEST + 1);
        assert!(shown.ends_with('…'));
    }
}
