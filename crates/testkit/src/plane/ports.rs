//! Ports on 127.0.0.1 that no other cluster takes.
//!
//! In: nothing. Out: [`Port`], a TCP port that is free and stays ours until it is dropped. The port itself must remain
//! unbound for the program that will listen there, so the claim is a UDP socket of the same number: the operating
//! system lets one process have it and takes it back however that process ends.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};

/// Below every system's range of ports for outgoing connections, which would collide at random.
const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// No port could be claimed.
#[derive(Debug, thiserror::Error)]
#[error("no free port on 127.0.0.1 from {FIRST} to {}", FIRST + COUNT - 1)]
pub struct NoPort;

/// A claimed TCP port.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _claim: UdpSocket,
}

impl Port {
    /// Claims a free port.
    pub fn claim() -> Result<Self, NoPort> {
        let offset = RandomState::new().hash_one(std::process::id());
        (0..u64::from(COUNT))
            .filter_map(|step| u16::try_from((offset.wrapping_add(step)) % u64::from(COUNT)).ok())
            .find_map(|step| Self::try_claim(FIRST + step))
            .ok_or(NoPort)
    }

    fn try_claim(number: u16) -> Option<Self> {
        let claim = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        // Programs that know nothing of claims: both tests, as a listener on all addresses is in the way too.
        TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, number)).ok()?;
        Some(Self {
            number,
            _claim: claim,
        })
    }

    /// The port's number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::Port;
    use std::collections::BTreeSet;

    #[test]
    fn a_claimed_port_is_free_to_listen_on_and_given_to_nobody_else() {
        let ports: Vec<Port> = (0..50).map(|_| Port::claim().unwrap()).collect();
        let numbers: BTreeSet<u16> = ports.iter().map(Port::number).collect();
        assert_eq!(numbers.len(), ports.len());
        assert!(Port::try_claim(ports[0].number()).is_none());
        std::net::TcpListener::bind(("127.0.0.1", ports[0].number())).unwrap();
    }
}
