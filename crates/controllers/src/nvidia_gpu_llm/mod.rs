//! `NvidiaGpuLlm`: one Pod with Ollama and a model, by action.
//!
//! Pure: who has a name ([`standing`]), the plan ([`accept`]), what becomes of the Pod ([`run`]), what is next with the prompts
//! ([`ledger`], [`answers`]), and what all of it comes to ([`verdict`], [`status`]). Around that: [`reconcile`] with a file per
//! action, and the conversations with Ollama in [`talk`].

mod accept;
mod answers;
mod converse;
mod install;
mod ledger;
mod make;
mod neighbours;
mod outcome;
pub(crate) mod reasons;
pub mod reconcile;
mod records;
mod report;
mod root;
mod run;
mod standing;
mod status;
mod talk;
mod terminate;
mod uninstall;
mod verdict;
