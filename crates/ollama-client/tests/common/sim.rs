//! A simulated Ollama on an address of its own, with its models in a directory of its own.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use engine_sim::{
    FaultHandle, GpuSpec, LogSink, ProcessSpec, Program, Root, Speed, from_environment, loopback_of, run,
};
use ollama_client::Ollama;
use tokio_util::sync::CancellationToken;

use super::soon;

const PORT: u16 = 11434;

/// A server that ends with the value.
pub struct Sim {
    pub ollama: Ollama,
    pub address: SocketAddr,
    pub faults: FaultHandle,
    stop: CancellationToken,
    folder: PathBuf,
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.stop.cancel();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// An address that no other test uses at the moment, as good as certainly, and a number for it.
fn address() -> (IpAddr, u32) {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let (id, n) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let octet = |value: u32| u8::try_from(value & 0xff).unwrap();
    let second = 32 | (octet(id >> 8) & 0x1f);
    (IpAddr::V4(Ipv4Addr::new(127, second, octet(id), octet(n))), n)
}

/// A server with one large GPU.
pub async fn start() -> Sim {
    start_with(|_| {}).await
}

/// A server with what `change` makes of it.
pub async fn start_with(change: impl FnOnce(&mut ProcessSpec)) -> Sim {
    let (address, n) = address();
    let folder = std::env::temp_dir().join(format!("ollama-client-{}-{n}", std::process::id()));
    let image = Program::Ollama.image();
    let mut spec = from_environment(Program::Ollama, image.argv(&[], &[]), image.env).unwrap();
    spec.address = address;
    spec.loopback = loopback_of(address);
    spec.speed = Speed::INSTANT;
    spec.files.root = Root::Directory(folder.clone());
    spec.gpus = vec![GpuSpec {
        product: "NVIDIA-H100-80GB-HBM3".into(),
        memory: 81_559 << 20,
    }];
    change(&mut spec);
    let (faults, stop) = (FaultHandle::new(), CancellationToken::new());
    let (sink, log) = LogSink::collect();
    let mut exit = tokio::spawn(run(spec, faults.clone(), sink, stop.clone()));
    let address = SocketAddr::new(address, PORT);
    let up = async {
        while tokio::net::TcpStream::connect(address).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = soon(up) => {}
        exit = &mut exit => panic!("{exit:?}: {}", log.lock().join("\n")),
    }
    Sim {
        ollama: Ollama::new(address),
        address,
        faults,
        stop,
        folder,
    }
}
