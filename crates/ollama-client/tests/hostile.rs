//! Servers that break off, fall silent, lie or flood: each ends in a typed error, in bounded memory.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::hostile::{Hostile, STREAM, Then, chunk, streamed, whole};
use common::soon;
use ollama_client::{Cause, Error, GenerateError, GenerateLimits, Limits, Ollama, Part};
use tokio::net::{TcpSocket, TcpStream};

/// Long enough for everything that a server here really sends.
const SECOND: Duration = Duration::from_secs(1);
/// More than the limits and all buffers between two sockets together, far less than a flood.
const BOUND: usize = 24 << 20;

fn limits() -> Limits {
    Limits {
        answer: SECOND,
        idle: SECOND,
        ..Limits::default()
    }
}

fn ollama(server: &Hostile) -> Ollama {
    Ollama::with_limits(server.address, limits())
}

async fn version(first: impl Into<Vec<u8>>, then: Then) -> Error {
    let server = Hostile::start(first, then).await;
    let error = soon(ollama(&server).version()).await.unwrap_err();
    server.client_left().await;
    assert!(server.written.load(Ordering::Relaxed) < BOUND, "{error}");
    error
}

async fn pull(first: impl Into<Vec<u8>>, then: Then) -> Error {
    let server = Hostile::start(first, then).await;
    let error = soon(ollama(&server).pull("m", drop)).await.unwrap_err();
    server.client_left().await;
    assert!(server.written.load(Ordering::Relaxed) < BOUND, "{error}");
    error
}

async fn generate(first: impl Into<Vec<u8>>, then: Then) -> GenerateError {
    let server = Hostile::start(first, then).await;
    let limits = GenerateLimits {
        idle: SECOND,
        ..GenerateLimits::default()
    };
    let ollama = ollama(&server);
    let error = soon(ollama.generate("m", "a prompt", limits)).await.unwrap_err();
    server.client_left().await;
    assert_eq!(server.requests.lock().len(), 1, "a prompt must not be sent twice");
    error
}

fn is_broken(cause: &Cause) -> bool {
    matches!(cause, Cause::Broken { .. })
}

fn is_malformed(cause: &Cause) -> bool {
    matches!(cause, Cause::Malformed { .. })
}

const LINES: [&str; 2] = [
    r#"{"response":"one ","done":false}"#,
    r#"{"response":"two","done":false}"#,
];

#[tokio::test]
async fn without_a_connection_nothing_was_sent() {
    // Bound, so that nobody else gets the port, but not listening.
    let socket = TcpSocket::new_v4().unwrap();
    let any = "127.0.0.1:0".parse::<SocketAddr>().unwrap();
    socket.bind(any).unwrap();
    let address = socket.local_addr().unwrap();
    let ollama = Ollama::new(address);
    let error = ollama.version().await.unwrap_err();
    assert!(error.is_unreachable());
    assert_eq!(
        error.to_string(),
        format!(
            "the version, asked of Ollama at {address}: no connection, nothing was sent \
             (Connection refused (os error 111)): check that the server runs and listens on 0.0.0.0"
        )
    );
    let failed = ollama.generate("m", "p", GenerateLimits::default()).await;
    assert!(failed.unwrap_err().error.is_unreachable());
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_unreachable() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse::<SocketAddr>().unwrap()).unwrap();
    // Nobody accepts; once the queue is full, the system drops who wants to connect.
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(socket) = tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await
    {
        waiting.push(socket.unwrap());
    }
    let connect = Duration::from_millis(50);
    let ollama = Ollama::with_limits(address, Limits { connect, ..limits() });
    let error = ollama.version().await.unwrap_err();
    let reason = "not connected within 50ms".to_owned();
    assert_eq!(error.cause, Cause::Unreachable { reason });
}

