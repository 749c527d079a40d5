//! Loopback addresses for Pods: claims a /16 of 127.0.0.0/8 for this process, gives single addresses out of it.
//! Blocks of several clusters on one machine never overlap. It must not open anything but the claim's own socket.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::sync::Arc;

use parking_lot::Mutex;

/// The port whose listener on the first address of a block is the claim to the block. The kubelet API is served there.
const CLAIM_PORT: u16 = 20_250;
/// Second octets of the blocks. Pods' addresses stay in 127.0.0.0/9: the upper half is their own loopback
/// (see [`engine_sim::process::loopback_of`]).
const BLOCKS: std::ops::RangeInclusive<u8> = 16..=127;
/// Addresses below are the nodes' own.
const FIRST_OFFSET: u16 = 256;

/// No block is free.
#[derive(Debug, thiserror::Error)]
#[error(
    "no free block of loopback addresses: 127.16.0.1 to 127.127.0.1 all have a listener on port {CLAIM_PORT}; stop a local cluster"
)]
pub struct NoFreeBlock;

/// A block of addresses held by this process.
#[derive(Debug)]
pub(crate) struct AddressBlock {
    octet: u8,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    next: u16,
    taken: HashSet<u16>,
}

impl AddressBlock {
    /// Claims a block: the claim lasts as long as the listener that comes with it.
    pub(crate) fn claim() -> Result<(Arc<Self>, TcpListener), NoFreeBlock> {
        BLOCKS
            .into_iter()
            .find_map(|octet| {
                let first = SocketAddrV4::new(Ipv4Addr::new(127, octet, 0, 1), CLAIM_PORT);
                TcpListener::bind(first).ok().map(|listener| (octet, listener))
            })
            .map(|(octet, listener)| {
                (
                    Arc::new(Self {
                        octet,
                        used: Mutex::default(),
                    }),
                    listener,
                )
            })
            .ok_or(NoFreeBlock)
    }

    /// The address of all nodes, where the kubelet API listens on [`Self::port`].
    pub(crate) fn node_address(&self) -> Ipv4Addr {
        Ipv4Addr::new(127, self.octet, 0, 1)
    }

    /// The port of the kubelet API.
    pub(crate) fn port() -> u16 {
        CLAIM_PORT
    }

    /// An address that no living Pod of this block has. Used ones come round last. `None`: all are taken.
    pub(crate) fn take(self: &Arc<Self>) -> Option<PodAddress> {
        let mut used = self.used.lock();
        for _ in FIRST_OFFSET..u16::MAX {
            let candidate = used.next.max(FIRST_OFFSET);
            used.next = candidate
                .checked_add(1)
                .filter(|n| *n < u16::MAX)
                .unwrap_or(FIRST_OFFSET);
            if used.taken.insert(candidate) {
                return Some(PodAddress {
                    block: Arc::clone(self),
                    offset: candidate,
                });
            }
        }
        None
    }
}

/// A Pod's address; free again when dropped.
#[derive(Debug)]
pub(crate) struct PodAddress {
    block: Arc<AddressBlock>,
    offset: u16,
}

impl PodAddress {
    /// The address itself.
    pub(crate) fn ip(&self) -> Ipv4Addr {
        let [high, low] = self.offset.to_be_bytes();
        Ipv4Addr::new(127, self.block.octet, high, low)
    }
}

impl Drop for PodAddress {
    fn drop(&mut self) {
        self.block.used.lock().taken.remove(&self.offset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_exclusive_and_addresses_unique_until_freed() {
        let (one, _held) = AddressBlock::claim().unwrap();
        let (two, _also) = AddressBlock::claim().unwrap();
        assert_ne!(one.node_address(), two.node_address());
        let first = one.take().unwrap();
        let second = one.take().unwrap();
        assert_ne!(first.ip(), second.ip());
        let freed = first.ip();
        drop(first);
        assert_ne!(
            one.take().unwrap().ip(),
            freed,
            "an address rests before it is used again"
        );
    }
}
