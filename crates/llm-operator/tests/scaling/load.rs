//! Clients: streaming requests at a rate of their own, whether answers come or not, spread over the Pods that serve.
//!
//! In: where, how fast, for how long. Out: what became of each request. Which Pods serve is known half a second late, as a Service's
//! endpoints are.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt, api::ListParams};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::{JoinHandle, JoinSet},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use crate::common::Space;

/// Endpoints are known so late.
const LATE: Duration = Duration::from_millis(500);
/// A request that takes longer has failed.
const PATIENCE: Duration = Duration::from_mins(2);

/// What is asked, and how often.
#[derive(Clone)]
pub struct Clients {
    /// The Pods' port.
    pub port: u16,
    /// The model's name.
    pub model: String,
    /// Requests per second.
    pub rate: f64,
    /// Tokens of a prompt, on average.
    pub prompt: usize,
    /// Tokens of an answer.
    pub answer: usize,
}

/// What became of one request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// When it was sent.
    pub sent: Instant,
    /// Mean time per output token after the first.
    pub per_token: Duration,
    /// How it failed, and where.
    pub failed: Option<String>,
}

/// Clients at work.
pub struct Load {
    stop: CancellationToken,
    sending: JoinHandle<()>,
    answers: Arc<Mutex<Vec<Answer>>>,
}

impl Load {
    /// Starts to send to the Pods of a selector.
    pub fn start(space: &Space, selector: &str, clients: &Clients) -> Self {
        let (stop, answers) = (CancellationToken::new(), Arc::default());
        let endpoints: Arc<Mutex<Vec<(String, SocketAddr)>>> = Arc::default();
        tokio::spawn(follow(
            space.api(),
            selector.to_owned(),
            clients.port,
            endpoints.clone(),
            stop.clone(),
        ));
        let sending = tokio::spawn(send(
            clients.clone(),
            endpoints,
            Arc::clone(&answers),
            stop.clone(),
        ));
        Self {
            stop,
            sending,
            answers,
        }
    }

    /// Sends no more, waits for what is under way, and tells all.
    pub async fn end(self) -> Vec<Answer> {
        self.stop.cancel();
        self.sending.await.unwrap();
        self.answers.lock().clone()
    }
}

/// Keeps the list of Pods that are ready and do not go.
async fn follow(
    pods: Api<Pod>,
    selector: String,
    port: u16,
    endpoints: Arc<Mutex<Vec<(String, SocketAddr)>>>,
    stop: CancellationToken,
) {
    let params = ListParams::default().labels(&selector);
    while !stop.is_cancelled() {
        let Ok(list) = pods.list(&params).await else {
            sleep(LATE).await;
            continue;
        };
        let serving = list.items.iter().filter_map(|pod| {
            let ip = pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()?;
            ready(pod).then(|| (pod.name_any(), SocketAddr::new(ip, port)))
        });
        let serving = serving.collect();
        sleep(LATE).await;
        *endpoints.lock() = serving;
    }
}

/// Whether a Service would send something to the Pod.
pub fn ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().filter_map(|status| status.conditions.as_ref());
    let ready = conditions
        .flatten()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True");
    ready && pod.metadata.deletion_timestamp.is_none()
}

async fn send(
    clients: Clients,
    endpoints: Arc<Mutex<Vec<(String, SocketAddr)>>>,
    answers: Arc<Mutex<Vec<Answer>>>,
    stop: CancellationToken,
) {
    let (mut requests, mut dice) = (JoinSet::new(), Dice(0x9E37_79B9));
    let mut next = tokio::time::Instant::now();
    while !stop.is_cancelled() {
        next += Duration::from_secs_f64(-(1.0 - dice.roll()).ln() / clients.rate);
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            () = stop.cancelled() => break,
        }
        let there = endpoints.lock().clone();
        if there.is_empty() {
            continue;
        }
        let to = there[dice.below(there.len())].clone();
        let (clients, answers) = (clients.clone(), Arc::clone(&answers));
        let prompt = clients.prompt / 2 + dice.below(clients.prompt);
        requests.spawn(async move {
            let answer = ask(to, &clients, prompt).await;
            answers.lock().push(answer);
        });
    }
    while requests.join_next().await.is_some() {}
}

async fn ask((pod, address): (String, SocketAddr), clients: &Clients, prompt: usize) -> Answer {
    let sent = Instant::now();
    let told = tokio::time::timeout(PATIENCE, stream(address, clients, prompt)).await;
    let told = told.unwrap_or_else(|_| Err("no end".to_owned()));
    let failed = told.as_ref().err().map(|why| format!("{pod}: {why}"));
    Answer {
        sent,
        per_token: told.unwrap_or_default(),
        failed,
    }
}

/// Reads a whole answer; its mean time per token after the first.
async fn stream(address: SocketAddr, clients: &Clients, prompt: usize) -> Result<Duration, String> {
    let failed = |what: &str| {
        let what = what.to_owned();
        move |error: std::io::Error| format!("{what}: {error}")
    };
    // Four characters are a token.
    let body = serde_json::json!({
        "model": clients.model, "prompt": "word".repeat(prompt), "max_tokens": clients.answer, "ignore_eos": true, "stream": true,
    })
    .to_string();
    let request = format!(
        "POST /v1/completions HTTP/1.1\r\nhost: model\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut socket = TcpStream::connect(address).await.map_err(failed("connect"))?;
    socket
        .write_all(request.as_bytes())
        .await
        .map_err(failed("send"))?;
    let (mut text, mut buffer, mut times) = (Vec::new(), vec![0; 16 * 1024], Vec::new());
    loop {
        let read = socket.read(&mut buffer).await.map_err(failed("read"))?;
        if read == 0 {
            break;
        }
        let before = events(&text);
        text.extend_from_slice(&buffer[..read]);
        times.resize(times.len() + events(&text).saturating_sub(before), Instant::now());
    }
    let text = String::from_utf8_lossy(&text);
    if !text.starts_with("HTTP/1.1 200") {
        return Err(text.chars().take(300).collect());
    }
    if !text.contains("[DONE]") {
        return Err(format!("cut after {} tokens", times.len()));
    }
    let (first, last) = (times[0], times[times.len() - 1]);
    // The end is an event too.
    Ok((last - first) / u32::try_from(clients.answer - 1).unwrap())
}

fn events(text: &[u8]) -> usize {
    text.windows(6).filter(|window| window == b"data: ").count()
}

/// The same numbers each time.
struct Dice(u64);

impl Dice {
    /// 0 to 1.
    fn roll(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(self.0 >> 32).unwrap()) / f64::from(u32::MAX).max(1.0) * 0.999_999
    }

    fn below(&mut self, count: usize) -> usize {
        let high = usize::try_from(self.0 >> 40).unwrap();
        self.roll();
        high % count
    }
}

/// The share of requests sent between two moments whose mean time per token was within `target`, and the 95th percentile.
pub fn attainment(answers: &[Answer], between: (Instant, Instant), target: Duration) -> (f64, Duration) {
    let sent = answers
        .iter()
        .filter(|one| one.sent >= between.0 && one.sent < between.1);
    let mut times: Vec<Duration> = sent.map(|one| one.per_token).collect();
    assert!(times.len() > 20, "too few to judge: {}", times.len());
    times.sort();
    let within = times.iter().filter(|time| **time <= target).count();
    let share = f64::from(u32::try_from(within).unwrap()) / f64::from(u32::try_from(times.len()).unwrap());
    (share, times[times.len() * 95 / 100])
}
