//! Faults that tests order, and the journal by which they count.

use engine_sim::fault::{Broken, Health};
use engine_sim::journal::Event;
use tokio::time::{Duration, timeout};

use crate::bed::{Bed, Lines, PORT, parsed};

fn ask(prompt: &str, stream: bool) -> String {
    serde_json::json!({"model": "tinyllama", "prompt": prompt, "stream": stream}).to_string()
}

#[tokio::test]
async fn prompts_fail_hang_and_are_cut_as_ordered() {
    let bed = Bed::new();
    let server = bed.up(&[]).await;
    server.post(PORT, "/api/pull", r#"{"model":"tinyllama"}"#).await;
    let fails = Broken::Fails {
        status: 500,
        message: "llama runner process has terminated: exit status 2".into(),
    };
    server.faults.break_prompts("bad", fails);
    server.faults.break_prompts("slow", Broken::Hangs);
    server.faults.break_prompts("long", Broken::Cut);

    let (status, body) = server.post(PORT, "/api/generate", &ask("a bad one", false)).await;
    assert_eq!(
        (status, body.as_str()),
        (
            500,
            r#"{"error":"llama runner process has terminated: exit status 2"}"#
        )
    );
    let body = ask("a slow one", false);
    let hanging = server.post(PORT, "/api/generate", &body);
    assert!(timeout(Duration::from_millis(300), hanging).await.is_err());
    let mut lines = Lines::post(&server, "/api/generate", &ask("a long one", true)).await;
    assert_eq!(lines.next().await.unwrap()["done"], false);
    let end = loop {
        match lines.next().await {
            Ok(line) => assert_eq!(line["done"], false, "{line}"),
            Err(end) => break end,
        }
    };
    assert!(!end, "the stream must not end as a whole one does");
    let (status, body) = server
        .post(PORT, "/api/generate", &ask("a long one", false))
        .await;
    assert!(
        status == 200 && serde_json::from_str::<serde_json::Value>(&body).is_err(),
        "{body}"
    );

    // Others are answered, a load is no prompt, and healed all is well.
    assert_eq!(
        server
            .post(PORT, "/api/generate", &ask("a good one", false))
            .await
            .0,
        200
    );
    server.faults.break_prompts("", Broken::Hangs);
    assert_eq!(
        server
            .post(PORT, "/api/generate", r#"{"model":"tinyllama"}"#)
            .await
            .0,
        200
    );
    server.faults.heal_prompts();
    assert_eq!(
        server
            .post(PORT, "/api/generate", &ask("a bad one", false))
            .await
            .0,
        200
    );

    let prompts: Vec<String> = bed
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Prompt { prompt, path, .. } if path == "/api/generate" => Some(prompt),
            _ => None,
        })
        .collect();
    assert_eq!(
        prompts,
        [
            "a bad one",
            "a slow one",
            "a long one",
            "a long one",
            "a good one",
            "a bad one"
        ]
    );
    let loads = |event: &Event| {
        *event
            == Event::Load {
                model: "tinyllama:latest".into(),
            }
    };
    assert_eq!(bed.events().iter().filter(|event| loads(event)).count(), 1);
}

#[tokio::test]
async fn pulls_fail_in_the_registrys_words_and_a_server_answers_nothing() {
    let bed = Bed::new();
    let server = bed.up(&[]).await;
    let words = "pull model manifest: file does not exist";
    server.faults.fail_model_pulls(Some(words.into()));
    let (status, body) = server.post(PORT, "/api/pull", r#"{"model":"tinyllama"}"#).await;
    let last = body.lines().last().unwrap();
    assert_eq!(
        (status, last),
        (200, format!("{{\"error\":\"{words}\"}}").as_str())
    );
    server.faults.fail_model_pulls(None);
    assert_eq!(bed.downloads(), [0; 0]);
    let (_, body) = server.post(PORT, "/api/pull", r#"{"model":"tinyllama"}"#).await;
    assert!(body.contains("success"));

    server.faults.health(Health::Hanging);
    assert!(
        timeout(Duration::from_millis(200), server.get(PORT, "/"))
            .await
            .is_err()
    );
    server.faults.health(Health::Normal);
    assert_eq!(server.get(PORT, "/").await.0, 200);
    assert_eq!(
        parsed(&server.get(PORT, "/api/version").await)["version"],
        "0.17.4"
    );
}
