//! A proxy in front of the API server that fails on request.
//!
//! In: requests of one client over plain HTTP, with its bearer token; orders of a test. Out: the API server's answers,
//! streamed, except where a rule says otherwise. Requests are counted by verb.

mod forward;
mod halt;
mod rules;
mod watches;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use kube::Client;
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub use halt::Moment;
pub use rules::{Fault, Matching};

use super::access::Access;
use super::error::ClusterError;
use halt::Halt;
use rules::Rules;

/// What the connections of one proxy share.
#[derive(Debug)]
struct State {
    upstream: Upstream,
    rules: Mutex<Rules>,
    halt: Halt,
    counts: Mutex<BTreeMap<String, u64>>,
    /// Raised to cut every watch that is open.
    cuts: watch::Sender<u64>,
    /// Raised to close every connection.
    closes: watch::Sender<u64>,
    unreachable: AtomicBool,
}

/// The client towards the API server; it adds no credentials of its own.
struct Upstream(Client);

impl std::fmt::Debug for Upstream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Upstream")
    }
}

/// A running proxy. It ends with its cluster.
#[derive(Debug, Clone)]
pub struct FaultProxy {
    address: SocketAddr,
    state: Arc<State>,
}

impl FaultProxy {
    /// Starts on the current runtime, which must be the cluster's own.
    pub(super) async fn start(anonymous: Access) -> Result<Self, ClusterError> {
        let upstream = Upstream(anonymous.client().await?);
        let failed = "cannot listen for the fault proxy";
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(ClusterError::io(failed))?;
        let address = listener.local_addr().map_err(ClusterError::io(failed))?;
        let state = Arc::new(State {
            upstream,
            rules: Mutex::default(),
            halt: Halt::default(),
            counts: Mutex::default(),
            cuts: watch::Sender::new(0),
            closes: watch::Sender::new(0),
            unreachable: AtomicBool::new(false),
        });
        tokio::spawn(accept(listener, state.clone()));
        Ok(Self { address, state })
    }

    /// `http://127.0.0.1:<port>`: the server to put into a kubeconfig, see [`Access::through`].
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next `count` requests that match meet this fault instead of the API server, or on their way to it.
    pub fn order(&self, count: usize, matching: Matching, fault: Fault) {
        self.state.rules.lock().add(Some(count), matching, fault);
    }

    /// Every request that matches meets this fault until [`FaultProxy::clear`].
    pub fn order_always(&self, matching: Matching, fault: Fault) {
        self.state.rules.lock().add(None, matching, fault);
    }

    /// The next `count` requests of a method to paths with this part are answered with an HTTP status. A 429 or 503
    /// carries `Retry-After` when given.
    pub fn fail_next(
        &self,
        count: usize,
        method: &str,
        path: &str,
        status: u16,
        retry_after: Option<Duration>,
    ) {
        self.order(
            count,
            Matching::method(method).path(path),
            Fault::Status { status, retry_after },
        );
    }

    /// The next watch of paths with this part is answered with an ERROR event of code 410 in its stream: the client's
    /// resource version is too old.
    pub fn expire_next_watch(&self, path: &str) {
        self.order(1, Matching::watch().path(path), Fault::ExpiredWatch);
    }

    /// Stops the client at the `nth` of its successful changes from now on (events, leases and dry runs aside) whose path
    /// contains `part`: nothing it would change after that one reaches the API server, until [`FaultProxy::clear`]. A test
    /// waits for [`FaultProxy::halted`] and kills the client.
    pub fn halt_at(&self, nth: u64, part: &str, moment: Moment) {
        self.state.halt.order(nth, part, moment);
    }

    /// Resolves when the client is stopped.
    pub async fn halted(&self) {
        self.state.halt.halted().await;
    }

    /// Resolves when a further change of the stopped client waits.
    pub async fn halted_at_next(&self) {
        self.state.halt.waited().await;
    }

    /// Successful changes so far; events, leases and dry runs aside.
    pub fn changes(&self) -> u64 {
        self.state.halt.done()
    }

    /// Forgets every rule, and makes the API server reachable again.
    pub fn clear(&self) {
        self.state.rules.lock().clear();
        self.state.halt.clear();
        self.set_unreachable(false);
    }

    /// Rules that have not been used up yet; a test waits for zero to know that its fault was met.
    pub fn pending(&self) -> usize {
        self.state.rules.lock().pending()
    }

    /// Ends every watch that is open, in the middle of its stream.
    pub fn cut_watches(&self) {
        self.state.cuts.send_modify(|cut| *cut += 1);
    }

    /// How many watches are open.
    pub fn open_watches(&self) -> usize {
        self.state.cuts.receiver_count()
    }

    /// Drops every connection and refuses new ones while `true`.
    pub fn set_unreachable(&self, unreachable: bool) {
        self.state.unreachable.store(unreachable, Ordering::SeqCst);
        if unreachable {
            self.state.closes.send_modify(|close| *close += 1);
        }
    }

    /// Requests so far by verb: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`; failed ones included.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.state.counts.lock().clone()
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) if !state.unreachable.load(Ordering::SeqCst) => {
                tokio::spawn(serve(stream, state.clone()));
            }
            Ok((stream, _)) => drop(stream),
            // Out of file descriptors, as a rule: let some close.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Serves one connection until its client closes it or it is cut.
async fn serve(stream: TcpStream, state: Arc<State>) {
    let mut closes = state.closes.subscribe();
    // Watch events are small and must not wait for an acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let state = state.clone();
        async move { Ok::<_, Infallible>(forward::answer(&state, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        _ = connection => {}
        _ = closes.changed() => {}
    }
}
