//! `LLMModel`: what is served. It makes nothing; this controller says whether it can be deployed and whether it fits.

pub mod parse;
pub mod reconcile;
pub mod status;
