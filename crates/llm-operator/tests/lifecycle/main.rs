//! The life of resources and of what is made for them, on the real control plane: any order of creation and deletion,
//! edits, scaling, drift, names that others have.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

#[path = "../common/mod.rs"]
mod common;

mod autoscaling;
mod deletion;
mod drift;
mod events;
mod foreign;
mod order;
mod rollout;
mod scale;
mod watching;

use common::Space;
use k8s_openapi::api::core::v1::Pod;
use kube::{ResourceExt, api::ListParams};

/// A model `small` whose image has this tag, and that asks for so much memory.
fn model(tag: &str, memory: &str) -> String {
    format!(
        "apiVersion: llm.example.com/v1alpha1
kind: LLMModel
metadata:
  name: small
spec:
  modelName: Small
  image: your-registry/gpt-small:{tag}
  resources:
    cpu: 10m
    memory: {memory}
"
    )
}

/// A deployment of the model `small`; `more` are further lines of its spec.
fn deployment(name: &str, replicas: u32, more: &str) -> String {
    format!(
        "apiVersion: llm.example.com/v1alpha1
kind: LLMDeployment
metadata:
  name: {name}
spec:
  modelRef: small
  replicas: {replicas}
{more}"
    )
}

/// A namespace in which the deployment `chat` serves with so many replicas.
async fn serving(prefix: &str, replicas: u32) -> Space {
    let space = common::bed().await.space(prefix).await;
    space.apply(&model("v1", "1Gi")).await;
    space.apply(&deployment("chat", replicas, "")).await;
    space.wait_state("chat", "Ready").await;
    space
}

/// Names of the Pods of a deployment that are not ending, sorted.
async fn pods(space: &Space, name: &str) -> Vec<String> {
    let selector = ListParams::default().labels(&format!("llm-operator.io/name={name}"));
    let list = space.api::<Pod>().list(&selector).await.unwrap();
    let living = list
        .items
        .iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none());
    let mut names: Vec<String> = living.map(ResourceExt::name_any).collect();
    names.sort();
    names
}

/// kubectl in this namespace, which must work.
async fn kubectl(space: &Space, args: &[&str]) -> String {
    let (worked, text) = space.kubectl(args).await;
    assert!(worked, "kubectl {args:?}: {text}");
    text
}

/// Waits until `reason` is told about `name`, and returns how often it is.
async fn told(space: &Space, name: &str, reason: &str) -> usize {
    space.wait_event(name, reason).await.len()
}
