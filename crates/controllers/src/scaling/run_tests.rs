use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use parking_lot::Mutex;

use autoscale::Reason;
use reconcile::Metrics;
use scraper::{Options, Scraper};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::{
    super::{
        Board, Figures, Latency, Pace, Room, Subject,
        costs::GOES,
        test_bed::{decided, pods, subject},
    },
    *,
};

/// A cluster of one resource.
#[derive(Clone, Default)]
struct Cluster {
    pods: Arc<Mutex<Vec<Arc<PodFacts>>>>,
    asked: Arc<Mutex<Option<u32>>>,
}

impl World for Cluster {
    fn pods(&self, _: &Subject) -> Vec<Arc<PodFacts>> {
        self.pods.lock().clone()
    }

    fn room(&self, _: &Subject, _: &[Arc<PodFacts>]) -> Room {
        Room {
            asked: *self.asked.lock(),
            ..Room::default()
        }
    }
}

/// Remembers what was written, and what was published by then.
#[derive(Clone, Default)]
struct Writer {
    fails: Arc<AtomicBool>,
    written: Arc<Mutex<Vec<CostWrite>>>,
    board: Board,
    published: Arc<Mutex<Vec<Option<u32>>>>,
    asked: Arc<Mutex<Option<u32>>>,
    scaled: Arc<Mutex<Vec<u32>>>,
}

impl CostWrites for Writer {
    async fn write(&self, write: &CostWrite) -> Result<(), kube::Error> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(kube::Error::LinesCodecMaxLineLengthExceeded);
        }
        let now = self.board.decision(OWNER, "n", "chat");
        self.published.lock().push(now.map(|decided| decided.replicas));
        self.written.lock().push(write.clone());
        Ok(())
    }
}

impl ScaleWrites for Writer {
    async fn set(&self, _: WorkloadKind, _: &str, _: &str, replicas: u32) -> Result<(), kube::Error> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(kube::Error::LinesCodecMaxLineLengthExceeded);
        }
        self.scaled.lock().push(replicas);
        *self.asked.lock() = Some(replicas);
        Ok(())
    }
}

const OWNER: &str = "modeldeployment.ai.example.com";

struct Bed {
    subjects: Subjects,
    scaling: Arc<Scaling<Cluster, Writer, Writer>>,
    cluster: Cluster,
    writer: Writer,
    queue: WorkQueue,
    metrics: Metrics,
}

fn bed() -> Bed {
    let stop = CancellationToken::new();
    let options = Options {
        period: Duration::from_millis(40),
        ..Options::default()
    };
    let scraper = Scraper::start(options, stop);
    let (cluster, queue, metrics) = (Cluster::default(), WorkQueue::new(), Metrics::new());
    let pace = Pace {
        decide: Duration::from_millis(150),
        look: Duration::from_millis(20),
        ..Pace::default()
    };
    let subjects = Subjects::new(scraper, Figures::registered(&metrics), pace);
    let writer = Writer {
        board: subjects.board().clone(),
        asked: Arc::clone(&cluster.asked),
        ..Writer::default()
    };
    let scaling = Scaling::new(
        subjects.clone(),
        cluster.clone(),
        (writer.clone(), writer.clone()),
        queue.clone(),
    );
    Bed {
        subjects,
        scaling: Arc::new(scaling),
        cluster,
        writer,
        queue,
        metrics,
    }
}

impl Bed {
    fn replicas(&self) -> Option<u32> {
        let decided = self.writer.board.decision(OWNER, "n", "chat");
        decided.map(|decided| decided.replicas)
    }

    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !holds(self) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
        assert!(waited.is_ok(), "never: {what}");
    }
}