#[tokio::test]
async fn a_connection_that_ends_is_broken() {
    for then in [Then::Close, Then::Reset] {
        for first in [
            "",
            "HTTP/1.1 200 OK\r\ncontent-le",
            "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{",
        ] {
            let error = version(first, then.clone()).await;
            assert!(is_broken(&error.cause), "{first:?} {then:?}: {error}");
        }
        let failed = generate(streamed(&LINES, false), then.clone()).await;
        assert!(is_broken(&failed.error.cause), "{failed}");
        let error = pull(streamed(&[r#"{"status":"pulling manifest"}"#], false), then).await;
        assert!(is_broken(&error.cause), "{error}");
    }
    let failed = generate(streamed(&LINES, false), Then::Close).await;
    assert_eq!(failed.text, "one two");
}

#[tokio::test]
async fn a_stream_that_ends_in_order_but_too_early_is_broken() {
    let failed = generate(streamed(&LINES, true), Then::Close).await;
    assert!(is_broken(&failed.error.cause), "{failed}");
    assert_eq!(failed.text, "one two");
    let error = pull(streamed(&[r#"{"status":"writing manifest"}"#], true), Then::Close).await;
    assert!(is_broken(&error.cause), "{error}");
    let failed = generate(whole("200 OK", ""), Then::Hold).await;
    assert!(is_broken(&failed.error.cause), "{failed}");
}

#[tokio::test]
async fn the_servers_words_are_kept() {
    let words = "model requires more system memory (8.0 GiB) than is available (4.0 GiB)";
    let refusal = whole("500 Internal Server Error", &format!(r#"{{"error":"{words}"}}"#));
    let refused = |status, message: &str| Cause::Refused {
        status,
        message: message.to_owned(),
    };
    assert_eq!(
        generate(refusal.clone(), Then::Hold).await.error.cause,
        refused(500, words)
    );
    assert_eq!(version(refusal, Then::Hold).await.cause, refused(500, words));

    let failed_line = format!(r#"{{"error":"{words}"}}"#);
    let failed = generate(streamed(&[LINES[0], LINES[1], &failed_line], false), Then::Hold).await;
    assert_eq!(failed.error.server_words(), Some(words));
    assert!(matches!(failed.error.cause, Cause::Failed { .. }));
    assert_eq!(failed.text, "one two");

    let nested = whole("400 Bad Request", r#"{"error":{"message":"no","type":"x"}}"#);
    assert_eq!(version(nested, Then::Hold).await.cause, refused(400, "no"));
    let html = whole("502 Bad Gateway", "<html>\r\n\t<b>Bad\u{7}Gateway</b>");
    assert_eq!(
        version(html, Then::Hold).await.cause,
        refused(502, "<html> <b>Bad Gateway</b>")
    );
    let moved = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(
        version(moved, Then::Hold).await.cause,
        refused(302, "no reason given")
    );
    let long = whole("500 Oh No", &"long ".repeat(1 << 20));
    let error = version(long, Then::Close).await;
    assert!(error.server_words().is_some_and(|words| words.len() <= 1024));
}

#[tokio::test]
async fn a_missing_page_is_not_a_missing_model() {
    let server = Hostile::start(whole("404 Not Found", "404 page not found"), Then::Hold).await;
    let error = ollama(&server).show("m").await.unwrap_err();
    assert!(!error.is_model_missing(), "{error}");
    let server = Hostile::start(
        whole("404 Not Found", r#"{"error":"model 'm' not found"}"#),
        Then::Hold,
    )
    .await;
    assert!(!ollama(&server).show("m").await.unwrap());
}

#[tokio::test]
async fn silence_has_its_limits() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n";
    let begun = streamed(&[r#"{"status":"pulling manifest"}"#], false);
    let half = format!("{STREAM}{}", chunk(r#"{"response":"#));
    let (late, late_body, mute, stopped, short, cut) = tokio::join!(
        version("", Then::Hold),
        version(head, Then::Hold),
        pull("", Then::Hold),
        pull(begun, Then::Hold),
        generate(streamed(&LINES, false), Then::Hold),
        generate(half, Then::Hold),
    );
    for error in [late, late_body] {
        assert_eq!(error.cause, Cause::TooLate { after: SECOND });
    }
    for error in [mute, stopped, short.error, cut.error] {
        assert_eq!(error.cause, Cause::Stalled { after: SECOND });
    }
    assert_eq!((short.text.as_str(), cut.text.as_str()), ("one two", ""));
}

/// What Ollama 0.17.4 does to those who wait for a layer when the client that asked for its size has left.
#[tokio::test]
async fn a_layer_that_never_gets_a_size_stands_still() {
    let tick = chunk("{\"status\":\"pulling 8d0b74132240\",\"digest\":\"sha256:8d0b\"}\n");
    let server = Hostile::start(STREAM, Then::Repeat(tick.into())).await;
    let idle = Duration::from_millis(100);
    let ollama = Ollama::with_limits(server.address, Limits { idle, ..limits() });
    let mut told = None;
    let error = soon(ollama.pull("m", |progress| told = Some(progress)))
        .await
        .unwrap_err();
    assert_eq!(error.cause, Cause::Stalled { after: idle });
    assert!(told.is_some_and(|told| !told.mid_layer && told.total == 0));
    server.client_left().await;
}

#[tokio::test]
async fn a_model_that_talks_for_ever_is_stopped_by_time_or_by_length() {
    let piece = chunk("{\"response\":\"word \",\"done\":false}\n");
    let server = Hostile::start(STREAM, Then::Repeat(piece.clone().into())).await;
    let limits = GenerateLimits {
        bytes: 1000,
        ..GenerateLimits::default()
    };
    let answer = soon(ollama(&server).generate("m", "p", limits)).await.unwrap();
    assert_eq!((answer.text.len(), answer.cut), (1000, true));
    server.client_left().await;

    let server = Hostile::start(STREAM, Then::Repeat(piece.into())).await;
    let after = Duration::from_millis(500);
    let limits = GenerateLimits {
        total: after,
        bytes: usize::MAX,
        ..GenerateLimits::default()
    };
    let failed = soon(ollama(&server).generate("m", "p", limits))
        .await
        .unwrap_err();
    assert_eq!(failed.error.cause, Cause::TooLate { after });
    assert!(failed.text.starts_with("word word "));
    server.client_left().await;

    // A model that thinks and says nothing.
    let silent = chunk("{\"response\":\"\",\"thinking\":\"hm\",\"done\":false}\n");
    let server = Hostile::start(STREAM, Then::Repeat(silent.into())).await;
    let failed = soon(ollama(&server).generate("m", "p", limits))
        .await
        .unwrap_err();
    assert_eq!(failed.error.cause, Cause::TooLate { after });
    assert_eq!(failed.text, "");
}

#[tokio::test]
async fn text_is_cut_between_characters() {
    let lines = [
        r#"{"response":"grö","done":false}"#,
        r#"{"response":"ße","done":true}"#,
    ];
    for (bytes, text, cut) in [(5, "grö", true), (6, "größ", true), (7, "größe", false)] {
        let server = Hostile::start(streamed(&lines, true), Then::Hold).await;
        let limits = GenerateLimits {
            bytes,
            ..GenerateLimits::default()
        };
        let answer = ollama(&server).generate("m", "p", limits).await.unwrap();
        assert_eq!((answer.text.as_str(), answer.cut), (text, cut), "{bytes}");
    }
}

#[tokio::test]
async fn floods_are_cut_off() {
    let too_large = |part, limit| Cause::TooLarge { part, limit };
    let mebibyte = 1 << 20;
    // A head without end, and one of ten megabytes.
    let field = b"x-flood: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n".to_vec();
    let error = version("HTTP/1.1 200 OK\r\n", Then::Repeat(field)).await;
    assert!(
        matches!(error.cause, Cause::TooLarge { part: Part::Head, .. }),
        "{error}"
    );
    let error = version("HTTP/1.1 200 OK\r\nx-flood: ", Then::Repeat(vec![b'a'; 10 << 20])).await;
    assert!(
        matches!(error.cause, Cause::TooLarge { part: Part::Head, .. }),
        "{error}"
    );
    // Bodies without end: by length, by chunks, until the connection closes.
    let spaces = Then::Repeat(vec![b' '; 4096]);
    let long = "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999\r\n\r\n";
    assert_eq!(
        version(long, spaces.clone()).await.cause,
        too_large(Part::Body, mebibyte)
    );
    assert_eq!(
        version("HTTP/1.1 200 OK\r\n\r\n", spaces).await.cause,
        too_large(Part::Body, mebibyte)
    );
    let chunks = Then::Repeat(chunk(&" ".repeat(4096)).into());
    assert_eq!(
        version(STREAM, chunks).await.cause,
        too_large(Part::Body, mebibyte)
    );
    // One line without end.
    let line = Then::Repeat(chunk(&"a".repeat(4096)).into());
    assert_eq!(
        pull(STREAM, line.clone()).await.cause,
        too_large(Part::Line, mebibyte)
    );
    let failed = generate(STREAM, line).await;
    assert_eq!(failed.error.cause, too_large(Part::Line, 4 * mebibyte));
}

/// Nothing but empty lines, empty chunk extensions or interim answers: never a line, so silence.
#[tokio::test]
async fn noise_is_not_a_line() {
    for (first, noise) in [
        (STREAM, chunk("\n\r\n\n")),
        ("", "HTTP/1.1 100 Continue\r\n\r\n".to_owned()),
        (STREAM, "1;ext=aaaaaaaaaaaaaaaa\r\n\n\r\n".to_owned()),
    ] {
        let server = Hostile::start(first, Then::Repeat(noise.into())).await;
        let error = soon(ollama(&server).pull("m", drop)).await.unwrap_err();
        // A flood of chunk extensions may also be taken for what it is.
        assert!(
            error.cause == Cause::Stalled { after: SECOND } || is_malformed(&error.cause),
            "{error}"
        );
        server.client_left().await;
    }
}

#[tokio::test]
async fn nonsense_is_malformed() {
    for first in [
        "SSH-2.0-OpenSSH_9.6\r\n\r\n".to_owned(),
        "HTTP/1.1 2x0 OK\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nbad header\r\n\r\n".to_owned(),
        // A length that is too short, and chunks that are none.
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{\"version\":\"0.17.4\"}".to_owned(),
        format!("{STREAM}zz\r\n{{}}\r\n0\r\n\r\n"),
        format!("{STREAM}fffffffffffffffff\r\n"),
        format!("{STREAM}2\r\n{{}}abc"),
        whole("200 OK", "\u{1f}\u{8b}\u{8}\0\0\0\0\0"),
        whole("200 OK", "Ollama is running"),
        whole("200 OK", r#"{"version":5}"#),
        whole("200 OK", "{}"),
        whole("200 OK", ""),
        whole("200 OK", &"[".repeat(100_000)),
    ] {
        let error = version(first.clone(), Then::Hold).await;
        let first = first.get(..80).unwrap_or(&first);
        assert!(is_malformed(&error.cause), "{first:?}: {error}");
        assert!(error.to_string().len() < 400, "{error}");
    }
    let gzip = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n";
    let bytes = [gzip.as_bytes(), &[0x1f, 0x8b, 0xff, 0xfe]].concat();
    assert!(is_malformed(&version(bytes, Then::Hold).await.cause));
}

#[tokio::test]
async fn lines_of_the_wrong_shape_are_malformed_and_the_text_is_kept() {
    for line in [
        "not json",
        "[]",
        r#"{"response":1}"#,
        r#"{"done":"yes"}"#,
        r#"{"response":"half"#,
    ] {
        let failed = generate(streamed(&[LINES[0], line], true), Then::Hold).await;
        assert!(is_malformed(&failed.error.cause), "{line}: {failed}");
        assert_eq!(failed.text, "one ", "{line}");
    }
    let negative = r#"{"status":"pulling x","digest":"x","total":-1}"#;
    assert!(is_malformed(
        &pull(streamed(&[negative], true), Then::Hold).await.cause
    ));
}

#[tokio::test]
async fn a_list_may_be_null_and_sizes_may_be_missing() {
    let server = Hostile::start(whole("200 OK", r#"{"models":null}"#), Then::Hold).await;
    assert_eq!(ollama(&server).models().await.unwrap(), []);
    let server = Hostile::start(whole("200 OK", r#"{"models":[{"name":"m:latest"}]}"#), Then::Hold).await;
    assert_eq!(ollama(&server).loaded().await.unwrap()[0].gpu_bytes, 0);
}

#[tokio::test]
async fn a_dropped_question_closes_its_connection() {
    let server = Hostile::start(streamed(&LINES, false), Then::Hold).await;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let ollama = Ollama::new(server.address);
    {
        let pull = ollama.pull("m", |progress| drop(tell.send(progress)));
        tokio::select! {
            done = pull => panic!("{done:?}"),
            _ = soon(told.recv()) => {}
        }
    }
    server.client_left().await;
}

#[tokio::test]
async fn requests_are_what_ollama_expects() {
    let done = streamed(&[r#"{"status":"success","response":"","done":true}"#], true);
    let server = Hostile::start(done, Then::Close).await;
    let ollama = ollama(&server);
    ollama.pull("llama2:7b", drop).await.unwrap();
    ollama.load("llama2:7b", SECOND).await.unwrap();
    ollama
        .generate("llama2:7b", "say \"hi\"\n", GenerateLimits::default())
        .await
        .unwrap();
    ollama.copy("a", "b").await.unwrap();
    ollama.delete("a").await.unwrap();
    let requests: Vec<(String, serde_json::Value)> = server
        .requests
        .lock()
        .iter()
        .map(|request| {
            let (head, body) = request.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("host: {}", server.address)), "{head}");
            (
                head.lines().next().unwrap().to_owned(),
                serde_json::from_str(body).unwrap(),
            )
        })
        .collect();
    let expected = [
        (
            "POST /api/pull HTTP/1.1",
            r#"{"model":"llama2:7b","stream":true}"#,
        ),
        (
            "POST /api/generate HTTP/1.1",
            r#"{"model":"llama2:7b","keep_alive":-1,"stream":false}"#,
        ),
        (
            "POST /api/generate HTTP/1.1",
            r#"{"model":"llama2:7b","prompt":"say \"hi\"\n","stream":true,"keep_alive":-1}"#,
        ),
        ("POST /api/copy HTTP/1.1", r#"{"source":"a","destination":"b"}"#),
        ("DELETE /api/delete HTTP/1.1", r#"{"model":"a"}"#),
    ];
    for (got, (line, body)) in requests.iter().zip(expected) {
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(got, &(line.to_owned(), body));
    }
    assert_eq!(requests.len(), expected.len());
}
