//! What Helm has recorded of our releases.
//!
//! In: the Secrets in which it does, watched. Out: the revisions of a release. After an operation has ended, what the watch has
//! shown may be older than what it did: then they are listed once, and the watch is believed again when it has caught up.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use helm::release::{SECRET_TYPE, StoredRelease};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams},
    core::ApiResource,
};
use parking_lot::Mutex;
use reconcile::{
    CacheSpec, FIELD_MANAGER, Metrics, RawObject, WorkQueue,
    cache::{Followed, Followers},
};
use serde::de::Error as _;

use super::{component::Component, reconcile::key};

/// A list is believed for no longer than this: a revision that came and went while the watch was broken is never shown by it.
const LISTED_FOR: Duration = Duration::from_mins(1);

/// Secrets that the watch has shown to be gone, each with its last version.
type Gone = Arc<Mutex<BTreeMap<String, u64>>>;

/// A revision, and the version in which its Secret is stored.
#[derive(Clone)]
pub struct Recorded {
    /// The revision.
    pub release: Arc<StoredRelease>,
    secret: String,
    version: u64,
}

/// The releases of some namespaces.
pub struct Releases {
    client: Client,
    followers: Followers<Recorded>,
    /// What was listed last, per namespace, until the watch has caught up with it.
    listed: Mutex<BTreeMap<String, Listed>>,
    gone: Gone,
}

#[derive(Clone)]
struct Listed {
    version: u64,
    at: Instant,
    all: Vec<Recorded>,
}

impl Releases {
    /// Follows nothing yet.
    pub fn new(client: Client, queue: WorkQueue, metrics: Metrics) -> Self {
        let gone = Gone::default();
        let noted = gone.clone();
        let describe = move |resource: ApiResource| {
            let noted = noted.clone();
            CacheSpec::of(resource, |raw: &RawObject| {
                let secret: Secret = raw.decode()?;
                recorded(&secret).map_err(serde_json::Error::custom)
            })
            .on_change(move |change| {
                if let (Some(old), None) = (change.old, change.new) {
                    noted
                        .lock()
                        .insert(id(change.namespace, &old.secret), old.version);
                }
                vec![key()]
            })
        };
        Self {
            followers: Followers::new(client.clone(), queue, metrics, describe),
            client,
            listed: Mutex::default(),
            gone,
        }
    }

    /// Follows these namespaces and no others.
    pub fn follow(&self, namespaces: &BTreeSet<String>) {
        let followed: Vec<Followed> = namespaces.iter().map(|namespace| followed(namespace)).collect();
        self.followers.follow(&followed);
        self.listed
            .lock()
            .retain(|namespace, _| namespaces.contains(namespace));
    }

    /// The revisions of all our releases in a namespace. None while they are not yet known.
    pub fn all(&self, namespace: &str) -> Option<Vec<Arc<StoredRelease>>> {
        let cache = self.followers.get(&followed(namespace))?;
        let watched: Vec<Recorded> = cache.list(None).iter().map(|one| (**one).clone()).collect();
        let mut listed = self.listed.lock();
        let all = match listed.get(namespace) {
            Some(list) if !list.is_reached_by(&watched, |one| self.is_gone(namespace, one)) => {
                list.all.clone()
            }
            listing => {
                if listing.is_some() {
                    listed.remove(namespace);
                    self.gone.lock().clear();
                }
                watched
            }
        };
        Some(all.into_iter().map(|one| one.release).collect())
    }

    /// What the API server says to a watch of these that it forbids.
    pub fn forbidden(&self) -> Option<String> {
        self.followers.forbidden()
    }

    /// A Secret of Helm's that cannot be read, if there is one: whoever does not know all revisions must not act.
    pub fn unreadable(&self, namespace: &str) -> Option<String> {
        let cache = self.followers.get(&followed(namespace))?;
        let mut names = cache.names().into_iter();
        names.find_map(|(namespace, name)| cache.unreadable(&namespace, &name).map(|error| error.to_string()))
    }

    /// Whether the watch has shown the end of this or of a later version of it.
    fn is_gone(&self, namespace: &str, one: &Recorded) -> bool {
        let gone = self.gone.lock();
        gone.get(&id(namespace, &one.secret))
            .is_some_and(|last| *last >= one.version)
    }

    /// Lists them now. To be done when an operation has ended.
    ///
    /// # Errors
    /// As the API server said.
    pub async fn list(&self, namespace: &str) -> Result<(), kube::Error> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let selection = ListParams::default()
            .labels(&labels())
            .fields(&format!("type={SECRET_TYPE}"));
        let list = api.list(&selection).await?;
        let version = list.metadata.resource_version.unwrap_or_default();
        let listed = Listed {
            version: version.parse().unwrap_or_default(),
            at: Instant::now(),
            all: list
                .items
                .iter()
                .filter_map(|secret| recorded(secret).ok())
                .collect(),
        };
        self.listed.lock().insert(namespace.to_owned(), listed);
        Ok(())
    }

    /// Marks a revision as failed whose Helm is gone.
    ///
    /// # Errors
    /// As the API server said; a conflict when somebody has changed it since.
    pub async fn unlock(
        &self,
        release: &StoredRelease,
        now: k8s_openapi::jiff::Timestamp,
    ) -> Result<(), String> {
        let unlock = release.unlock(now).map_err(|error| error.to_string())?;
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &unlock.namespace);
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patched = api
            .patch(&unlock.secret, &params, &Patch::Merge(&unlock.patch))
            .await;
        patched.map(|_| ()).map_err(|error| error.to_string())
    }
}

impl Listed {
    /// Whether a watch that shows this knows all that was listed, and shows nothing that was gone by then.
    fn is_reached_by(&self, watched: &[Recorded], is_gone: impl Fn(&Recorded) -> bool) -> bool {
        if self.at.elapsed() > LISTED_FOR {
            return true;
        }
        let shown = |listed: &Recorded| {
            let shown = watched.iter().find(|one| one.secret == listed.secret);
            shown.is_some_and(|shown| shown.version >= listed.version)
        };
        let knows = self.all.iter().all(|one| shown(one) || is_gone(one));
        let unlisted = |one: &&Recorded| self.all.iter().all(|listed| listed.secret != one.secret);
        let stale = watched
            .iter()
            .filter(unlisted)
            .any(|one| one.version <= self.version);
        knows && !stale
    }
}

fn id(namespace: &str, secret: &str) -> String {
    format!("{namespace}/{secret}")
}

fn recorded(secret: &Secret) -> Result<Recorded, helm::release::ReleaseError> {
    let version = secret.metadata.resource_version.as_deref().unwrap_or_default();
    Ok(Recorded {
        release: Arc::new(StoredRelease::read(secret)?),
        secret: secret.metadata.name.clone().unwrap_or_default(),
        version: version.parse().unwrap_or_default(),
    })
}

fn labels() -> String {
    let names: Vec<&str> = Component::ALL.into_iter().map(Component::release).collect();
    format!("owner=helm,name in ({})", names.join(","))
}

fn followed(namespace: &str) -> Followed {
    Followed {
        resource: ApiResource::erase::<Secret>(&()),
        namespace: Some(namespace.to_owned()),
        labels: labels(),
        fields: format!("type={SECRET_TYPE}"),
    }
}
