//! What a process says, kept within bounds.
//!
//! In: a pipe. Out: its last bytes, or an error when all of them are needed and they are too many.

use tokio::io::{AsyncRead, AsyncReadExt};

/// How much of a stream is kept.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bound {
    /// The last bytes.
    Last(usize),
    /// Everything, as long as it is not more.
    Whole(usize),
}

/// What was kept of a stream.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) text: String,
    /// Whether something is missing.
    pub(super) cut: bool,
}

/// Reads to the end, whatever is kept: a process that cannot write does not end.
pub(super) async fn read(mut pipe: impl AsyncRead + Unpin, bound: Bound) -> Kept {
    let (Bound::Last(limit) | Bound::Whole(limit)) = bound;
    let mut kept: Vec<u8> = Vec::new();
    let mut cut = false;
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count) = pipe.read(&mut buffer).await {
        if count == 0 {
            break;
        }
        match bound {
            Bound::Whole(_) if kept.len() + count > limit => cut = true,
            _ => kept.extend_from_slice(&buffer[..count]),
        }
        if kept.len() > 2 * limit {
            kept.drain(..kept.len() - limit);
            cut = true;
        }
    }
    if kept.len() > limit {
        kept.drain(..kept.len() - limit);
        cut = true;
    }
    Kept {
        text: String::from_utf8_lossy(&kept).into_owned(),
        cut,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_is_kept_and_a_whole_that_is_too_long_is_told() {
        let long = vec![b'x'; 100_000];
        let last = read(long.as_slice(), Bound::Last(10)).await;
        assert_eq!((last.text.len(), last.cut), (10, true));
        let short = read(&b"abc"[..], Bound::Last(10)).await;
        assert_eq!((short.text.as_str(), short.cut), ("abc", false));
        assert!(read(long.as_slice(), Bound::Whole(99_999)).await.cut);
        assert!(!read(long.as_slice(), Bound::Whole(100_000)).await.cut);
    }
}
