//! What an operator leaves behind that somebody has to let go of when it is removed; in `NAMESPACE`.

/// Of each kind with a finalizer of the operator one, and a finalizer of somebody else beside it.
pub const FINALIZED: &str = "
apiVersion: premlabs.io/v1alpha1
kind: AutoNodeLabeler
metadata: {name: left, namespace: NAMESPACE, finalizers: [premlabs.io/node-labels, example.com/other]}
spec: {matchExpression: {key: a, operator: Exists}, labels: {b: c}}
---
apiVersion: infra.example.com/v1
kind: NvidiaGpuLlm
metadata: {name: left, namespace: NAMESPACE, finalizers: [infra.example.com/gpu-llm, example.com/other]}
spec: {action: install, llmName: left}
---
apiVersion: components.platform.opendatahub.io/v1alpha1
kind: Llmd
metadata: {name: default-llm-d, finalizers: [components.platform.opendatahub.io/llm-d-releases, example.com/other]}
spec: {}
";
