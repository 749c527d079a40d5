//! Buffers for answers, used again and again: as many as questions were ever under way at once.

use parking_lot::Mutex;

/// Bytes that a buffer keeps: one large answer does not cost its memory for ever.
const KEPT: usize = 256 << 10;

/// Empty buffers with room.
#[derive(Debug, Default)]
pub(crate) struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    pub(crate) fn take(&self) -> Vec<u8> {
        self.0.lock().pop().unwrap_or_default()
    }

    pub(crate) fn give(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        buffer.shrink_to(KEPT);
        self.0.lock().push(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_kept_but_not_without_bound() {
        let buffers = Buffers::default();
        let mut buffer = buffers.take();
        buffer.resize(100_000, 1);
        buffers.give(buffer);
        let mut buffer = buffers.take();
        assert!(buffer.is_empty() && buffer.capacity() >= 100_000);
        buffer.resize(4 << 20, 1);
        buffers.give(buffer);
        assert!(buffers.take().capacity() <= KEPT);
    }
}
