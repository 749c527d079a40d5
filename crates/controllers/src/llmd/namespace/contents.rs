//! What is in a namespace, and whose.
//!
//! In: the metadata of everything that can be seen there. Out: whether somebody would miss any of it. What nobody has put there does
//! not count: what Kubernetes and `OpenShift` put into every namespace, records that controllers keep, and what is being deleted.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::core::ObjectMeta;

use crate::llmd::leftovers::is_kept;

/// Group and kind.
type GroupKind = (String, String);

/// API groups whose objects are computed when somebody asks for them, and one kind's that repeats a catalogue in every namespace.
pub const COMPUTED: [&str; 4] = [
    "metrics.k8s.io",
    "custom.metrics.k8s.io",
    "external.metrics.k8s.io",
    "packages.operators.coreos.com",
];
/// Kinds that controllers write for things that are seen themselves.
const RECORDS: [(&str, &str); 8] = [
    ("", "Event"),
    ("events.k8s.io", "Event"),
    ("", "Endpoints"),
    ("discovery.k8s.io", "EndpointSlice"),
    ("coordination.k8s.io", "Lease"),
    ("coordination.k8s.io", "LeaseCandidate"),
    ("apps", "ControllerRevision"),
    ("storage.k8s.io", "CSIStorageCapacity"),
];
/// Kinds that do nothing where there is nothing else. The operator's role does not list them; where it may, they count.
const IDLE: [(&str, &str); 4] = [
    ("", "LimitRange"),
    ("", "PodTemplate"),
    ("", "ReplicationController"),
    ("", "ResourceQuota"),
];
/// Objects that Kubernetes, Istio and `OpenShift` put into every namespace.
const EVERYWHERE: [(&str, &str); 9] = [
    ("ServiceAccount", "default"),
    ("ConfigMap", "kube-root-ca.crt"),
    ("ConfigMap", "istio-ca-root-cert"),
    ("ConfigMap", "openshift-service-ca.crt"),
    ("ConfigMap", "config-service-cabundle"),
    ("ConfigMap", "config-trusted-cabundle"),
    ("RoleBinding", "system:deployers"),
    ("RoleBinding", "system:image-builders"),
    ("RoleBinding", "system:image-pullers"),
];
/// Service accounts that have such objects of their own.
const ACCOUNTS: [&str; 3] = ["default", "builder", "deployer"];
/// Annotations of a Secret that name the service account whose it is: a token's, and the two of `OpenShift`'s registry.
const ACCOUNT_OF: [&str; 3] = [
    "kubernetes.io/service-account.name",
    "openshift.io/internal-registry-auth-token.service-account",
    "openshift.io/token-secret.name",
];
/// Annotation of a service account that `OpenShift` looks after.
const REGISTRY: &str = "openshift.io/internal-registry-pull-secret-ref";
/// Label of what the Operator Lifecycle Manager copies into every namespace.
const COPIED: &str = "olm.copiedFrom";

/// The objects of a kind.
#[derive(Clone, Debug)]
pub struct Listed {
    /// API group, empty for the core one.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Metadata of all of them; none when they may not be seen.
    pub objects: Option<Vec<ObjectMeta>>,
}

/// Whether anybody would miss what is in a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// Nobody would.
    Nobodys,
    /// Objects whose owner is gone are there still: Kubernetes will collect them, unless the owner has been recreated meanwhile.
    Collected(String),
    /// Somebody would, or it cannot be seen: kind, and name if it is known.
    Somebodys(String),
}

/// Whether objects of this kind say nothing about a namespace.
pub fn is_record(group: &str, kind: &str) -> bool {
    COMPUTED.contains(&group) || RECORDS.contains(&(group, kind))
}

/// Whose it is.
pub fn judge(all: &[Listed]) -> Contents {
    let counted = || all.iter().filter(|one| !is_record(&one.group, &one.kind));
    let owners = Owners::of(all);
    let mut collected = None;
    for one in counted() {
        for object in one.objects.iter().flatten() {
            if object.deletion_timestamp.is_some() || is_everywhere(&one.kind, object) {
                continue;
            }
            let named = || format!("{} {}", one.kind, object.name.as_deref().unwrap_or_default());
            match owners.fate(object) {
                Fate::Own => return Contents::Somebodys(named()),
                Fate::OfOwner => {}
                Fate::Collected => collected = Some(named()),
            }
        }
    }
    let mut unseen = counted().filter(|one| {
        let idle = IDLE.contains(&(one.group.as_str(), one.kind.as_str()));
        one.objects.is_none() && !idle
    });
    if let Some(one) = unseen.next() {
        return Contents::Somebodys(format!("{}.{}, which may not be listed", one.kind, one.group));
    }
    collected.map_or(Contents::Nobodys, Contents::Collected)
}

/// What happens to an object.
enum Fate {
    /// It stays until somebody deletes it.
    Own,
    /// It stays as long as its owner, which is looked at itself.
    OfOwner,
    /// Its owner is gone or going, and it goes too.
    Collected,
}

