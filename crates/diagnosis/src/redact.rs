//! Other programs' words made fit for a status: short, on one line, without secrets, the same at every retry.
//!
//! In: a termination message, an event's or a controller's words. Out: at most [`LIMIT`] characters on one line.
//! Must not: judge what the words mean.

/// Longest quotation, in characters.
pub const LIMIT: usize = 300;

/// How far from the end a cause is looked for; a server's end is told in its last lines.
const CAUSE_LINES: usize = 20;

/// Words that introduce a secret when `=` or `:` follows.
const SECRET_KEYS: [&str; 7] = [
    "token",
    "password",
    "passwd",
    "secret",
    "api_key",
    "apikey",
    "authorization",
];
/// Beginnings of well-known credentials: Hugging Face, OpenAI, AWS, GitHub, NVIDIA NGC.
const SECRET_PREFIXES: [&str; 7] = ["hf_", "sk-", "AKIA", "ASIA", "ghp_", "github_pat_", "nvapi-"];

/// The last line that says something, cleaned.
pub fn last_line(text: &str) -> String {
    let line = text
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| meaningful(line))
        .unwrap_or_default();
    clean(line)
}

/// The line that tells why a program ended, cleaned: of its last lines the latest that speaks of an error, else the very last. What a program
/// writes to its two outputs is collected apart, so that progress may stand behind the error that came after it.
pub fn cause_line(text: &str) -> String {
    text.lines()
        .rev()
        .map(str::trim)
        .filter(|line| meaningful(line))
        .take(CAUSE_LINES)
        .find(|line| speaks_of_error(line))
        .map_or_else(|| last_line(text), clean)
}

/// All of a short text on one line, cleaned.
pub fn clean(text: &str) -> String {
    let visible: String = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    let mut words: Vec<String> = Vec::new();
    let mut secret_follows = false;
    for word in strip_colours(&visible).split_whitespace() {
        let masked = if secret_follows && !word.eq_ignore_ascii_case("bearer") {
            "***".to_owned()
        } else {
            mask(word)
        };
        secret_follows = introduces_secret(word) || (secret_follows && masked != "***");
        words.push(masked);
    }
    shorten(&words.join(" "), LIMIT)
}

/// At most `limit` characters; a cut is shown by an ellipsis.
pub fn shorten(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let kept: String = text.chars().take(limit.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// Rulers, brackets and empty log prefixes say nothing.
fn meaningful(line: &str) -> bool {
    line.chars().filter(|letter| letter.is_alphanumeric()).count() >= 3
}

/// `ValueError: ...`, `Error: ...`, `fatal: ...`, `curl: (6) ...`, or a level of a log.
fn speaks_of_error(line: &str) -> bool {
    line.starts_with("curl: (")
        || line.split_whitespace().any(|word| {
            let word = word.trim_start_matches(|letter: char| !letter.is_alphanumeric());
            let level = word.trim_end_matches(|letter: char| !letter.is_alphanumeric());
            matches!(
                level,
                "ERROR" | "FATAL" | "CRITICAL" | "level=ERROR" | "level=error"
            ) || word.strip_suffix(':').is_some_and(|name| {
                name.ends_with("Error")
                    || name.ends_with("Exception")
                    || ["error", "fatal", "panic"]
                        .iter()
                        .any(|known| name.eq_ignore_ascii_case(known))
            })
        })
}

/// Terminal colours lose their escape character as a control; the rest of the sequence goes here.
fn strip_colours(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(" [") {
        let (before, sequence) = rest.split_at(start);
        let body = &sequence[2..];
        let digits = body.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == ';');
        kept.push_str(before);
        if let Some(after) = digits.strip_prefix('m') {
            rest = after;
        } else {
            kept.push_str(" [");
            rest = body;
        }
    }
    kept.push_str(rest);
    kept
}

fn introduces_secret(word: &str) -> bool {
    let bare = word.trim_matches(|letter: char| !letter.is_alphanumeric());
    bare.eq_ignore_ascii_case("bearer") || word.strip_suffix([':', '=']).is_some_and(names_secret)
}

fn names_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let key = key.trim_matches(|letter: char| !letter.is_alphanumeric() && letter != '_');
    SECRET_KEYS.iter().any(|name| key.ends_with(name))
}

