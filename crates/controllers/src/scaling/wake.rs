//! The annotation by which people and gateways ask for replicas of a model that has none.
//!
//! In: a resource's metadata. Out: a short word; another one than before is a request. It must not care what the word says.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sha2::{Digest as _, Sha256};

/// On a resource that serves; any new value wakes it.
pub const ANNOTATION: &str = "llm-operator.io/wake";

/// Longer values stand in the status as their hash.
const LONGEST: usize = 63;

/// The word of a resource, if somebody ever asked.
pub fn word(meta: &ObjectMeta) -> Option<String> {
    let value = meta.annotations.as_ref()?.get(ANNOTATION)?;
    if value.len() <= LONGEST {
        return Some(value.clone());
    }
    let head = *Sha256::digest(value).first_chunk()?;
    Some(format!("{:016x}", u64::from_be_bytes(head)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_a_short_word() {
        let word = |value: &str| {
            word(&ObjectMeta {
                annotations: Some([(ANNOTATION.to_owned(), value.to_owned())].into()),
                ..ObjectMeta::default()
            })
        };
        assert_eq!(word("1763758800").as_deref(), Some("1763758800"));
        let long = |end: &str| word(&format!("{}{end}", "a".repeat(5000))).unwrap();
        assert_eq!(long("").len(), 16);
        assert_ne!(long("b"), long("c"));
        assert_eq!(super::word(&ObjectMeta::default()), None);
    }
}