/// What is known of possible owners.
struct Owners<'a> {
    /// Kinds all of whose objects are known.
    kinds: BTreeSet<GroupKind>,
    /// Objects by uid.
    objects: BTreeMap<&'a str, &'a ObjectMeta>,
}

impl<'a> Owners<'a> {
    fn of(all: &'a [Listed]) -> Self {
        let seen = || all.iter().filter(|one| one.objects.is_some());
        let objects = seen().flat_map(|one| one.objects.iter().flatten());
        Self {
            kinds: seen().map(|one| (one.group.clone(), one.kind.clone())).collect(),
            objects: objects
                .filter_map(|object| Some((object.uid.as_deref()?, object)))
                .collect(),
        }
    }

    /// With several owners, an object stays as long as one of them.
    fn fate(&self, object: &ObjectMeta) -> Fate {
        let owners = object.owner_references.as_deref().unwrap_or_default();
        let is_known = |owner: &OwnerReference| {
            let group = owner.api_version.rsplit_once('/').map_or("", |(group, _)| group);
            self.kinds.contains(&(group.to_owned(), owner.kind.clone()))
        };
        // Nothing is known of an owner without a namespace, or of one that may not be seen.
        if is_kept(object.annotations.as_ref()) || owners.is_empty() || !owners.iter().all(is_known) {
            return Fate::Own;
        }
        let found = || {
            owners
                .iter()
                .filter_map(|owner| self.objects.get(owner.uid.as_str()))
        };
        if found().any(|owner| owner.deletion_timestamp.is_none()) {
            Fate::OfOwner
        } else if found().any(|owner| lets_go(owner)) {
            Fate::Own
        } else {
            Fate::Collected
        }
    }
}

/// Whether it is deleted so that what it owns stays (`kubectl delete --cascade=orphan`).
fn lets_go(owner: &ObjectMeta) -> bool {
    owner.finalizers.iter().flatten().any(|one| one == "orphan")
}

