//! `ai.example.com`'s `LLMModel`: a Deployment of a model that the catalogue knows by name.
//!
//! All steps are those of every serving kind ([`crate::serving_kind`]); the model is found and sized by [`crate::catalogued`].

mod kind;
