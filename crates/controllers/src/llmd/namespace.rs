//! The namespace of the releases: made if it is missing, and only then removed again.

mod contents;

use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, PostParams, Preconditions},
    core::{ApiResource, DynamicObject, ObjectMeta},
    discovery::{ApiGroup, Discovery, Scope, verbs},
};
use reconcile::{
    CacheSpec, Metrics, RawObject, WorkQueue,
    cache::{Followed, Followers},
};

use self::contents::{Contents, Listed};
use super::{NAME, PART_OF, reconcile::key};

/// Annotation of a namespace that was made for an `Llmd`.
const MADE_FOR: &str = "llm-operator.io/made-for";
/// How many objects are listed at once (client-go's default).
const PAGE: u32 = 500;

/// What became of a namespace that is no longer needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It is gone or going, or it was never made for the `Llmd`.
    Done,
    /// It stays: something is in it that somebody would miss, or that may not be seen.
    Used,
    /// To be asked again a little later: the watch has not answered yet, or Kubernetes still collects what is in it.
    NotYet,
}

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
    /// As the API server said; then nothing is known, and it has to be asked again.
    pub async fn removed(&self, name: &str) -> Result<Removal, kube::Error> {
        let Some(known) = self.get(name) else {
            return Ok(Removal::NotYet);
        };
        let Some(facts) = known.filter(|facts| facts.ours && !facts.going) else {
            return Ok(Removal::Done);
        };
        match contents::judge(&self.list(name).await?) {
            Contents::Nobodys => self.delete(name, &facts.uid).await,
            Contents::Collected(what) => {
                tracing::debug!(
                    release_namespace = name,
                    "the namespace waits until {what} is collected"
                );
                Ok(Removal::NotYet)
            }
            Contents::Somebodys(what) => {
                tracing::info!(release_namespace = name, "the namespace stays: in it is {what}");
                Ok(Removal::Used)
            }
        }
    }

    async fn delete(&self, name: &str, uid: &str) -> Result<Removal, kube::Error> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(uid.to_owned()),
                ..Preconditions::default()
            }),
            ..DeleteParams::default()
        };
        match api.delete(name, &params).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(Removal::Done),
            // Another one of this name, or one that is going: the watch will say which.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Removal::NotYet),
            deleted => deleted.map(|_| Removal::Done),
        }
    }

    /// What is in it, of every kind that the cluster serves.
    async fn list(&self, name: &str) -> Result<Vec<Listed>, kube::Error> {
        let discovery = Discovery::new(self.client.clone()).exclude(&contents::COMPUTED);
        let discovery = discovery.run().await?;
        let kinds = discovery.groups().flat_map(ApiGroup::resources_by_stability);
        let mut all = Vec::new();
        for (kind, abilities) in kinds {
            let has_objects =
                abilities.scope == Scope::Namespaced && abilities.supports_operation(verbs::LIST);
            if has_objects && !contents::is_record(&kind.group, &kind.kind) {
                all.extend(self.list_kind(name, kind).await?);
            }
        }
        Ok(all)
    }

    /// The objects of a kind; none if there is no such kind any more, or its objects cannot be listed.
    async fn list_kind(&self, name: &str, kind: ApiResource) -> Result<Option<Listed>, kube::Error> {
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), name, &kind);
        let mut params = ListParams::default().limit(PAGE);
        let mut objects = Vec::new();
        let objects = loop {
            let page = match api.list_metadata(&params).await {
                Err(kube::Error::Api(status)) if matches!(status.code, 404 | 405) => return Ok(None),
                // Forbidden, or served by something that cannot tell metadata alone.
                Err(kube::Error::Api(status)) if matches!(status.code, 403 | 406) => break None,
                page => page?,
            };
            objects.extend(page.items.into_iter().map(|object| object.metadata));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => break Some(objects),
            }
        };
        let ApiResource { group, kind, .. } = kind;
        Ok(Some(Listed { group, kind, objects }))
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