/// An engine that answers every question with the text of now; its port.
async fn engine(text: Arc<Mutex<String>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let text = Arc::clone(&text);
            tokio::spawn(async move {
                let mut asked = [0; 1024];
                while socket.read(&mut asked).await.is_ok_and(|read| read > 0) {
                    let text = text.lock().clone();
                    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len());
                    if socket.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

fn telling(waiting: u32) -> String {
    format!(
        "vllm:num_requests_running 200\nvllm:num_requests_waiting {waiting}\nvllm:request_success_total 5\n\
         vllm:inter_token_latency_seconds_sum 1\nvllm:inter_token_latency_seconds_count 100\n"
    )
}

/// Pods that share one engine on loopback.
fn on_loopback(count: usize) -> Vec<Arc<PodFacts>> {
    let local = |pod: Arc<PodFacts>| PodFacts {
        ip: Some([127, 0, 0, 1].into()),
        ..(*pod).clone()
    };
    pods(count).into_iter().map(|pod| Arc::new(local(pod))).collect()
}

#[tokio::test]
async fn from_pods_to_a_number_that_wakes_the_resource() {
    let bed = bed();
    let text = Arc::new(Mutex::new(telling(0)));
    let mut subject = subject(1, 20, Some(2));
    if let Some(source) = &mut subject.metrics {
        source.port = engine(Arc::clone(&text)).await;
    }
    *bed.cluster.pods.lock() = on_loopback(2);
    let stop = CancellationToken::new();
    let running = tokio::spawn(Arc::clone(&bed.scaling).run(stop.clone()));
    bed.subjects.set(subject.clone());
    bed.until("the stored number", |bed| bed.replicas().is_some())
        .await;
    assert!(bed.replicas() >= Some(2), "never a dip");
    assert!(bed.queue.depth() > 0, "the resource is woken");
    *text.lock() = telling(5000);
    bed.until("more replicas", |bed| bed.replicas() > Some(10)).await;
    let decided = bed.writer.board.decision(OWNER, "n", "chat").unwrap();
    assert_eq!(decided.latency, Latency::Exported);
    assert_eq!(decided.decision.inputs.scraped, 2);
    let figure = r#"llm_operator_scaling_desired_replicas{kind="ModelDeployment",namespace="n",name="chat"}"#;
    bed.until("figures", |bed| bed.metrics.encode().unwrap().contains(figure))
        .await;
    let text = bed.metrics.encode().unwrap();
    assert!(
        text.contains("llm_operator_scaling_scrape_failures_total{"),
        "{text}"
    );
    // Pods that go are asked no more; a resource that goes leaves nothing.
    bed.subjects.remove(&subject.key);
    assert_eq!(bed.replicas(), None);
    assert!(!bed.metrics.encode().unwrap().contains(figure));
    bed.subjects.set(subject);
    bed.until("decided again", |bed| bed.replicas().is_some()).await;
    stop.cancel();
    running.await.unwrap();
    assert_eq!(bed.replicas(), None, "who does not lead tells nothing");
}

#[tokio::test]
async fn engines_that_cannot_be_asked_hold_the_number_and_say_so() {
    let bed = bed();
    let mut subject = subject(1, 20, Some(4));
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    if let Some(source) = &mut subject.metrics {
        source.port = closed.local_addr().unwrap().port();
    }
    drop(closed);
    *bed.cluster.pods.lock() = on_loopback(4);
    let stop = CancellationToken::new();
    tokio::spawn(Arc::clone(&bed.scaling).run(stop.clone()));
    bed.subjects.set(subject);
    let reason = |bed: &Bed| {
        bed.writer
            .board
            .decision(OWNER, "n", "chat")
            .map(|d| d.decision.reason)
    };
    bed.until("a failure", |bed| reason(bed) == Some(Reason::ScrapeFailed))
        .await;
    let decided = bed.writer.board.decision(OWNER, "n", "chat").unwrap();
    assert_eq!(decided.replicas, 4);
    assert!(
        decided.message.contains("the first: pod-0: no connection"),
        "{}",
        decided.message
    );
    stop.cancel();
}

fn verdict(replicas: u32, writes: Vec<CostWrite>) -> Verdict {
    Verdict {
        key: subject(1, 20, None).key,
        decided: decided(replicas, Reason::RateFalls),
        writes,
        set: None,
    }
}

#[tokio::test]
async fn pods_are_marked_before_a_smaller_number_is_published() {
    let bed = bed();
    bed.subjects.set(subject(1, 20, Some(4)));
    bed.subjects
        .publish(&subject(1, 20, None).key, decided(4, Reason::Enough));
    let writes = marks(&pods(4), &[], Some(4), 2);
    assert_eq!(writes.len(), 2);
    bed.writer.fails.store(true, Ordering::SeqCst);
    Arc::clone(&bed.scaling)
        .write_and_publish(verdict(2, writes.clone()))
        .await;
    assert_eq!(bed.replicas(), Some(4), "not marked, not published");
    bed.writer.fails.store(false, Ordering::SeqCst);
    Arc::clone(&bed.scaling)
        .write_and_publish(verdict(2, writes))
        .await;
    assert_eq!(bed.replicas(), Some(2));
    let marked: Vec<_> = bed
        .writer
        .written
        .lock()
        .iter()
        .map(|write| (write.name.to_string(), write.cost))
        .collect();
    assert_eq!(
        marked,
        [("pod-0".to_owned(), Some(GOES)), ("pod-1".to_owned(), Some(GOES))]
    );
    assert_eq!(
        *bed.writer.published.lock(),
        [Some(4), Some(4)],
        "while the larger number stood"
    );
}

#[test]
fn marks_are_only_written_while_an_order_shrinks() {
    let marked = |n: usize| {
        let mut pods = pods(n);
        let first = PodFacts {
            deletion_cost: Some(GOES),
            ..(*pods[0]).clone()
        };
        pods[0] = Arc::new(first);
        pods
    };
    let count = |pods: &[Arc<PodFacts>], asked, wanted| marks(pods, &[], asked, wanted).len();
    assert_eq!(count(&pods(4), Some(4), 4), 0);
    assert_eq!(count(&pods(4), Some(4), 3), 1);
    assert_eq!(count(&pods(5), Some(4), 4), 0, "a rollout's surge");
    assert_eq!(count(&marked(4), Some(3), 3), 0, "being carried out");
    assert_eq!(count(&marked(3), Some(3), 3), 1, "the mark goes");
    assert_eq!(count(&marked(4), Some(4), 4), 1, "shrinks no more");
    assert_eq!(count(&pods(4), None, 1), 0, "not known what is asked");
}

#[tokio::test]
async fn inputs_alone_are_published_once_a_minute() {
    let bed = bed();
    let key = subject(1, 20, None).key;
    bed.subjects.set(subject(1, 20, Some(4)));
    let arrivals = |bed: &Bed| {
        bed.writer
            .board
            .decision(OWNER, "n", "chat")
            .map(|d| d.decision.inputs.arrivals)
    };
    bed.subjects.publish(&key, decided(4, Reason::Enough));
    assert_eq!(arrivals(&bed), Some(151.0));
    let mut moved = decided(4, Reason::WaitsToShrink);
    moved.decision.inputs.arrivals = 90.0;
    bed.subjects.publish(&key, moved.clone());
    assert_eq!(arrivals(&bed), Some(151.0), "too soon");
    moved.decision.reason = Reason::ScrapeFailed;
    bed.subjects.publish(&key, moved);
    assert_eq!(arrivals(&bed), Some(90.0), "trouble is told at once");
    let other = decided(5, Reason::RateRises);
    bed.subjects.publish(&key, other);
    assert_eq!(bed.replicas(), Some(5), "and so is another number");
    bed.subjects.remove(&key);
    bed.subjects.publish(&key, decided(9, Reason::RateRises));
    assert_eq!(bed.replicas(), None, "what is gone stays gone");
}

/// An engine that holds so many requests.
fn holding(running: u32) -> String {
    format!(
        "vllm:num_requests_running {running}\nvllm:num_requests_waiting 0\nvllm:request_success_total 5\n"
    )
}

#[tokio::test]
async fn a_workload_goes_to_zero_and_back_by_one_write_each() {
    let bed = bed();
    let text = Arc::new(Mutex::new(holding(1)));
    let mut subject = subject(2, 3, Some(2));
    subject.plan.idle_after = Some(Duration::from_millis(400));
    if let Some(source) = &mut subject.metrics {
        source.port = engine(Arc::clone(&text)).await;
    }
    *bed.cluster.pods.lock() = on_loopback(2);
    *bed.cluster.asked.lock() = Some(2);
    let stop = CancellationToken::new();
    let running = tokio::spawn(Arc::clone(&bed.scaling).run(stop.clone()));
    bed.subjects.set(subject.clone());
    let reason = |bed: &Bed| {
        let decided = bed.writer.board.decision(OWNER, "n", "chat");
        decided.map(|decided| decided.decision.reason)
    };
    bed.until("busy", |bed| reason(bed).is_some()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(bed.writer.scaled.lock().is_empty(), "requests run");

    bed.writer.fails.store(true, Ordering::SeqCst);
    *text.lock() = holding(0);
    let seconds = r#"llm_operator_scaling_idle_seconds{kind="ModelDeployment",namespace="n",name="chat"} 0."#;
    bed.until("idle", |bed| bed.metrics.encode().unwrap().contains(seconds))
        .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(bed.replicas() >= Some(2), "not written, not published");
    bed.writer.fails.store(false, Ordering::SeqCst);
    bed.until("zero", |bed| reason(bed) == Some(Reason::ScaledToZero))
        .await;
    assert_eq!(bed.replicas(), Some(0));
    bed.cluster.pods.lock().clear();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(*bed.writer.scaled.lock(), [0], "once");
    assert!(bed.writer.written.lock().is_empty(), "no Pod goes first");

    subject.wake = Some("1".to_owned());
    bed.subjects.set(subject.clone());
    bed.until("awake", |bed| reason(bed) == Some(Reason::Waking))
        .await;
    let back = bed.replicas().unwrap();
    assert!(back >= 2, "{back} are fewer than the fewest");
    assert_eq!(*bed.writer.scaled.lock(), [0, back]);
    *bed.cluster.pods.lock() = on_loopback(2);
    *text.lock() = holding(1);
    bed.until("serves", |bed| reason(bed) != Some(Reason::Waking))
        .await;
    let wakes = r#"llm_operator_scaling_wakes_total{kind="ModelDeployment",namespace="n",name="chat"} 1"#;
    assert!(bed.metrics.encode().unwrap().contains(wakes));

    // A person's number counts, and is not written over.
    *text.lock() = holding(0);
    bed.until("zero", |bed| reason(bed) == Some(Reason::ScaledToZero))
        .await;
    bed.cluster.pods.lock().clear();
    tokio::time::sleep(Duration::from_millis(400)).await;
    *bed.cluster.asked.lock() = Some(3);
    bed.subjects.set(subject);
    bed.until("awake", |bed| reason(bed) == Some(Reason::Waking))
        .await;
    assert_eq!(bed.replicas(), Some(3));
    assert_eq!(*bed.writer.scaled.lock(), [0, back, 0]);
    stop.cancel();
    running.await.unwrap();
}
