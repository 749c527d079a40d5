//! A server that answers every request with given bytes and then behaves as told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::soon;

/// What follows the given bytes.
#[derive(Clone, Debug)]
pub enum Then {
    /// The connection is closed in order.
    Close,
    /// The connection is reset.
    Reset,
    /// Nothing: the connection stays open until the client closes it.
    Hold,
    /// These bytes, again and again, until the client has gone.
    Repeat(Vec<u8>),
}

/// A server that ends with the value.
pub struct Hostile {
    pub address: SocketAddr,
    pub requests: Arc<Mutex<Vec<String>>>,
    /// Bytes that the system took for sending.
    pub written: Arc<AtomicUsize>,
    left: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Hostile {
    pub async fn start(first: impl Into<Vec<u8>>, then: Then) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, written) = (Arc::default(), Arc::default());
        let (leave, left) = watch::channel(0);
        let seen: Arc<Mutex<Vec<String>>> = Arc::clone(&requests);
        let (count, first) = (Arc::clone(&written), first.into());
        let task = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                answer(socket, &first, &then, &seen, &count).await;
                leave.send_modify(|left| *left += 1);
            }
        });
        Self {
            address,
            requests,
            written,
            left,
            task,
        }
    }

    /// Waits until the first connection is over.
    pub async fn client_left(&self) {
        let mut left = self.left.clone();
        soon(left.wait_for(|left| *left > 0)).await.unwrap();
    }
}

async fn answer(
    mut socket: TcpStream,
    first: &[u8],
    then: &Then,
    requests: &Mutex<Vec<String>>,
    written: &AtomicUsize,
) {
    let Some(request) = request(&mut socket).await else {
        return;
    };
    requests.lock().push(request);
    if socket.write_all(first).await.is_err() {
        return;
    }
    match then {
        Then::Close => {
            let _ = socket.shutdown().await;
        }
        Then::Reset => socket.set_zero_linger().unwrap(),
        Then::Hold => while socket.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {},
        Then::Repeat(piece) => {
            while let Ok(count) = socket.write(piece).await {
                written.fetch_add(count, Ordering::Relaxed);
            }
        }
    }
}

/// Head and body of a request.
async fn request(socket: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok())
                .unwrap_or(0);
            if body.len() >= length {
                return Some(text);
            }
        }
        let mut piece = [0; 4096];
        match socket.read(&mut piece).await {
            Ok(read) if read > 0 => bytes.extend_from_slice(&piece[..read]),
            _ => return None,
        }
    }
}

/// An answer with a length.
pub fn whole(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The head of a streamed answer.
pub const STREAM: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n";

/// One chunk.
pub fn chunk(body: &str) -> String {
    format!("{:x}\r\n{body}\r\n", body.len())
}

/// A whole streamed answer; the last chunk is missing when `ends` is false.
pub fn streamed(lines: &[&str], ends: bool) -> String {
    let chunks: String = lines.iter().map(|line| chunk(&format!("{line}\n"))).collect();
    format!("{STREAM}{chunks}{}", if ends { "0\r\n\r\n" } else { "" })
}
