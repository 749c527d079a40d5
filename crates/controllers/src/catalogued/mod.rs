//! What the kinds have in common that name a model of the catalogue.
//!
//! In: a resource's wish in the words of [`asked`]. Out: a plan: the model is looked up, sized for the GPUs, and served like any other.

pub mod accept;
pub mod asked;
mod request;
pub mod status;
pub mod token;

use std::sync::LazyLock;

use api::shared::ServingOptions;

use crate::{
    referents::expected_claims,
    triggers::{CATALOGUE, named},
};

/// Index keys of a resource: the catalogue, the token, the claims that it names.
pub fn keys(namespace: &str, options: Option<&ServingOptions>) -> Vec<String> {
    let storage = options.and_then(|options| options.storage.as_ref());
    let source = options.and_then(|options| options.source.as_deref());
    let claims = expected_claims(storage, source).into_iter();
    [CATALOGUE.to_owned(), named("token", namespace, token::SECRET)]
        .into_iter()
        .chain(claims.map(|claim| named("claim", namespace, &claim)))
        .collect()
}

/// What is decided otherwise than the catalogue would; nothing when nothing is said.
pub fn options(said: Option<&ServingOptions>) -> &ServingOptions {
    static NOTHING: LazyLock<ServingOptions> = LazyLock::new(ServingOptions::default);
    said.unwrap_or(&NOTHING)
}
