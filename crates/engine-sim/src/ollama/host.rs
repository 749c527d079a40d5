//! `OLLAMA_HOST` as Ollama reads it: a word in, host and port out.

/// The port without another word.
const PORT: u16 = 11434;

/// Where a server listens and a client connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Host {
    /// `scheme://host:port/path`, every part optional; an invalid port means the scheme's default.
    pub(crate) fn parse(word: &str) -> Self {
        let word = word.trim();
        let (rest, default) = match word.split_once("://") {
            Some(("http", rest)) => (rest, 80),
            Some(("https", rest)) => (rest, 443),
            Some((_, rest)) => (rest, PORT),
            None => (word, PORT),
        };
        let rest = rest.split('/').next().unwrap_or("");
        match split(rest) {
            Some((host, port)) => Self {
                host,
                port: port.parse().unwrap_or(default),
            },
            None if rest.is_empty() => Self {
                host: "127.0.0.1".into(),
                port: default,
            },
            None => Self {
                host: rest.trim_matches(['[', ']']).to_owned(),
                port: default,
            },
        }
    }

    /// `host:port` as Go joins them.
    pub(crate) fn joined(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// Host and port around the last colon, brackets for IPv6 required.
fn split(word: &str) -> Option<(String, String)> {
    let (host, port) = word.rsplit_once(':')?;
    if let Some(inner) = host.strip_prefix('[') {
        return Some((inner.strip_suffix(']')?.to_owned(), port.to_owned()));
    }
    (!host.contains(':')).then(|| (host.to_owned(), port.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_the_real_one_reads_them() {
        let cases = [
            ("", "127.0.0.1:11434"),
            ("0.0.0.0", "0.0.0.0:11434"),
            ("0.0.0.0:8080", "0.0.0.0:8080"),
            (":8080", ":8080"),
            ("example.com", "example.com:11434"),
            ("http://example.com", "example.com:80"),
            ("https://example.com", "example.com:443"),
            ("http://0.0.0.0:11434/ollama", "0.0.0.0:11434"),
            ("0.0.0.0:66000", "0.0.0.0:11434"),
            ("0.0.0.0:abc", "0.0.0.0:11434"),
            ("::1", "[::1]:11434"),
            ("[::1]:1337", "[::1]:1337"),
            (" 1.2.3.4 ", "1.2.3.4:11434"),
        ];
        for (word, joined) in cases {
            assert_eq!(Host::parse(word).joined(), joined, "{word:?}");
        }
    }
}
