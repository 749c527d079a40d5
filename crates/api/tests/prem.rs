//! The prem family's types read what people write: every example, empty blocks, integer quantities, and any mix of them.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of a test

mod prem {
    pub mod any;
    pub mod examples;
    pub mod reading;
}
