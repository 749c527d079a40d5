//! Which kinds the cluster serves, and how.
//!
//! In: kinds that charts use. Out: for each, how it is reached, or that it is not known. What is known is asked for once; what
//! is not, when somebody looks, but not over and over, so that a definition that is installed later is noticed.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use helm::manifest::KindId;
use kube::{Client, core::ApiResource};
use parking_lot::Mutex;

/// Groups that were asked for are not asked for again so soon, for what they lack: reconciles may come in bursts.
const ASKED_FOR: Duration = Duration::from_secs(5);

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
    /// When a version of a group was asked for last.
    asked: Mutex<BTreeMap<(String, String), Instant>>,
}

impl Kinds {
    /// Knows nothing yet.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            known: Mutex::default(),
            asked: Mutex::default(),
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
            let place = (group, version);
            let asked = self.asked.lock().get(&place).copied();
            if asked.is_some_and(|asked| asked.elapsed() < ASKED_FOR) {
                continue;
            }
            let served = self.served(&place.0, &place.1).await?;
            self.known.lock().extend(served);
            self.asked.lock().insert(place, Instant::now());
        }
        let known = self.known.lock();
        let served = |kind: &KindId| Some((kind.clone(), known.get(kind)?.clone()));
        Ok(kinds.iter().filter_map(served).collect())
    }

    /// Asks for it anew next time: its watch says that it is gone.
    pub fn forget(&self, kind: &KindId) {
        let place = (kind.group.clone(), kind.version.clone());
        self.asked.lock().remove(&place);
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
