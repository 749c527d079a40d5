//! API group `infra.example.com`.

pub mod v1;
