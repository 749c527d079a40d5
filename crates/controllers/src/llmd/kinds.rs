//! Which kinds the cluster serves, and how.
//!
//! In: kinds that charts use. Out: for each, how it is reached, or that it is not known. What is known is asked for once; what
//! is not, whenever somebody looks, so that a definition that is installed later is noticed.

use std::collections::{BTreeMap, BTreeSet};

use helm::manifest::KindId;
use kube::{Client, core::ApiResource};
use parking_lot::Mutex;

/// How the objects of a kind are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// Group, version and plural.
    pub resource: ApiResource,
    /// Whether its objects have a namespace.
    pub namespaced: bool,
}

/// What the cluster serves, as far as somebody asked.
pub struct Kinds {
    client: Client,
    known: Mutex<BTreeMap<KindId, Served>>,
}

impl Kinds {
    /// Knows nothing yet.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            known: Mutex::default(),
        }
    }

    /// How each of these is reached; those that the cluster does not serve are left out.
    ///
    /// # Errors
    /// The API server could not be asked.
    pub async fn look(&self, kinds: &BTreeSet<KindId>) -> Result<BTreeMap<KindId, Served>, kube::Error> {
        let unknown: BTreeSet<(String, String)> = {
            let known = self.known.lock();
            let unknown = kinds.iter().filter(|kind| !known.contains_key(kind));
            unknown
                .map(|kind| (kind.group.clone(), kind.version.clone()))
                .collect()
        };
        for (group, version) in unknown {
            let served = self.served(&group, &version).await?;
            self.known.lock().extend(served);
        }
        let known = self.known.lock();
        let served = |kind: &KindId| Some((kind.clone(), known.get(kind)?.clone()));
        Ok(kinds.iter().filter_map(served).collect())
    }

    /// Asks for these anew next time: their watch says that they are gone.
    pub fn forget(&self, kind: &KindId) {
        self.known.lock().remove(kind);
    }

    async fn served(&self, group: &str, version: &str) -> Result<Vec<(KindId, Served)>, kube::Error> {
        let list = if group.is_empty() {
            self.client.list_core_api_resources(version).await
        } else {
            self.client
                .list_api_group_resources(&format!("{group}/{version}"))
                .await
        };
        let list = match list {
            Ok(list) => list,
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let whole = list.resources.into_iter().filter(|one| !one.name.contains('/'));
        Ok(whole
            .map(|one| {
                let kind = KindId {
                    group: group.to_owned(),
                    version: version.to_owned(),
                    kind: one.kind.clone(),
                };
                let resource = ApiResource {
                    group: group.to_owned(),
                    version: version.to_owned(),
                    api_version: kind.api_version(),
                    kind: one.kind,
                    plural: one.name,
                };
                let namespaced = one.namespaced;
                (kind, Served { resource, namespaced })
            })
            .collect())
    }
}
