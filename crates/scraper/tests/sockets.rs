//! The scraper against servers on real sockets: good ones, bad ones, ones that come and go, and many.
#![allow(clippy::unwrap_used)]

mod common;

use std::{collections::HashSet, sync::atomic::Ordering::SeqCst, time::Duration};

use common::{Manner, Server, until};
use engine_metrics::{Engine, ReadError};
use scraper::{Cause, Latest, Options, Scraper, Target};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const GROUP: &str = "group";

fn quick() -> Options {
    Options {
        period: Duration::from_millis(50),
        whole: Duration::from_millis(500),
        ..Options::default()
    }
}

fn start(options: Options) -> Scraper<&'static str> {
    Scraper::start(options, CancellationToken::new())
}

fn target(id: &str, server: &Server) -> Target {
    Target {
        id: id.into(),
        address: server.address,
        path: "/metrics".into(),
        engine: None,
    }
}

fn text(running: u32) -> String {
    format!("vllm:num_requests_running{{model_name=\"m\"}} {running}\nvllm:num_requests_waiting 1\n")
}

fn answers(running: u32) -> Manner {
    Manner::Text(text(running), Duration::ZERO)
}

fn latest(scraper: &Scraper<&'static str>, id: &str) -> Latest {
    let all = scraper.latest(&GROUP);
    all.into_iter().find(|latest| &*latest.id == id).unwrap()
}

fn running(latest: &Latest) -> Option<f64> {
    latest.scrape.as_ref()?.running
}

/// The cause that a server's manner leads to.
async fn cause(manner: Manner, options: Options) -> Cause {
    let server = Server::start(manner).await;
    let scraper = start(options);
    scraper.set(&GROUP, vec![target("a", &server)]);
    until("a failure", || latest(&scraper, "a").failure.is_some()).await;
    let found = latest(&scraper, "a");
    assert_eq!(found.scrape, None);
    assert!(found.failures > 0);
    let failure = found.failure.unwrap();
    assert!(failure.at <= scraper.now());
    assert!(failure.to_string().len() < 500, "{failure}");
    failure.cause
}

#[tokio::test]
async fn what_a_server_tells_is_known_and_follows_it() {
    let server = Server::start(answers(3)).await;
    let scraper = start(quick());
    scraper.set(&GROUP, vec![target("a", &server)]);
    until("three requests", || running(&latest(&scraper, "a")) == Some(3.0)).await;
    let first = latest(&scraper, "a");
    assert_eq!(first.engine, Some(Engine::Vllm), "detected");
    assert_eq!((first.failure, first.failures), (None, 0));
    let at = first.scrape.unwrap().at;
    assert!(at <= scraper.now());
    server.behave(answers(8));
    until("eight requests", || running(&latest(&scraper, "a")) == Some(8.0)).await;
    assert!(latest(&scraper, "a").scrape.unwrap().at > at);
    until("many questions", || server.asked() > 20).await;
    assert_eq!(
        server.counts.connections.load(SeqCst),
        1,
        "one connection serves all"
    );
    let totals = scraper.totals(&GROUP);
    assert_eq!(totals.failed, 0);
    assert!(totals.asked >= 20);
}

#[tokio::test]
async fn a_slow_server_is_cut_off_and_its_connection_closed() {
    for manner in [Manner::Silent, Manner::Drips] {
        let server = Server::start(manner.clone()).await;
        let scraper = start(quick());
        scraper.set(&GROUP, vec![target("a", &server)]);
        until("a failure", || latest(&scraper, "a").failure.is_some()).await;
        let after = quick().whole;
        assert_eq!(
            latest(&scraper, "a").failure.unwrap().cause,
            Cause::TooLate { after },
            "{manner:?}"
        );
        assert!(server.counts.most_open.load(SeqCst) <= 2);
        // It recovers as soon as the server does.
        server.behave(answers(1));
        until("a scrape", || running(&latest(&scraper, "a")) == Some(1.0)).await;
        assert_eq!(latest(&scraper, "a").failures, 0);
    }
}

