//! The namespace of the releases: made if it is missing, and only then removed again.

use std::sync::Arc;

use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    core::v1::{ConfigMap, Namespace, PersistentVolumeClaim, Pod, Secret, Service},
};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, PostParams, Preconditions},
    core::{ApiResource, DynamicObject, ObjectMeta},
};
use reconcile::{
    CacheSpec, Metrics, RawObject, WorkQueue,
    cache::{Followed, Followers},
};

use super::{NAME, PART_OF, reconcile::key};

/// Annotation of a namespace that was made for an `Llmd`.
const MADE_FOR: &str = "llm-operator.io/made-for";
/// The ConfigMap that Kubernetes puts into every namespace.
const ROOT_CERTIFICATE: &str = "kube-root-ca.crt";

/// What a cache keeps of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceFacts {
    /// Whether it was made for the `Llmd`.
    pub ours: bool,
    /// Whether it is being deleted.
    pub going: bool,
    /// Uid.
    pub uid: String,
}

/// The namespaces that matter, followed by name.
pub struct NamespaceWatch {
    client: Client,
    followers: Followers<NamespaceFacts>,
}

impl NamespaceWatch {
    /// Follows nothing yet.
    pub fn new(client: Client, queue: WorkQueue, metrics: Metrics) -> Self {
        let describe = |resource: ApiResource| CacheSpec::of(resource, facts).on_change(|_| vec![key()]);
        Self {
            followers: Followers::new(client.clone(), queue, metrics, describe),
            client,
        }
    }

    /// Follows these and no others.
    pub fn follow<'a>(&self, names: impl Iterator<Item = &'a String>) {
        let followed: Vec<Followed> = names.map(|name| followed(name)).collect();
        self.followers.follow(&followed);
    }

    /// What the API server says to a watch of these that it forbids.
    pub fn forbidden(&self) -> Option<String> {
        self.followers.forbidden()
    }

    /// The namespace. None while it is not yet known whether there is one; an empty answer when there is none.
    pub fn get(&self, name: &str) -> Option<Option<Arc<NamespaceFacts>>> {
        let cache = self.followers.get(&followed(name))?;
        Some(cache.get("", name))
    }

    /// Makes it.
    ///
    /// # Errors
    /// As the API server said; that it exists is none.
    pub async fn create(&self, name: &str) -> Result<(), kube::Error> {
        let namespace = Namespace {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                annotations: Some([(MADE_FOR.to_owned(), NAME.to_owned())].into()),
                labels: Some([(PART_OF.0.to_owned(), PART_OF.1.to_owned())].into()),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        let api: Api<Namespace> = Api::all(self.client.clone());
        match api.create(&PostParams::default(), &namespace).await {
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            created => created.map(|_| ()),
        }
    }

    /// Removes it if it was made for the `Llmd` and nobody has put anything into it.
    ///
    /// # Errors
    /// As the API server said.
    pub async fn remove(&self, name: &str) -> Result<(), kube::Error> {
        let ours = self
            .get(name)
            .flatten()
            .filter(|facts| facts.ours && !facts.going);
        let Some(facts) = ours else { return Ok(()) };
        if self.is_used(name).await? {
            return Ok(());
        }
        let api: Api<Namespace> = Api::all(self.client.clone());
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(facts.uid.clone()),
                ..Preconditions::default()
            }),
            ..DeleteParams::default()
        };
        match api.delete(name, &params).await {
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
            deleted => deleted.map(|_| ()),
        }
    }

    /// Whether anything is in it that somebody would miss.
    async fn is_used(&self, name: &str) -> Result<bool, kube::Error> {
        let kinds = [
            ApiResource::erase::<Pod>(&()),
            ApiResource::erase::<Deployment>(&()),
            ApiResource::erase::<StatefulSet>(&()),
            ApiResource::erase::<Service>(&()),
            ApiResource::erase::<PersistentVolumeClaim>(&()),
            ApiResource::erase::<Secret>(&()),
            ApiResource::erase::<ConfigMap>(&()),
        ];
        for kind in kinds {
            let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), name, &kind);
            let found = api.list_metadata(&ListParams::default()).await?;
            let mut others = found.items.iter().filter(|object| {
                let gone = object.metadata.deletion_timestamp.is_some();
                let root =
                    kind.kind == "ConfigMap" && object.metadata.name.as_deref() == Some(ROOT_CERTIFICATE);
                !gone && !root
            });
            if others.next().is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn facts(raw: &RawObject) -> Result<NamespaceFacts, serde_json::Error> {
    let namespace: Namespace = raw.decode()?;
    let annotations = namespace.metadata.annotations.unwrap_or_default();
    Ok(NamespaceFacts {
        ours: annotations.get(MADE_FOR).is_some_and(|name| name == NAME),
        going: namespace.metadata.deletion_timestamp.is_some(),
        uid: namespace.metadata.uid.unwrap_or_default(),
    })
}

fn followed(name: &str) -> Followed {
    Followed {
        resource: ApiResource::erase::<Namespace>(&()),
        namespace: None,
        labels: String::new(),
        fields: format!("metadata.name={name}"),
    }
}
