//! Triton in process: repositories that can be served, and those that end it with the real words.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::path::Path;

use common::{Folder, finish, mount, spec, start};
use engine_sim::{Cause, FaultHandle, ProcessSpec, Program, fault};
use serde_json::Value;

/// The real command line, with `more` at its end.
fn triton(more: &str, root: &Folder, models: &Folder) -> ProcessSpec {
    let line = format!("tritonserver --model-repository=/models {more}");
    let mut spec = spec(Program::Triton, &line, root);
    spec.files.mounts.push(mount("/models", &models.0));
    spec
}

fn put(models: &Folder, path: &str, text: &str) {
    let file = models.0.join(path);
    std::fs::create_dir_all(file.parent().unwrap_or(Path::new("/"))).unwrap();
    std::fs::write(file, text).unwrap();
}

const CONFIG: &str = "name: \"adder\"\nplatform: \"onnxruntime_onnx\"\nmax_batch_size: 4\n\
    input [ { name: \"X\" data_type: TYPE_FP32 dims: [ 2 ] } ]\noutput [ { name: \"Y\" data_type: TYPE_FP32 dims: [ 2 ] } ]\n";

#[tokio::test]
async fn models_are_served_under_the_real_paths() {
    let (root, models) = (Folder::new(), Folder::new());
    put(&models, "adder/config.pbtxt", CONFIG);
    put(&models, "adder/1/model.onnx", "weights");
    put(&models, "adder/3/model.onnx", "weights");
    put(&models, "bare/1/model.onnx", "weights");
    put(&models, "a-file", "is no model");
    let running = start(triton("", &root, &models)).up(8000).await;
    assert_eq!(running.get(8000, "/v2/health/live").await, (200, String::new()));
    assert_eq!(running.get(8000, "/v2/health/ready").await.0, 200);
    let about: Value = serde_json::from_str(&running.get(8000, "/v2").await.1).unwrap();
    assert_eq!(
        (&about["name"], &about["version"]),
        (&"triton".into(), &"2.42.0".into())
    );
    let (_, adder) = running.get(8000, "/v2/models/adder").await;
    let adder: Value = serde_json::from_str(&adder).unwrap();
    assert_eq!(
        (&adder["versions"][0], &adder["inputs"][0]["shape"][0]),
        (&"3".into(), &(-1).into())
    );
    assert_eq!(running.get(8000, "/v2/models/bare/versions/1/ready").await.0, 200);
    let (status, answer) = running.get(8000, "/v2/models/adder/versions/1").await;
    assert!(
        status == 400 && answer.contains("version 1 is not found"),
        "latest only: {answer}"
    );
    let (status, answer) = running.get(8000, "/v2/models/none").await;
    assert!(
        status == 400 && answer.contains("Request for unknown model: 'none' is not found"),
        "{answer}"
    );

    let ask = r#"{"inputs":[{"name":"X","shape":[1,2],"datatype":"FP32","data":[1.0,2.0]}]}"#;
    let (status, answer) = running.post(8000, "/v2/models/adder/infer", ask).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(
        (status, &answer["outputs"][0]["name"]),
        (200, &"Y".into()),
        "{answer}"
    );
    let (status, answer) = running
        .post(8000, "/v2/models/adder/infer", r#"{"inputs":[]}"#)
        .await;
    assert!(
        status == 400 && answer.contains("expected 1 inputs but got 0"),
        "{answer}"
    );
    let ask = r#"{"text_input":"hello","max_tokens":30}"#;
    let (status, answer) = running.post(8000, "/v2/models/bare/generate", ask).await;
    assert!(status == 200 && answer.contains("text_output"), "{answer}");
    let (_, index) = running.post(8000, "/v2/repository/index", "").await;
    assert_eq!(index.matches("READY").count(), 2, "{index}");
    assert_eq!(running.get(8000, "/v2/repository/index").await.0, 405);
    let (_, metrics) = running.get(8002, "/metrics").await;
    for line in [
        "nv_inference_request_success{model=\"adder\",version=\"3\"} 1.0",
        "nv_inference_request_failure{model=\"adder\",version=\"3\",reason=\"OTHER\"} 1.0",
        "nv_gpu_memory_total_bytes{gpu_uuid=\"GPU-00000000\"}",
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
    let running = running.up(8001).await;
    running.stop.cancel();
    assert_eq!(running.exit.await.unwrap().code, 0);
}

/// Files, further options, words of the log; all end with code 1.
#[tokio::test]
async fn repositories_that_cannot_be_served_end_it() {
    let empty: &[(&str, &str)] = &[];
    let cases = [
        (
            &[("m/readme", "no version")][..],
            "",
            "Could not determine backend for model 'm'",
        ),
        (
            &[("m/config.pbtxt", "backend: \"onnxruntime\"")][..],
            "",
            "failed to load model 'm': at least one version must be available under the version policy of model 'm'",
        ),
        (
            &[("m/config.pbtxt", "backend: \"onnxruntime\""), ("m/1/other", "x")][..],
            "",
            "failed to load 'm' version 1: Internal: unable to find '/models/m/1/model.onnx' for model 'm'",
        ),
        (
            &[("m/1/model.onnx", "<html>404")][..],
            "",
            "is no file of this backend",
        ),
        (
            &[
                ("m/config.pbtxt", "name: \"n\" backend: \"python\""),
                ("m/1/model.py", "x"),
            ][..],
            "",
            "unexpected directory name 'm' for model 'n', directory name must equal model name",
        ),
        (
            &[("m/config.pbtxt", "name: [")][..],
            "",
            "failed to read text proto from /models/m/config.pbtxt",
        ),
        (
            &[("m/1/model.onnx", "x")][..],
            "--disable-auto-complete-config",
            "failed to open text file for read /models/m/config.pbtxt: No such file or directory",
        ),
        (
            &[("model.foo/1/x", "x")][..],
            "",
            "unable to find 'libtriton_foo.so'",
        ),
        (
            empty,
            "--model-repository=/none",
            "failed to poll model repository '/none': failed to open directory /none",
        ),
    ];
    for (files, more, words) in cases {
        let (root, models) = (Folder::new(), Folder::new());
        for (path, text) in files {
            put(&models, path, text);
        }
        let (exit, log) = finish(triton(more, &root, &models)).await;
        assert!(log.contains(words), "{words} in {log}");
        assert_eq!(exit.code, 1, "{words}");
        assert_eq!(
            exit.message,
            "error: creating server: Internal - failed to load all models"
        );
    }
}

#[tokio::test]
async fn errors_may_be_passed_over_and_readiness_tells() {
    let (root, models) = (Folder::new(), Folder::new());
    put(&models, "good/1/model.pt", "weights");
    put(&models, "bad/config.pbtxt", "backend: \"onnxruntime\"");
    put(&models, "bad/1/other", "x");
    let running = start(triton("--exit-on-error=false", &root, &models))
        .up(8000)
        .await;
    assert_eq!(running.get(8000, "/v2/health/live").await.0, 200);
    assert_eq!(running.get(8000, "/v2/health/ready").await.0, 400);
    assert_eq!(running.get(8000, "/v2/models/good/ready").await.0, 200);
    assert_eq!(running.get(8000, "/v2/models/bad/ready").await.0, 400);
    let loose = start(triton(
        "--exit-on-error=false --strict-readiness=false",
        &root,
        &models,
    ))
    .up(8000)
    .await;
    assert_eq!(loose.get(8000, "/v2/health/ready").await.0, 200);
    let chosen = "--model-control-mode=explicit --load-model=good";
    let chosen = start(triton(chosen, &root, &models)).up(8000).await;
    assert_eq!(chosen.get(8000, "/v2/health/ready").await.0, 200);
    assert_eq!(
        chosen.post(8000, "/v2/repository/models/good/unload", "").await.0,
        200
    );
    assert_eq!(chosen.get(8000, "/v2/models/good").await.0, 400);
    assert_eq!(
        chosen.post(8000, "/v2/repository/models/good/load", "").await.0,
        200
    );
    assert_eq!(chosen.get(8000, "/v2/models/good/ready").await.0, 200);
}

#[tokio::test]
async fn a_polled_repository_is_followed() {
    let (root, models) = (Folder::new(), Folder::new());
    put(&models, "first/1/model.pt", "weights");
    let line = "--model-control-mode=poll --repository-poll-secs=1";
    let running = start(triton(line, &root, &models)).up(8000).await;
    put(&models, "second/1/model.pt", "weights");
    std::fs::remove_dir_all(models.0.join("first")).unwrap();
    for (path, status) in [("/v2/models/second/ready", 200), ("/v2/models/first/ready", 400)] {
        while running.get(8000, path).await.0 != status {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn the_command_line_is_checked_and_the_entry_point_runs_its_arguments() {
    let (root, models) = (Folder::new(), Folder::new());
    let (exit, log) = finish(triton("--no-such", &root, &models)).await;
    assert_eq!((exit.code, exit.cause), (1, Cause::Exited));
    assert!(
        log.contains("tritonserver: unrecognized option '--no-such'")
            && log.contains("Usage: tritonserver [options]"),
        "{log}"
    );
    let without = spec(Program::Triton, "--model-repository=/models", &root);
    let (exit, log) = finish(without).await;
    assert!(
        exit.code == 2 && log.contains("exec: --: invalid option"),
        "{log}"
    );
    let (exit, _) = finish(spec(Program::Triton, "tritonserver", &root)).await;
    assert!(
        exit.message.contains("--model-repository must be specified"),
        "{}",
        exit.message
    );

    put(&models, "m/1/model.plan", "weights");
    let mut without_gpu = triton("", &root, &models);
    without_gpu.gpus.clear();
    assert_eq!(finish(without_gpu).await.0.code, 1, "TensorRT needs a GPU");
    let faults = FaultHandle::new();
    let running = common::start_with(
        triton("--http-port=9000 --allow-metrics=false", &root, &models),
        faults.clone(),
    );
    let running = running.up(9000).await;
    faults.health(fault::Health::Failing);
    assert_eq!(running.get(9000, "/v2/health/live").await.0, 400);
}
