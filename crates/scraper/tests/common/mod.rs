//! A server of metrics that behaves as it is told, on a real socket, and counts what it sees.
#![allow(dead_code, reason = "each test program uses a part")]

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// What a server does with a question.
#[derive(Clone, Debug)]
pub enum Manner {
    /// Answers with this text, after a while.
    Text(String, Duration),
    /// Answers, and ends the connection without having told so.
    TextThenEnd(String),
    /// Says nothing.
    Silent,
    /// Sends a byte now and then, for ever.
    Drips,
    /// Sends these bytes.
    Raw(Vec<u8>),
    /// Sends a body in chunks, for ever, as fast as it is read.
    Endless,
}

#[derive(Debug, Default)]
pub struct Counts {
    /// Connections that were made.
    pub connections: AtomicUsize,
    /// Connections that are open.
    pub open: AtomicUsize,
    /// The most that were open at once.
    pub most_open: AtomicUsize,
    /// Questions.
    pub asked: AtomicUsize,
    /// Questions that are being answered.
    pub busy: AtomicUsize,
    /// The most that were answered at once.
    pub most_busy: AtomicUsize,
}

#[derive(Clone, Debug)]
pub struct Server {
    pub address: SocketAddr,
    pub counts: Arc<Counts>,
    manner: Arc<Mutex<Manner>>,
}

impl Server {
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, manner)
    }

    pub fn on(listener: TcpListener, manner: Manner) -> Self {
        let server = Self {
            address: listener.local_addr().unwrap(),
            counts: Arc::default(),
            manner: Arc::new(Mutex::new(manner)),
        };
        let accepting = server.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let server = accepting.clone();
                tokio::spawn(async move {
                    let counts = &server.counts;
                    counts.connections.fetch_add(1, SeqCst);
                    let open = counts.open.fetch_add(1, SeqCst) + 1;
                    counts.most_open.fetch_max(open, SeqCst);
                    server.serve(socket).await;
                    counts.open.fetch_sub(1, SeqCst);
                });
            }
        });
        server
    }

    pub fn behave(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    pub fn asked(&self) -> usize {
        self.counts.asked.load(SeqCst)
    }

    async fn serve(&self, mut socket: TcpStream) {
        let mut head = Vec::new();
        loop {
            head.clear();
            while !head.ends_with(b"\r\n\r\n") {
                match socket.read_buf(&mut head).await {
                    Ok(0) | Err(_) => return,
                    Ok(_) => {}
                }
            }
            self.counts.asked.fetch_add(1, SeqCst);
            let busy = self.counts.busy.fetch_add(1, SeqCst) + 1;
            self.counts.most_busy.fetch_max(busy, SeqCst);
            if !self.answer(&mut socket).await {
                return;
            }
        }
    }

    /// True when the connection stays.
    async fn answer(&self, socket: &mut TcpStream) -> bool {
        let manner = self.manner.lock().unwrap().clone();
        let whole = |text: &str| {
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len()).into_bytes()
        };
        let mut ignored = [0];
        if let Manner::Text(_, after) = manner {
            tokio::time::sleep(after).await;
            // Before the other side can know.
            self.counts.busy.fetch_sub(1, SeqCst);
        }
        let stays = match &manner {
            Manner::Text(text, _) => socket.write_all(&whole(text)).await.is_ok(),
            Manner::TextThenEnd(text) => {
                let _ = socket.write_all(&whole(text)).await;
                false
            }
            Manner::Silent => {
                // Until the other side gives up.
                let _ = socket.read(&mut ignored).await;
                false
            }
            Manner::Drips => {
                let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n";
                let mut sent = socket.write_all(head).await;
                while sent.is_ok() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    sent = socket.write_all(b"#").await;
                }
                false
            }
            Manner::Raw(bytes) => {
                let _ = socket.write_all(bytes).await;
                let _ = socket.shutdown().await;
                let _ = socket.read(&mut ignored).await;
                false
            }
            Manner::Endless => {
                let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
                let mut sent = socket.write_all(head).await;
                let chunk = format!("1000\r\n{}\r\n", "#".repeat(0x1000));
                while sent.is_ok() {
                    sent = socket.write_all(chunk.as_bytes()).await;
                }
                false
            }
        };
        if !matches!(manner, Manner::Text(..)) {
            self.counts.busy.fetch_sub(1, SeqCst);
        }
        stays
    }
}

/// Waits until something holds.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    assert!(waited.is_ok(), "never: {what}");
}
