//! What the real server (0.17.4) answers to requests that it cannot serve, word for word.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::bed::{Bed, PORT, parsed};
use crate::common::request;

#[tokio::test]
async fn refusals_are_the_real_ones() {
    let bed = Bed::new();
    let server = bed.up(&[]).await;
    let to = SocketAddr::new(server.address, PORT);
    let cases = [
        ("POST /api/pull", "", 400, r#"{"error":"missing request body"}"#),
        ("POST /api/pull", "{", 400, r#"{"error":"unexpected EOF"}"#),
        ("POST /api/pull", "{}", 400, r#"{"error":"invalid model name"}"#),
        (
            "POST /api/pull",
            r#"{"model":"bad name"}"#,
            400,
            r#"{"error":"invalid model name"}"#,
        ),
        ("POST /api/show", "{}", 400, r#"{"error":"model is required"}"#),
        (
            "POST /api/show",
            r#"{"model":"bad name"}"#,
            500,
            r#"{"error":"unqualified name: registry.ollama.ai/library/bad name:latest"}"#,
        ),
        (
            "POST /api/show",
            r#"{"model":"nope"}"#,
            404,
            r#"{"error":"model 'nope' not found"}"#,
        ),
        (
            "POST /api/generate",
            r#"{"prompt":"x"}"#,
            404,
            r#"{"error":"model '' not found"}"#,
        ),
        (
            "POST /api/generate",
            r#"{"model":"nope"}"#,
            404,
            r#"{"error":"model 'nope' not found"}"#,
        ),
        (
            "POST /api/generate",
            r#"{"model":"nope","keep_alive":"5"}"#,
            400,
            r#"{"error":"time: missing unit in duration \"5\""}"#,
        ),
        (
            "POST /api/chat",
            r#"{"messages":[]}"#,
            400,
            r#"{"error":"model is required"}"#,
        ),
        (
            "POST /api/chat",
            r#"{"model":"nope"}"#,
            404,
            r#"{"error":"model 'nope' not found"}"#,
        ),
        (
            "POST /api/copy",
            r#"{"source":"nope","destination":"x"}"#,
            404,
            r#"{"error":"model \"nope\" not found"}"#,
        ),
        (
            "POST /api/copy",
            r#"{"source":"nope","destination":"bad name"}"#,
            400,
            r#"{"error":"destination \"bad name\" is invalid"}"#,
        ),
        (
            "DELETE /api/delete",
            r#"{"model":"nope"}"#,
            404,
            r#"{"error":"model 'nope' not found"}"#,
        ),
        (
            "DELETE /api/delete",
            r#"{"model":"bad name"}"#,
            400,
            r#"{"error":"name \"bad name\" is invalid"}"#,
        ),
        ("GET /api/tags", "", 200, r#"{"models":[]}"#),
        ("GET /api/pull", "", 405, "405 method not allowed"),
        ("GET /nothing", "", 404, "404 page not found"),
    ];
    for (line, body, status, answer) in cases {
        let (method, path) = line.split_once(' ').unwrap();
        let got = request(to, method, path, &BTreeMap::new(), body).await;
        assert_eq!(got, (status, answer.to_owned()), "{line} {body}");
    }
}

#[tokio::test]
async fn refusals_under_openais_paths_are_the_real_ones() {
    let bed = Bed::new();
    let server = bed.up(&[]).await;
    let to = SocketAddr::new(server.address, PORT);
    let openai = |message: &str, kind: &str| {
        serde_json::json!({"error": {"message": message, "type": kind, "param": null, "code": null}})
            .to_string()
    };
    let no_model = openai("model 'nope' not found", "api_error");
    let too_short = openai("[] is too short - 'messages'", "invalid_request_error");
    let cases = [
        (
            "POST /v1/chat/completions",
            r#"{"model":"nope","messages":[]}"#,
            400,
            too_short.as_str(),
        ),
        (
            "POST /v1/completions",
            r#"{"model":"nope","prompt":"x"}"#,
            404,
            &no_model,
        ),
        ("GET /v1/models/nope", "", 404, no_model.as_str()),
        ("GET /v1/models", "", 200, r#"{"data":null,"object":"list"}"#),
    ];
    for (line, body, status, answer) in cases {
        let (method, path) = line.split_once(' ').unwrap();
        let got = request(to, method, path, &BTreeMap::new(), body).await;
        assert_eq!(got, (status, answer.to_owned()), "{line} {body}");
    }
}

#[tokio::test]
async fn a_model_says_what_it_is_under_every_path() {
    let bed = Bed::new();
    let server = bed.up(&[]).await;
    server.post(PORT, "/api/pull", r#"{"name":"phi:2.7b"}"#).await;
    let card = parsed(&server.get(PORT, "/v1/models/phi:2.7b").await);
    assert_eq!(
        (&card["id"], &card["owned_by"]),
        (&"phi:2.7b".into(), &"library".into())
    );
    let shown = parsed(&server.post(PORT, "/api/show", r#"{"model":"phi:2.7b"}"#).await);
    assert_eq!(shown["model_info"]["phi2.context_length"], 2048);
    assert_eq!(shown["details"]["family"], "phi2");
    assert!(
        shown["modelfile"]
            .as_str()
            .unwrap()
            .contains("\nFROM /models/blobs/sha256-"),
        "{shown}"
    );
    let (_, body) = server
        .post(
            PORT,
            "/api/generate",
            r#"{"model":"phi:2.7b","prompt":"one two","options":{"num_predict":2}}"#,
        )
        .await;
    let last = parsed(&(200, body.lines().last().unwrap().to_owned()));
    assert_eq!(
        (&last["done_reason"], &last["eval_count"]),
        (&"length".into(), &2.into())
    );
    assert!(last["context"].is_array() && last["total_duration"].is_u64());
}
