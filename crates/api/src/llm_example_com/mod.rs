//! API group `llm.example.com`.

pub mod v1alpha1;
