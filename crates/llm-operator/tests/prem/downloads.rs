//! Models over HTTP: init containers that really download, and what is said when they cannot.

use serde_json::json;
use testkit::FileServer;

use crate::{
    bed,
    common::PATIENCE,
    seen::{completed, listed, map, pod_spec, resource, wait_error, wait_word},
};

/// Two models over HTTP on one LocalAI, one inline and one of a map whose name has dots, redirected as model hubs do:
/// both files are there under their names and serve (1.7-6: the init containers had one name).
/// Promises: S4-19, S4-31
#[tokio::test]
async fn local_ai_serves_every_model_it_downloads() {
    let space = bed().await.space("downloads").await;
    let server = FileServer::start().await.unwrap();
    server.put("/tiny.gguf", "GGUF weights");
    server.redirect("/resolve/main/tiny.gguf", "/tiny.gguf");
    let url = server.url("/resolve/main/tiny.gguf?download=true");
    // A shell could read more into it than curl does.
    let odd = server.url("/it's$5*&.gguf");
    server.put("/it's$5*&.gguf", "GGUF weights");
    let lists = json!({"localai": [{"variant": "q4", "uri": url}]});
    let models = json!([
        {"modelMapRef": {"name": "tinyllama-0.3", "variant": "q4"}},
        {"uri": odd},
    ]);
    let spec = json!({"engine": {"name": "localai"}, "models": models});
    space
        .apply(&(map("tinyllama-0.3", &lists) + &resource("both", &spec)))
        .await;
    wait_word(&space, "both", "Ready").await;
    let names = ["both", "tinyllama-0.3"];
    assert_eq!(listed(&space, "both", 8080).await, names);
    for name in names {
        completed(&space, "both", 8080, name).await;
    }
    let init = json!(pod_spec(&space, "both").await.init_containers.unwrap());
    let facts = |index: usize| (init[index]["name"].clone(), init[index]["env"].clone());
    let env = |name: &str, url: &str| json!([{"name": "MODEL_NAME", "value": name}, {"name": "MODEL_PATH", "value": url}]);
    assert_eq!(facts(0), (json!("init-models-both"), env("tinyllama-0.3", &url)));
    assert_eq!(facts(1), (json!("init-models-both-2"), env("both", &odd)));
    assert_eq!(init[0]["image"], "quay.io/go-skynet/local-ai:latest");
}

/// A download that is not there: the init container fails instead of keeping the error page as a model, and the status
/// says which container and what curl said; when the file is there, it recovers by itself.
/// Promises: S4-19, S4-25
#[tokio::test]
async fn a_download_that_is_missing_is_told_by_its_container() {
    let space = bed().await.space("missing").await;
    let server = FileServer::start().await.unwrap();
    let accelerated = json!({"accelerator": {"interface": "CUDA"}});
    let mut yaml = String::new();
    let cases = [
        ("chat", "localai", "/chat.gguf", "init-models-chat"),
        ("plan", "triton", "/model.plan", "init-plan"),
        ("packed", "triton", "/packed.tar.gz", "init-packed"),
        ("bare", "triton", "/bare.tar", "init-bare"),
    ];
    for (name, engine, path, _) in cases {
        let spec = json!({
            "engine": {"name": engine}, "models": [{"uri": server.url(path)}], "deployment": accelerated,
        });
        yaml.push_str(&resource(name, &spec));
    }
    space.apply(&yaml).await;
    for (name, _, _, init) in cases {
        let status = wait_error(&space, name, "curl: (22) The requested URL returned error: 404").await;
        assert_eq!(status.status.as_deref(), Some("NotReady"), "{name}");
        let ready = status.conditions.iter().find(|one| one.type_ == "Ready").unwrap();
        assert_eq!(ready.reason, "CrashLooping", "{ready:?}");
        let container = format!("Init container {init} of Pod {name}-");
        assert!(ready.message.contains(&container), "{ready:?}");
    }
    server.put("/chat.gguf", "GGUF weights");
    testkit::until("the file is asked for again", PATIENCE, async || {
        if server.asked("/chat.gguf") > 1 {
            Ok(())
        } else {
            Err("once".to_owned())
        }
    })
    .await
    .unwrap();
    wait_word(&space, "chat", "Ready").await;
    assert_eq!(listed(&space, "chat", 8080).await, ["chat"]);
}
