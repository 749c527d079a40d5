//! Text from a server, made fit to be shown: any length in, a bounded line out.

/// The most bytes of a server's words that are kept.
const WORDS: usize = 1024;

/// The beginning of `text` that has at most `bytes` bytes and ends with a whole character.
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// One line of at most a kilobyte: white space runs together, control characters go.
pub(crate) fn shown(text: &str) -> String {
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if word.is_empty() {
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(cut(word, WORDS - line.len().min(WORDS)));
        if line.len() >= WORDS {
            break;
        }
    }
    line.truncate(cut(&line, WORDS).trim_end().len());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(cut("größe", 3), "gr");
        assert_eq!(cut("größe", 4), "grö");
        assert_eq!(cut("ab", 9), "ab");
        assert_eq!(cut("ß", 0), "");
    }

    #[test]
    fn words_become_one_bounded_line() {
        assert_eq!(
            shown(" model\r\nrequires\x1b[31m more\0 "),
            "model requires [31m more"
        );
        assert_eq!(shown("model requires (8.0 GiB)"), "model requires (8.0 GiB)");
        assert_eq!(shown(&"ß".repeat(5000)).len(), WORDS);
        assert!(shown(&"abc ".repeat(5000)).len() <= WORDS);
        assert_eq!(shown("\n\n"), "");
    }
}
