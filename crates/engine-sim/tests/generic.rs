//! The generic server: ports, paths, and the ways in which a test can make it fail.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::time::Duration;

use common::{Folder, finish, mount, spec, start, start_with};
use engine_sim::{Cause, End, FaultHandle, GenericOptions, ProcessSpec, Program, Site, Write, fault};

fn generic(options: GenericOptions, line: &str, root: &Folder) -> ProcessSpec {
    spec(Program::Generic(options), line, root)
}

#[tokio::test]
async fn the_port_comes_from_arguments_environment_or_default() {
    let root = Folder::new();
    let options = GenericOptions {
        failing_paths: vec!["/readyz".into()],
        ..GenericOptions::default()
    };
    let default = start(generic(options, "", &root)).up(8080).await;
    for (path, status) in [
        ("/", 200),
        ("/health", 200),
        ("/healthz", 200),
        ("/readyz", 500),
        ("/nothing", 404),
    ] {
        assert_eq!(default.get(8080, path).await.0, status, "{path}");
    }
    let (status, answer) = default
        .post(8080, "/v1/completions", r#"{"prompt":"hi","max_tokens":50}"#)
        .await;
    assert!(status == 200 && answer.contains("text_completion"), "{answer}");
    assert!(
        default
            .get(8080, "/metrics")
            .await
            .1
            .contains("generated_tokens_total")
    );
    let mut by_env = generic(GenericOptions::default(), "", &root);
    by_env.env.insert("PORT".into(), "9191".into());
    start(by_env.clone()).up(9191).await.exit.abort();
    by_env.argv.push("--port=9292".into());
    by_env.address = common::address();
    start(by_env).up(9292).await.exit.abort();
}

#[tokio::test]
async fn interpreters_want_their_script_and_terminals_no_port() {
    let root = Folder::new();
    let options = GenericOptions {
        site: Some(Box::new(Site {
            script_in: Some("/app".into()),
            answer: "gpt-4".into(),
        })),
        ..GenericOptions::default()
    };
    let mut bun = generic(options, "-p 8085 ./index.js", &root);
    let (exit, _) = finish(bun.clone()).await;
    assert_eq!(
        (exit.code, exit.message.as_str()),
        (1, "error: Module not found \"./index.js\"")
    );
    std::fs::write(root.0.join("index.js"), "Bun.serve({})").unwrap();
    bun.files.mounts.push(mount("/app", &root.0));
    let running = start(bun).up(8085).await;
    assert_eq!(running.get(8085, "/anything").await, (200, "gpt-4".into()));

    let options = GenericOptions {
        terminal: true,
        ..GenericOptions::default()
    };
    let terminal = start(generic(options, "", &root));
    terminal.stop.cancel();
    assert_eq!(terminal.exit.await.unwrap().code, 143);
}

#[tokio::test]
async fn ends_are_as_ordered() {
    let root = Folder::new();
    let end = End {
        seconds: 0.0,
        code: 7,
        message: "licence expired".into(),
    };
    let (exit, log) = finish(generic(
        GenericOptions {
            exit_after: Some(end),
            ..GenericOptions::default()
        },
        "",
        &root,
    ))
    .await;
    assert_eq!((exit.code, exit.message.as_str()), (7, "licence expired"));
    assert!(log.ends_with("licence expired"), "{log}");

    let mut hungry = generic(
        GenericOptions {
            memory: 2 << 30,
            ..GenericOptions::default()
        },
        "",
        &root,
    );
    hungry.memory_limit = Some(1 << 30);
    let (exit, _) = finish(hungry).await;
    assert_eq!((exit.code, exit.cause), (137, Cause::OomKilled));

    let write = Write {
        path: "/data/x".into(),
        content: "1".into(),
    };
    let mut writer = generic(
        GenericOptions {
            writes: vec![write],
            ..GenericOptions::default()
        },
        "",
        &root,
    );
    let mut data = mount("/data", &root.0.join("volume"));
    data.read_only = true;
    writer.files.mounts.push(data);
    let (exit, _) = finish(writer.clone()).await;
    assert_eq!(
        (exit.code, exit.message.as_str()),
        (1, "cannot write: Read-only file system: '/data/x'")
    );
    writer.files.mounts[0].read_only = false;
    start(writer).up(8080).await.exit.abort();
    assert_eq!(std::fs::read_to_string(root.0.join("volume/x")).unwrap(), "1");
}

#[tokio::test]
async fn a_start_fault_makes_every_start_fail_until_it_is_taken_back() {
    let root = Folder::new();
    let faults = FaultHandle::new();
    faults.at_start(Some(fault::Death::Crash {
        code: 3,
        message: "bad weights".into(),
    }));
    for _ in 0..2 {
        let exit = start_with(generic(GenericOptions::default(), "", &root), faults.clone())
            .exit
            .await
            .unwrap();
        assert_eq!((exit.code, exit.message.as_str()), (3, "bad weights"));
    }
    faults.at_start(None);
    let running = start_with(generic(GenericOptions::default(), "", &root), faults.clone())
        .up(8080)
        .await;
    faults.oom();
    assert_eq!(running.exit.await.unwrap().cause, Cause::OomKilled);
}

#[tokio::test]
async fn a_program_that_ignores_sigterm_must_be_killed() {
    let root = Folder::new();
    let options = GenericOptions {
        ignores_stop: true,
        ..GenericOptions::default()
    };
    let mut running = start(generic(options, "", &root)).up(8080).await;
    running.stop.cancel();
    assert!(
        tokio::time::timeout(Duration::from_millis(100), &mut running.exit)
            .await
            .is_err()
    );
    assert_eq!(running.get(8080, "/health").await.0, 200);
    running.exit.abort();
    assert!(running.exit.await.unwrap_err().is_cancelled());
    assert!(
        tokio::net::TcpStream::connect((running.address, 8080))
            .await
            .is_err()
    );
}

/// An idle engine is one task and one socket: five hundred start in no time and cost little.
#[tokio::test]
async fn hundreds_of_idle_engines_are_cheap() {
    let root = Folder::new();
    let before = resident();
    let mut all = Vec::new();
    for _ in 0..500 {
        let mut one = generic(GenericOptions::default(), "", &root);
        one.env.insert("PORT".into(), (20_000 + all.len()).to_string());
        all.push(start(one));
    }
    for (n, running) in all.iter().enumerate() {
        let port = u16::try_from(20_000 + n).unwrap();
        while tokio::net::TcpStream::connect((running.address, port))
            .await
            .is_err()
        {
            assert!(!running.exit.is_finished());
            tokio::task::yield_now().await;
        }
    }
    let each = (resident() - before) / all.len() as u64;
    assert!(each < 64 << 10, "{each} bytes each");
}

fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}
