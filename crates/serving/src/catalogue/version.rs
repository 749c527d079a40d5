//! Versions of engines: a tag of an image in, numbers that can be compared out.

use std::{fmt, str::FromStr};

/// `major.minor.patch`; missing parts are zero, anything after them is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// The version in an image's tag (`vllm/vllm-openai:v0.33.0`); `None` for `latest`, digests, and tags that are no version.
    pub fn of_image(image: &str) -> Option<Self> {
        let image = image.split('@').next()?;
        let last = image.rsplit('/').next()?;
        last.split_once(':')?.1.parse().ok()
    }
}

impl FromStr for Version {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let mut parts = text[..end].trim_end_matches('.').split('.');
        let mut part = || parts.next().map_or(Ok(0), str::parse::<u32>).map_err(|_| ());
        Ok(Self(part()?, part()?, part()?))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_that_are_versions() {
        let of = Version::of_image;
        assert_eq!(of("vllm/vllm-openai:v0.33.0"), Some(Version(0, 33, 0)));
        assert_eq!(
            of("registry:5000/vllm:0.9.1-cuda12@sha256:00"),
            Some(Version(0, 9, 1))
        );
        assert_eq!(of("vllm/vllm-openai:latest"), None);
        assert_eq!(of("registry:5000/vllm"), None);
        assert!(of("a:v0.10.1") > of("a:v0.9.2"));
    }
}
