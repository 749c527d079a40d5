//! Tokens of gated models: whether they exist, never what they are.
//!
//! In: Secrets of one name, the only ones that the operator may see. Out: whether a namespace has a token.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use reconcile::{CacheSpec, Change, ObjectKey, WatchCache, cache::Part};

use super::roots::ServingRoots;
use crate::{
    catalogued::token::{KEY, SECRET, Token},
    triggers::named,
};

/// See the module.
#[derive(Clone)]
pub(crate) struct Tokens(Arc<WatchCache<bool>>);

impl Tokens {
    pub(super) fn start(watches: &mut Part<'_>, roots: ServingRoots) -> Self {
        let spec = CacheSpec::typed::<Secret>(|secret| has_token(&secret))
            .fields(&format!("metadata.name={SECRET}"))
            .optional()
            .on_change(move |change| changed(change, &roots));
        Self(watches.start(spec))
    }

    /// What is known of the namespace's token.
    pub(crate) fn of(&self, namespace: &str) -> Token {
        match self.0.get(namespace, SECRET) {
            Some(has) if *has => Token::Present,
            Some(_) => Token::Missing,
            None if self.0.is_listed() => Token::Missing,
            None => Token::Unknown,
        }
    }
}

fn has_token(secret: &Secret) -> bool {
    let data = secret.data.iter().flatten();
    data.filter(|(key, _)| *key == KEY)
        .any(|(_, value)| !value.0.is_empty())
}

fn changed(change: &Change<'_, bool>, roots: &ServingRoots) -> Vec<ObjectKey> {
    if change.old == change.new {
        return Vec::new();
    }
    roots.filed_under(&named("token", change.namespace, change.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_value_is_no_token() {
        for (data, has) in [
            (serde_json::json!({"token": "aGY="}), true),
            (serde_json::json!({"token": ""}), false),
            (serde_json::json!({"other": "aGY="}), false),
            (serde_json::json!(null), false),
        ] {
            let secret: Secret =
                serde_json::from_value(serde_json::json!({"metadata": {"name": "hf-token"}, "data": data}))
                    .unwrap();
            assert_eq!(has_token(&secret), has, "{data}");
        }
    }
}