fn mask(word: &str) -> String {
    if let Some((key, value)) = word.split_once(['=', ':'])
        && !value.is_empty()
        && names_secret(key)
    {
        return format!("{key}=***");
    }
    if let Some((scheme, rest)) = word.split_once("://")
        && let Some((_, host)) = rest.split_once('@')
    {
        return format!("{scheme}://***@{host}");
    }
    let bare = word.trim_start_matches(|letter: char| !letter.is_alphanumeric());
    let secret = SECRET_PREFIXES
        .iter()
        .any(|prefix| bare.strip_prefix(prefix).is_some_and(|rest| rest.len() >= 12));
    if secret {
        return "***".to_owned();
    }
    without_source_port(word)
}

/// `10.0.0.2:43712->10.0.0.10:53:` has another source port at every retry.
fn without_source_port(word: &str) -> String {
    match word.split_once("->") {
        Some((_, to)) if to.contains(':') => to.to_owned(),
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_line_that_says_something() {
        let log = "Traceback (most recent call last):\n  File \"x.py\"\nValueError: no such model\n\n-----\n";
        assert_eq!(last_line(log), "ValueError: no such model");
        assert_eq!(
            last_line("\u{1b}[31mERROR\u{1b}[0m bad\tthing\u{0}"),
            "ERROR bad thing"
        );
        assert_eq!(last_line(""), "");
    }

    #[test]
    fn the_line_that_tells_the_cause() {
        for (log, cause) in [
            // As a real kubelet told it: two outputs, collected apart.
            (
                "ValueError: weights are broken\nloading weights\n",
                "ValueError: weights are broken",
            ),
            // Ollama 0.17, client and server in one log.
            (
                "\u{1b}[?25h\u{1b}[?2026l\nError: pull model manifest: file does not exist\n[GIN] 2026/11/21 - 08:49:06 | 200 | 67.66ms | 127.0.0.1 | POST \"/api/pull\"\n",
                "Error: pull model manifest: file does not exist",
            ),
            (
                "ERROR 11-21 08:49:06 [core.py:700] no kernel\nexiting\n",
                "ERROR 11-21 08:49:06 [core.py:700] no kernel",
            ),
            // A pipe: what reads from it complains last, and about nothing of its own.
            (
                "curl: (6) Could not resolve host: models.example.com\ntar: This does not look like a tar archive\ntar: Error is not recoverable: exiting now\n",
                "curl: (6) Could not resolve host: models.example.com",
            ),
            ("first\nno such file\n", "no such file"),
            ("0 errors, error rate 0\nbye bye\n", "bye bye"),
        ] {
            assert_eq!(cause_line(log), cause);
        }
    }

    #[test]
    fn secrets_do_not_reach_a_status() {
        for (text, cleaned) in [
            ("401 for hf_abcdefghijklmnopqrst", "401 for ***"),
            ("HF_TOKEN=hf_x is wrong", "HF_TOKEN=*** is wrong"),
            ("password: hunter2 refused", "password: *** refused"),
            ("Authorization: Bearer eyJhbGci x", "Authorization: Bearer *** x"),
            ("GET https://me:pw@host/x failed", "GET https://***@host/x failed"),
            ("tokens: fine", "tokens: fine"),
        ] {
            assert_eq!(clean(text), cleaned);
        }
    }

    #[test]
    fn retries_say_the_same() {
        assert_eq!(
            clean("read udp 10.0.0.2:43712->10.0.0.10:53: i/o timeout"),
            "read udp 10.0.0.10:53: i/o timeout"
        );
    }

    proptest! {
        #[test]
        fn never_long_never_two_lines(text in "\\PC*|.{0,600}") {
            for cleaned in [clean(&text), last_line(&text), cause_line(&text)] {
                prop_assert!(cleaned.chars().count() <= LIMIT);
                prop_assert!(!cleaned.chars().any(char::is_control));
            }
        }
    }
}
