//! What the tests of all engines share: a process on an address of its own, and a small HTTP client.
#![allow(dead_code, clippy::unwrap_used, clippy::missing_panics_doc, unreachable_pub)]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use engine_sim::{
    Exit, FaultHandle, Filesystem, GpuSpec, LogSink, Mount, ProcessSpec, Program, Root, Speed, loopback_of,
    run,
};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// An address that no other test of this machine uses at the moment, as good as certainly.
pub fn address() -> IpAddr {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let id = std::process::id() & 0x3fff;
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let octet = |value: u32| u8::try_from(value & 0xff).unwrap();
    IpAddr::V4(Ipv4Addr::new(127, octet(64 | (id >> 8)), octet(id), octet(n)))
}

/// A directory that goes away with the value.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("engine-sim-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn h100(count: usize) -> Vec<GpuSpec> {
    vec![
        GpuSpec {
            product: "NVIDIA-H100-80GB-HBM3".into(),
            memory: 81_559 << 20
        };
        count
    ]
}

pub fn mount(container_path: &str, host_path: &Path) -> Mount {
    Mount {
        container_path: container_path.into(),
        host_path: host_path.into(),
        read_only: false,
        capacity: None,
    }
}

/// A process of `program` with the words of `line` as its arguments, one H100, and files under `root`.
pub fn spec(program: Program, line: &str, root: &Folder) -> ProcessSpec {
    let address = address();
    let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let image = program.image();
    ProcessSpec {
        argv: image.argv(&[], &args),
        env: image.env,
        program,
        address,
        loopback: loopback_of(address),
        gpus: h100(1),
        memory_limit: None,
        files: Filesystem {
            mounts: Vec::new(),
            root: Root::Directory(root.0.join("root")),
            user: 0,
        },
        host_name: "pod-0".into(),
        speed: Speed::INSTANT,
        journal: None,
        fault_file: None,
    }
}

/// A process under way.
pub struct Running {
    pub address: IpAddr,
    pub stop: CancellationToken,
    pub faults: FaultHandle,
    pub log: Arc<Mutex<Vec<String>>>,
    pub exit: JoinHandle<Exit>,
}

pub fn start(spec: ProcessSpec) -> Running {
    start_with(spec, FaultHandle::new())
}

pub fn start_with(spec: ProcessSpec, faults: FaultHandle) -> Running {
    let (sink, log) = LogSink::collect();
    let (address, stop) = (spec.address, CancellationToken::new());
    let exit = tokio::spawn(run(spec, faults.clone(), sink, stop.clone()));
    Running {
        address,
        stop,
        faults,
        log,
        exit,
    }
}

/// Runs to the end; the exit and the log.
pub async fn finish(spec: ProcessSpec) -> (Exit, String) {
    let running = start(spec);
    let exit = tokio::time::timeout(Duration::from_secs(20), running.exit)
        .await
        .unwrap()
        .unwrap();
    let log = running.log.lock().join("\n");
    (exit, log)
}

impl Running {
    /// Waits until the port answers.
    pub async fn up(self, port: u16) -> Self {
        for _ in 0..2000 {
            if self.exit.is_finished() {
                break;
            }
            if TcpStream::connect(SocketAddr::new(self.address, port))
                .await
                .is_ok()
            {
                return self;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let log = self.log.lock().join("\n");
        panic!("not up on port {port}:\n{log}");
    }

    pub async fn get(&self, port: u16, path: &str) -> (u16, String) {
        request(
            SocketAddr::new(self.address, port),
            "GET",
            path,
            &BTreeMap::new(),
            "",
        )
        .await
    }

    pub async fn post(&self, port: u16, path: &str, body: &str) -> (u16, String) {
        request(
            SocketAddr::new(self.address, port),
            "POST",
            path,
            &BTreeMap::new(),
            body,
        )
        .await
    }
}

/// One request on a connection of its own; status and body (chunks put together).
pub async fn request(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &BTreeMap<&str, &str>,
    body: &str,
) -> (u16, String) {
    let mut socket = TcpStream::connect(to).await.unwrap();
    let extra = headers.iter().fold(String::new(), |all, (name, value)| {
        all + name
            + ": "
            + value
            + "
"
    });
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n{extra}\r\n",
        body.len()
    );
    socket
        .write_all(format!("{head}{body}").as_bytes())
        .await
        .unwrap();
    let mut answer = Vec::new();
    let read = socket.read_to_end(&mut answer);
    let _ = tokio::time::timeout(Duration::from_secs(20), read).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or(0);
    let chunked = head.to_lowercase().contains("transfer-encoding: chunked");
    (status, if chunked { unchunked(body) } else { body.to_owned() })
}

fn unchunked(body: &str) -> String {
    let (mut rest, mut whole) = (body, String::new());
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap_or(0);
        if size == 0 || after.len() < size {
            break;
        }
        whole.push_str(&after[..size]);
        rest = after[size..].trim_start_matches("\r\n");
    }
    whole
}

/// Status and body by path; a redirection's body is where it leads.
type Files = Arc<Mutex<BTreeMap<String, (u16, Vec<u8>)>>>;

/// A server of files on an address of its own: 404 for what is not there.
pub struct FileServer {
    address: SocketAddr,
    files: Files,
    task: JoinHandle<()>,
}

impl FileServer {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind((address(), 0)).await.unwrap();
        let files = Files::default();
        let (address, served) = (listener.local_addr().unwrap(), Arc::clone(&files));
        let task = tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut head = [0; 4096];
                let read = socket.read(&mut head).await.unwrap_or(0);
                let head = String::from_utf8_lossy(&head[..read]).into_owned();
                let path = head.split(' ').nth(1).unwrap_or("/").to_owned();
                let (status, body) = served
                    .lock()
                    .get(&path)
                    .cloned()
                    .unwrap_or((404, b"<html>none".to_vec()));
                let location = if status == 302 {
                    format!("location: {}\r\n", String::from_utf8_lossy(&body))
                } else {
                    String::new()
                };
                let head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{location}connection: close\r\n\r\n",
                    body.len()
                );
                let _ = socket.write_all(&[head.as_bytes(), &body].concat()).await;
            }
        });
        Self { address, files, task }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn add(&self, path: &str, body: &[u8]) {
        self.files.lock().insert(path.to_owned(), (200, body.to_vec()));
    }

    pub fn redirect(&self, path: &str, to: &str) {
        self.files
            .lock()
            .insert(path.to_owned(), (302, to.as_bytes().to_vec()));
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
