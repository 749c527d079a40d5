//! `ModelDeployment`: a StatefulSet of a model that the catalogue knows by name, with a promise of latency.
//!
//! All steps are those of every serving kind ([`crate::serving_kind`]); the model is found and sized by [`crate::catalogued`].

mod kind;
