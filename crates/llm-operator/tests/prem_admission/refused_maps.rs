//! Maps that nobody could refer to.

use serde_json::{Value, json};

use crate::desk::{all_refused, wrong};

#[tokio::test]
async fn variants() {
    let vllm = |variant: Value| json!({"vllm": [variant]});
    all_refused(
        "AIModelMap",
        vec![
            wrong(
                vllm(json!({"uri": "a/b"})),
                "spec.vllm[0].variant",
                "Required value",
            ),
            wrong(
                vllm(json!({"variant": "Q4_K_M"})),
                "spec.vllm[0].variant",
                "should match",
            ),
            wrong(
                vllm(json!({"variant": "-a"})),
                "spec.vllm[0].variant",
                "should match",
            ),
            wrong(
                vllm(json!({"variant": ""})),
                "spec.vllm[0].variant",
                "should match",
            ),
            wrong(
                vllm(json!({"variant": 4})),
                "spec.vllm[0].variant",
                "must be of type string",
            ),
            wrong(
                vllm(json!({"variant": "a", "uri": ["a"]})),
                "spec.vllm[0].uri",
                "must be of type string",
            ),
            wrong(
                vllm(json!({"variant": "a", "modelMapRef": {}})),
                "spec.vllm[0].modelMapRef",
                "unknown field",
            ),
            wrong(
                json!({"localai": {"variant": "a"}}),
                "spec.localai.variant",
                "unknown field",
            ),
            wrong(json!({"tensorrt": []}), "spec.tensorrt", "unknown field"),
            wrong(
                json!({"deepspeed_mii": []}),
                "spec.deepspeed_mii",
                "unknown field",
            ),
            wrong(
                json!({"allowedNamespaces": "team-a"}),
                "spec.allowedNamespaces",
                "must be of type array",
            ),
        ],
    )
    .await;
}
