//! `NvidiaGpuLlm`: one Pod with Ollama and a model, by action.

mod accept;
#[allow(dead_code, reason = "the controller that uses it is on its way")]
mod answers;
#[allow(dead_code, reason = "the controller that uses it is on its way")]
mod ledger;
#[allow(dead_code, reason = "the controller that uses it is on its way")]
mod outcome;
#[allow(dead_code, reason = "the controller that uses it is on its way")]
mod records;
mod root;
#[allow(dead_code, reason = "the controller that uses it is on its way")]
mod standing;
