//! `ConfigMap`s and `Secret`s that an `Llmd` refers to, followed by name.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, Secret},
};
use kube::{Client, core::ApiResource};
use reconcile::{
    CacheSpec, Metrics, RawObject, WorkQueue,
    cache::{Followed, Followers},
};
use serde::Deserialize;

use super::{
    reconcile::key,
    request::{Reference, Referents},
};

/// What keys hold, as text. What is no text is left out.
type Data = BTreeMap<String, String>;

#[derive(Deserialize)]
struct Kept {
    #[serde(default)]
    data: Option<BTreeMap<String, serde_json::Value>>,
}

/// The caches.
pub struct Watched {
    followers: Followers<Data>,
}

impl Watched {
    /// Follows nothing yet.
    pub fn new(client: Client, queue: WorkQueue, metrics: Metrics) -> Self {
        let describe = |resource: ApiResource| {
            let reduce: fn(&RawObject) -> Result<Data, serde_json::Error> = if resource.kind == "Secret" {
                secret
            } else {
                config_map
            };
            CacheSpec::of(resource, reduce).on_change(|_| vec![key()])
        };
        Self {
            followers: Followers::new(client, queue, metrics, describe),
        }
    }

    /// What the API server says to a watch of these that it forbids.
    pub fn forbidden(&self) -> Option<String> {
        self.followers.forbidden()
    }

    /// What these references of `namespace` hold, and follows them from now on and no others. None while one of them is not
    /// yet known.
    pub fn look<'a>(
        &self,
        namespace: &str,
        references: impl Iterator<Item = &'a Reference> + Clone,
    ) -> Option<Referents> {
        let followed: Vec<Followed> = references.clone().map(|one| followed(namespace, one)).collect();
        self.followers.follow(&followed);
        let read = |reference: &Reference, followed: &Followed| {
            let cache = self.followers.get(followed)?;
            let data = cache.get(namespace, name(reference)).map(Arc::unwrap_or_clone);
            Some((reference.clone(), data))
        };
        references
            .zip(&followed)
            .map(|(one, followed)| read(one, followed))
            .collect()
    }
}

fn name(reference: &Reference) -> &str {
    match reference {
        Reference::ConfigMap(name) | Reference::Secret(name) => name,
    }
}

fn followed(namespace: &str, reference: &Reference) -> Followed {
    let resource = match reference {
        Reference::ConfigMap(_) => ApiResource::erase::<ConfigMap>(&()),
        Reference::Secret(_) => ApiResource::erase::<Secret>(&()),
    };
    Followed {
        resource,
        namespace: Some(namespace.to_owned()),
        labels: String::new(),
        fields: format!("metadata.name={}", name(reference)),
    }
}

fn config_map(raw: &RawObject) -> Result<Data, serde_json::Error> {
    let kept: Kept = serde_json::from_str(raw.json())?;
    let texts = kept.data.unwrap_or_default().into_iter();
    Ok(texts
        .filter_map(|(key, value)| Some((key, value.as_str()?.to_owned())))
        .collect())
}

fn secret(raw: &RawObject) -> Result<Data, serde_json::Error> {
    let kept: Kept = serde_json::from_str(raw.json())?;
    let texts = kept.data.unwrap_or_default().into_iter();
    Ok(texts
        .filter_map(|(key, value)| {
            let ByteString(bytes) = serde_json::from_value(value).ok()?;
            Some((key, String::from_utf8(bytes).ok()?))
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_decoded_and_config_maps_are_text() {
        let object = |data: serde_json::Value| {
            let object = serde_json::json!({"metadata": {"name": "a", "namespace": "n"}, "data": data});
            RawObject::from_text(object.to_string()).unwrap()
        };
        let raw = object(serde_json::json!({"values.yaml": "YTogMQo=", "binary": "/w=="}));
        let expected = BTreeMap::from([("values.yaml".to_owned(), "a: 1\n".to_owned())]);
        assert_eq!(secret(&raw).unwrap(), expected);
        let raw = object(serde_json::json!({"values.yaml": "a: 1\n"}));
        assert_eq!(config_map(&raw).unwrap(), expected);
        assert!(config_map(&object(serde_json::Value::Null)).unwrap().is_empty());
    }
}