#[tokio::test]
async fn a_huge_answer_is_not_read() {
    let limit = 100_000;
    let options = Options {
        bytes: limit,
        ..quick()
    };
    assert_eq!(cause(Manner::Endless, options).await, Cause::TooLarge { limit });
    let told = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n#".to_vec();
    assert_eq!(cause(Manner::Raw(told), options).await, Cause::TooLarge { limit });
    let just = answers_of_length(limit);
    let server = Server::start(just).await;
    let scraper = start(options);
    scraper.set(&GROUP, vec![target("a", &server)]);
    until("the largest that is read", || {
        running(&latest(&scraper, "a")) == Some(1.0)
    })
    .await;
}

fn answers_of_length(length: usize) -> Manner {
    let mut text = text(1);
    text.push_str(&"#".repeat(length - text.len()));
    Manner::Text(text, Duration::ZERO)
}

#[tokio::test]
async fn garbage_is_told_as_what_it_is() {
    let page = "HTTP/1.1 200 OK\r\ncontent-length: 21\r\n\r\n<html>\nhello\n</html>\n";
    let found = cause(Manner::Raw(page.into()), quick()).await;
    assert_eq!(found, Cause::NotMetrics(ReadError::NotMetrics { lines: 3 }));
    for raw in ["SSH-2.0-OpenSSH_9.6\r\n\r\n", "\0\u{1}\u{2}\r\n\r\n"] {
        let found = cause(Manner::Raw(raw.into()), quick()).await;
        assert!(matches!(found, Cause::NotHttp { .. }), "{found:?}");
    }
    let chunk = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n";
    let found = cause(Manner::Raw(chunk.into()), quick()).await;
    assert!(matches!(found, Cause::NotHttp { .. }), "{found:?}");
    let head = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(200_000));
    let found = cause(Manner::Raw(head.into()), quick()).await;
    assert!(matches!(found, Cause::NotHttp { .. }), "{found:?}");
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nvllm:num_requests_running 1\n";
    let found = cause(Manner::Raw(half.into()), quick()).await;
    assert!(
        matches!(found, Cause::Broken { .. }),
        "half a text is none: {found:?}"
    );
    let found = cause(Manner::Raw(Vec::new()), quick()).await;
    assert!(matches!(found, Cause::Broken { .. }), "{found:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let aim = Server::start(answers(1)).await;
    let redirect = format!(
        "HTTP/1.1 302 Found\r\nlocation: http://{}/metrics\r\ncontent-length: 0\r\n\r\n",
        aim.address
    );
    let found = cause(Manner::Raw(redirect.into()), quick()).await;
    assert_eq!(found, Cause::Status { status: 302 });
    assert_eq!(aim.asked(), 0);
}

#[tokio::test]
async fn a_refused_connection_is_told_and_recovers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let scraper = start(quick());
    let gone = Target {
        id: "a".into(),
        address,
        path: "/metrics".into(),
        engine: Some(Engine::Vllm),
    };
    scraper.set(&GROUP, vec![gone]);
    until("several failures", || latest(&scraper, "a").failures >= 3).await;
    let failure = latest(&scraper, "a").failure.unwrap();
    assert!(matches!(failure.cause, Cause::Unreachable { .. }), "{failure:?}");
    assert_eq!(failure.cause.word(), "Unreachable");
    let failed = scraper.totals(&GROUP).failed;
    assert!(failed >= 3);
    Server::on(TcpListener::bind(address).await.unwrap(), answers(2));
    until("a scrape", || running(&latest(&scraper, "a")) == Some(2.0)).await;
    assert_eq!(latest(&scraper, "a").failure, None);
}