fn is_everywhere(kind: &str, object: &ObjectMeta) -> bool {
    let name = object.name.as_deref().unwrap_or_default();
    let annotation = |key: &str| object.annotations.as_ref().and_then(|all| all.get(key));
    let is_copied = object.labels.as_ref().is_some_and(|all| all.contains_key(COPIED));
    match kind {
        _ if EVERYWHERE.contains(&(kind, name)) => true,
        "ServiceAccount" => ACCOUNTS.contains(&name) && annotation(REGISTRY).is_some(),
        "Secret" => {
            let mut accounts = ACCOUNT_OF.iter().filter_map(|key| annotation(key));
            accounts.any(|account| {
                ACCOUNTS
                    .iter()
                    .any(|one| account == one || account.starts_with(&format!("{one}-token-")))
            })
        }
        "ClusterServiceVersion" => is_copied,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn listed(group: &str, kind: &str, objects: Value) -> Listed {
        Listed {
            group: group.to_owned(),
            kind: kind.to_owned(),
            objects: serde_json::from_value(objects).unwrap(),
        }
    }

    fn owner(api_version: &str, kind: &str, uid: &str) -> Value {
        json!([{"apiVersion": api_version, "kind": kind, "name": uid, "uid": uid, "controller": true}])
    }

    fn nobodys() -> Vec<Vec<Listed>> {
        let going = "2026-01-01T00:00:00Z";
        vec![
            vec![],
            vec![
                listed("", "ServiceAccount", json!([{"name": "default"}])),
                listed(
                    "",
                    "ConfigMap",
                    json!([{"name": "kube-root-ca.crt"}, {"name": "istio-ca-root-cert"}]),
                ),
            ],
            vec![listed(
                "",
                "Secret",
                json!([{"name": "default-token-x", "annotations":
                {"kubernetes.io/service-account.name": "default"}}]),
            )],
            vec![listed(
                "",
                "Secret",
                json!([{"name": "builder-dockercfg-x", "annotations":
                {"openshift.io/internal-registry-auth-token.service-account": "builder"}}]),
            )],
            vec![listed(
                "",
                "ServiceAccount",
                json!([{"name": "builder", "annotations": {REGISTRY: "x"}}]),
            )],
            vec![listed(
                "operators.coreos.com",
                "ClusterServiceVersion",
                json!([{"name": "o", "labels": {COPIED: "x"}}]),
            )],
            // Records, even those that may not be listed.
            vec![
                listed("", "Event", json!([{"name": "e"}])),
                listed("discovery.k8s.io", "EndpointSlice", Value::Null),
                listed("metrics.k8s.io", "PodMetrics", Value::Null),
            ],
            vec![listed("", "ResourceQuota", Value::Null)],
            vec![listed(
                "",
                "Pod",
                json!([{"name": "p", "deletionTimestamp": going}]),
            )],
        ]
    }

    fn somebodys() -> Vec<(Vec<Listed>, &'static str)> {
        vec![
            (
                vec![listed("batch", "CronJob", json!([{"name": "night"}]))],
                "CronJob night",
            ),
            (
                vec![listed("apps", "DaemonSet", json!([{"name": "d"}]))],
                "DaemonSet d",
            ),
            (
                vec![listed(
                    "gateway.networking.k8s.io",
                    "HTTPRoute",
                    json!([{"name": "r"}]),
                )],
                "HTTPRoute r",
            ),
            (
                vec![listed(
                    "rbac.authorization.k8s.io",
                    "RoleBinding",
                    json!([{"name": "b"}]),
                )],
                "RoleBinding b",
            ),
            (
                vec![listed("", "ResourceQuota", json!([{"name": "q"}]))],
                "ResourceQuota q",
            ),
            (
                vec![listed("", "ServiceAccount", json!([{"name": "builder"}]))],
                "ServiceAccount builder",
            ),
            (
                vec![listed("", "Secret", json!([{"name": "default-password"}]))],
                "Secret default-password",
            ),
            (
                vec![listed(
                    "",
                    "Secret",
                    json!([{"name": "t", "annotations":
                {"kubernetes.io/service-account.name": "robot"}}]),
                )],
                "Secret t",
            ),
            // Our label alone does not make it go: whoever uninstalled left it.
            (
                vec![listed(
                    "",
                    "Service",
                    json!([{"name": "s", "labels": {"app.kubernetes.io/part-of": "llm-d"}}]),
                )],
                "Service s",
            ),
            // Custom resources that may not be seen.
            (
                vec![listed("example.org", "Widget", Value::Null)],
                "Widget.example.org, which may not be listed",
            ),
        ]
    }

    fn somebodys_with_owners() -> Vec<(Vec<Listed>, &'static str)> {
        vec![
            // A Pod of something that may not be seen, and one of something without a namespace.
            (
                vec![
                    listed("", "ReplicationController", Value::Null),
                    listed(
                        "",
                        "Pod",
                        json!([{"name": "p", "ownerReferences": owner("v1", "ReplicationController", "u")}]),
                    ),
                ],
                "Pod p",
            ),
            (
                vec![listed(
                    "",
                    "Pod",
                    json!([{"name": "p", "ownerReferences": owner("v1", "Node", "u")}]),
                )],
                "Pod p",
            ),
            // What belongs to something that is there.
            (
                vec![
                    listed(
                        "",
                        "Pod",
                        json!([{"name": "p", "ownerReferences": owner("apps/v1", "ReplicaSet", "r")}]),
                    ),
                    listed("apps", "ReplicaSet", json!([{"name": "r", "uid": "r"}])),
                ],
                "ReplicaSet r",
            ),
            // An owner that lets go of it, and an object that is to be kept.
            (
                vec![
                    listed(
                        "",
                        "Pod",
                        json!([{"name": "p", "ownerReferences": owner("apps/v1", "ReplicaSet", "r")}]),
                    ),
                    listed(
                        "apps",
                        "ReplicaSet",
                        json!([{"name": "r", "uid": "r", "finalizers": ["orphan"],
                    "deletionTimestamp": "2026-01-01T00:00:00Z"}]),
                    ),
                ],
                "Pod p",
            ),
            (
                vec![
                    listed(
                        "",
                        "ConfigMap",
                        json!([{"name": "c", "annotations": {"helm.sh/resource-policy": "keep"},
                    "ownerReferences": owner("apps/v1", "ReplicaSet", "r")}]),
                    ),
                    listed("apps", "ReplicaSet", json!([])),
                ],
                "ConfigMap c",
            ),
        ]
    }

    #[test]
    fn a_namespace_is_nobodys_only_when_nobody_would_miss_anything() {
        for all in nobodys() {
            assert_eq!(judge(&all), Contents::Nobodys, "{all:?}");
        }
        for (all, whose) in somebodys().into_iter().chain(somebodys_with_owners()) {
            assert_eq!(judge(&all), Contents::Somebodys(whose.to_owned()), "{all:?}");
        }
    }

    #[test]
    fn what_is_being_collected_is_waited_for() {
        let pod = json!([{"name": "p", "uid": "p", "ownerReferences": owner("apps/v1", "ReplicaSet", "r")}]);
        let set = json!([{"name": "r", "uid": "r", "ownerReferences": owner("apps/v1", "Deployment", "d")}]);
        let mut all = vec![
            listed("", "Pod", pod),
            listed("apps", "ReplicaSet", set),
            listed("apps", "Deployment", json!([])),
        ];
        assert_eq!(judge(&all), Contents::Collected("ReplicaSet r".to_owned()));
        let going = json!([{"name": "d", "uid": "d", "deletionTimestamp": "2026-01-01T00:00:00Z"}]);
        all[2] = listed("apps", "Deployment", going);
        assert_eq!(judge(&all), Contents::Collected("ReplicaSet r".to_owned()));
        // What cannot be seen decides, however long the rest takes.
        all.push(listed("example.org", "Widget", Value::Null));
        assert!(matches!(judge(&all), Contents::Somebodys(_)));
    }
}
