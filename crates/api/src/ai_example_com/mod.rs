//! API group `ai.example.com`.

pub mod v1;
