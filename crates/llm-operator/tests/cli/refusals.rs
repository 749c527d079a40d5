//! `render` of what cannot be rendered: exit code 1, and a sentence that names resource and field.

use crate::{
    call::{Outcome, call, render},
    common::{chat_service, gpt_small},
};

fn refused(outcome: &Outcome, words: &[&str]) {
    assert_eq!(outcome.code, 1, "{}{}", outcome.out, outcome.err);
    for word in words {
        assert!(outcome.err.contains(word), "{word}: {}", outcome.err);
    }
}

/// Every field that is wrong is named, of the deployment and of its model.
#[test]
fn fields_are_named() {
    let model = gpt_small().replace("\"4Gi\"", "\"0\"");
    let deployment = chat_service().replace("port: 8080", "port: 70000");
    refused(
        &render(&[model, deployment].join("\n---\n")),
        &[
            "LLMDeployment default/chat-service",
            "LLMDeployment chat-service spec.port: 70000 is no port",
            "1 of 1 resources cannot be rendered",
        ],
    );
    let model = gpt_small().replace("\"4Gi\"", "\"0\"");
    refused(
        &render(&[model, chat_service()].join("\n---\n")),
        &["LLMModel gpt-small spec.resources.memory: must be more than 0"],
    );
}

/// A field of a wrong type is named too, with the file and the resource.
#[test]
fn types_are_told() {
    let deployment = chat_service().replace("replicas: 2", "replicas: two");
    refused(&render(&deployment), &["-: LLMDeployment chat-service", "i32"]);
    let missing = chat_service().replace("  replicas: 2\n", "");
    refused(&render(&missing), &["LLMDeployment chat-service", "replicas"]);
}

/// A model that is not there, files that are not there, texts that are no YAML, nothing at all.
#[test]
fn what_is_missing_is_told() {
    refused(
        &render(&chat_service()),
        &[
            "LLMModel gpt-small does not exist",
            "create it, or correct spec.modelRef",
        ],
    );
    refused(&render(&gpt_small()), &["nothing to render", "no LLMDeployment"]);
    refused(&render(""), &["nothing to render"]);
    refused(&render("a: [b"), &["- is no YAML"]);
    refused(
        &call(&["render", "-f", "/nowhere.yaml"], ""),
        &["cannot read /nowhere.yaml"],
    );
}

/// One resource that is wrong does not keep the others from being rendered.
#[test]
fn the_others_are_rendered() {
    let wrong = chat_service()
        .replace("name: chat-service", "name: wrong")
        .replace("port: 8080", "port: 0");
    let outcome = render(&[gpt_small(), wrong, chat_service()].join("\n---\n"));
    refused(&outcome, &["LLMDeployment wrong spec.port", "1 of 2 resources"]);
    assert!(outcome.out.contains("name: chat-service"), "{}", outcome.out);
}