#[tokio::test]
async fn a_path_that_is_none_is_told() {
    let server = Server::start(answers(1)).await;
    let scraper = start(quick());
    for path in ["metrics", "/a b", "", "http://elsewhere/metrics", "/\r\nx: y"] {
        let odd = Target {
            path: path.into(),
            ..target(path, &server)
        };
        scraper.set(&GROUP, vec![odd]);
        until(path, || latest(&scraper, path).failure.is_some()).await;
        let cause = latest(&scraper, path).failure.unwrap().cause;
        assert_eq!(cause, Cause::Path { path: path.into() });
    }
    assert_eq!(server.asked(), 0);
}

#[tokio::test]
async fn a_connection_that_ends_between_questions_is_made_anew() {
    let server = Server::start(Manner::TextThenEnd(text(1))).await;
    let scraper = start(quick());
    scraper.set(&GROUP, vec![target("a", &server)]);
    until("questions", || scraper.totals(&GROUP).asked >= 10).await;
    assert_eq!(scraper.totals(&GROUP).failed, 0);
    assert!(server.counts.connections.load(SeqCst) >= 10);
}

#[tokio::test]
async fn a_target_that_goes_takes_its_connection_with_it() {
    let server = Server::start(answers(1)).await;
    let other = Server::start(answers(2)).await;
    let scraper = start(quick());
    scraper.set(&GROUP, vec![target("a", &server), target("b", &other)]);
    until("both", || {
        scraper.latest(&GROUP).iter().all(|l| l.scrape.is_some())
    })
    .await;
    scraper.set(&GROUP, vec![target("b", &other)]);
    let ids: Vec<_> = scraper.latest(&GROUP).into_iter().map(|l| l.id).collect();
    assert_eq!(ids, ["b".into()]);
    until("a is let go", || server.counts.open.load(SeqCst) == 0).await;
    let asked = server.asked();
    let before = other.asked();
    until("b goes on", || other.asked() > before + 5).await;
    assert_eq!(server.asked(), asked, "nobody asks a");
    assert_eq!(other.counts.connections.load(SeqCst), 1, "b was not disturbed");
    // An address that another has now is asked anew, and nothing of the old is believed.
    scraper.set(&GROUP, vec![target("b", &server)]);
    assert_eq!(latest(&scraper, "b").scrape, None);
    until("b elsewhere", || running(&latest(&scraper, "b")) == Some(1.0)).await;
    scraper.remove(&GROUP);
    assert_eq!(scraper.latest(&GROUP), []);
    until("all are let go", || {
        server.counts.open.load(SeqCst) + other.counts.open.load(SeqCst) == 0
    })
    .await;
}

#[tokio::test]
async fn all_asking_ends_with_stop_or_the_last_scraper() {
    for by_drop in [false, true] {
        let server = Server::start(answers(1)).await;
        let stop = CancellationToken::new();
        let scraper = Scraper::start(quick(), stop.clone());
        scraper.set(&GROUP, vec![target("a", &server)]);
        until("a scrape", || latest(&scraper, "a").scrape.is_some()).await;
        let kept = (!by_drop).then(|| {
            stop.cancel();
            scraper.clone()
        });
        drop(scraper);
        until("let go", || server.counts.open.load(SeqCst) == 0).await;
        if let Some(scraper) = kept {
            scraper.set(&GROUP, vec![target("b", &server)]);
            assert_eq!(latest(&scraper, "b").scrape, None);
        }
    }
}

#[tokio::test]
async fn rounds_are_told_per_group() {
    let server = Server::start(answers(1)).await;
    let scraper = start(quick());
    scraper.set(&"one", vec![target("a", &server), target("b", &server)]);
    scraper.set(&"two", vec![target("c", &server)]);
    scraper.set(&"none", Vec::new());
    let mut told = HashSet::new();
    for _ in 0..12 {
        let group = scraper.round().await;
        let all = scraper.latest(&group);
        assert!(all.iter().all(|latest| latest.scrape.is_some()), "{group}");
        told.insert(group);
    }
    assert_eq!(told, HashSet::from(["one", "two"]));
    scraper.remove(&"one");
    // What was removed is told no more.
    for _ in 0..5 {
        assert_eq!(scraper.round().await, "two");
    }
}
