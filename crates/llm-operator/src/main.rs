//! The llm-operator binary.
fn main() {}
