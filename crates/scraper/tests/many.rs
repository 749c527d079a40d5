//! Five hundred targets at once, and bad neighbours.
#![allow(clippy::unwrap_used)]

mod common;

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use common::{Manner, Server, until};
use scraper::{Options, Scraper, Target};
use tokio_util::sync::CancellationToken;

const TEXT: &str = "vllm:num_requests_running 1\n";

fn targets(count: usize, server: &Server) -> Vec<Target> {
    let target = |n: usize| Target {
        id: format!("pod-{n}").into(),
        address: server.address,
        path: "/metrics".into(),
        engine: None,
    };
    (0..count).map(target).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_are_all_asked_within_the_bounds() {
    let manner = Manner::Text(TEXT.to_owned(), Duration::from_millis(10));
    let server = Server::start(manner).await;
    let options = Options {
        period: Duration::from_millis(500),
        whole: Duration::from_secs(20),
        connect: Duration::from_secs(20),
        concurrency: 24,
        group_concurrency: 16,
        connections: 300,
        ..Options::default()
    };
    let scraper = Scraper::start(options, CancellationToken::new());
    scraper.set(&"all", targets(500, &server));
    for round in 1..=3 {
        scraper.round().await;
        let latest = scraper.latest(&"all");
        assert_eq!(latest.len(), 500);
        assert!(latest.iter().all(|l| l.scrape.is_some() && l.failures == 0));
        let totals = scraper.totals(&"all");
        assert!(totals.asked >= 500 * round, "{totals:?}");
        assert_eq!(totals.failed, 0);
    }
    let counts = &server.counts;
    assert!(counts.most_busy.load(SeqCst) <= 16, "{counts:?}");
    // Ends of connections are seen a little later by the server than by the scraper.
    assert!(counts.most_open.load(SeqCst) <= 300 + 2 * 24, "{counts:?}");
    assert!(
        counts.connections.load(SeqCst) < server.asked(),
        "most are used again"
    );
    scraper.set(&"all", targets(3, &server));
    assert_eq!(scraper.latest(&"all").len(), 3);
    until("the others are let go", || counts.open.load(SeqCst) <= 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_of_stuck_servers_does_not_hold_up_another() {
    let stuck = Server::start(Manner::Silent).await;
    let good = Server::start(Manner::Text(TEXT.to_owned(), Duration::ZERO)).await;
    let options = Options {
        period: Duration::from_millis(100),
        whole: Duration::from_mins(1),
        concurrency: 8,
        group_concurrency: 4,
        ..Options::default()
    };
    let scraper = Scraper::start(options, CancellationToken::new());
    scraper.set(&"stuck", targets(100, &stuck));
    until("all that may are stuck", || stuck.counts.busy.load(SeqCst) == 4).await;
    scraper.set(&"good", targets(20, &good));
    for _ in 0..5 {
        assert_eq!(scraper.round().await, "good");
    }
    assert_eq!(scraper.totals(&"good").failed, 0);
    assert_eq!(stuck.counts.most_busy.load(SeqCst), 4);
}
