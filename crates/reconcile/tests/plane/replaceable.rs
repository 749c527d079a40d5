//! Pods: changed in place where Kubernetes lets them be, replaced where it does not, and never deleted for nothing.

use std::sync::Arc;

use k8s_openapi::api::{
    admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding},
    core::v1::{Pod, ServiceAccount},
};
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use reconcile::{Applied, Applier, ApplyError, CacheSpec, ChangeMade, DesiredObject, Namespaces, Watches};
use serde_json::{Value, json};
use testkit::until;

use crate::bed::{Bed, LIMIT, bed, desired};

/// A bed that watches Pods.
struct Pods {
    bed: Bed,
    cache: Arc<reconcile::WatchCache<reconcile::Child<()>>>,
    applier: Applier,
    api: Api<Pod>,
    _watches: Watches,
}

impl Pods {
    async fn new(namespace: &str) -> Self {
        let bed = bed(namespace).await;
        let only = Namespaces::Only(vec![bed.namespace.clone()]);
        let mut watches = Watches::new(bed.client.clone(), only, bed.queue.clone(), bed.metrics.clone());
        let cache = watches.start(
            CacheSpec::children::<Pod>(|_| Ok(())).on_change(|change| change.owner_key(&["ConfigMap"])),
        );
        tokio::time::timeout(LIMIT, watches.wait_settled()).await.unwrap();
        let applier = Applier::new(bed.client.clone(), vec![cache.clone()]);
        let api = bed.api::<Pod>();
        // No controller makes it here, and Pods need it.
        let account: ServiceAccount =
            serde_json::from_value(json!({"metadata": {"name": "default"}})).unwrap();
        let accounts = bed.api::<ServiceAccount>();
        accounts.create(&PostParams::default(), &account).await.unwrap();
        Self {
            bed,
            cache,
            applier,
            api,
            _watches: watches,
        }
    }

    /// The applier of an operator that has just started.
    fn restarted(&self) -> Applier {
        Applier::new(self.bed.client.clone(), vec![self.cache.clone()])
    }

    fn pod(&self, change: impl FnOnce(&mut Value)) -> DesiredObject {
        let mut metadata = serde_json::to_value(self.bed.service("a", 80).metadata).unwrap();
        metadata["labels"]["colour"] = "red".into();
        let mut pod = json!({"metadata": metadata, "spec": {
            "automountServiceAccountToken": false,
            "containers": [{
                "name": "engine", "image": "i:1", "command": ["serve"],
                "env": [{"name": "PORT", "value": "8080"}],
                "resources": {"limits": {"memory": "4096Mi"}, "requests": {"cpu": "2000m"}},
            }],
            "initContainers": [{"name": "pull", "image": "i:1"}],
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
            "volumes": [{"name": "models", "emptyDir": {}}],
        }});
        change(&mut pod);
        let pod: Pod = serde_json::from_value(pod).unwrap();
        desired(pod).replaceable()
    }

    async fn apply(&self, change: impl FnOnce(&mut Value)) -> Result<Applied, ApplyError> {
        self.applier.apply(&self.pod(change)).await
    }

    async fn created(namespace: &str) -> (Self, Pod) {
        let pods = Self::new(namespace).await;
        let made = pods.apply(|_| ()).await.unwrap();
        assert_eq!(made.change, ChangeMade::Created);
        let stored = pods.stored().await;
        (pods, stored)
    }

    async fn stored(&self) -> Pod {
        self.api.get("a").await.unwrap()
    }

    /// Somebody else's change, seen by the cache.
    async fn edit(&self, patch: Value) -> Pod {
        let before = self
            .cache
            .get(&self.bed.namespace, "a")
            .unwrap()
            .head
            .content_hash;
        let patch = Patch::Strategic(patch);
        let edited = self
            .api
            .patch("a", &PatchParams::default(), &patch)
            .await
            .unwrap();
        until("the cache sees the edit", LIMIT, async || {
            let now = self
                .cache
                .get(&self.bed.namespace, "a")
                .unwrap()
                .head
                .content_hash;
            (now != before).then_some(())
        })
        .await
        .unwrap();
        edited
    }

    async fn wait_gone(&self) {
        until("the cache sees that it is gone", LIMIT, async || {
            (!self.cache.exists(&self.bed.namespace, "a")).then_some(())
        })
        .await
        .unwrap();
    }

    /// Neither this process nor the next has anything to do.
    async fn assert_at_rest(&self, wish: &DesiredObject) {
        let writes = self.bed.writes();
        for applier in [&self.applier, &self.restarted(), &self.restarted()] {
            let applied = applier.apply(wish).await.unwrap();
            assert_eq!(applied.change, ChangeMade::None);
        }
        assert_eq!(self.bed.writes(), writes);
    }
}

fn image(pod: &Pod) -> &str {
    pod.spec.as_ref().unwrap().containers[0].image.as_deref().unwrap()
}

#[tokio::test]
async fn labels_and_annotations_are_changed_in_place() {
    let (pods, before) = Pods::created("pod-in-place").await;
    let change = |pod: &mut Value| {
        pod["metadata"]["labels"]["colour"] = "blue".into();
        pod["metadata"]["annotations"] = json!({"note": "new"});
    };
    let writes = pods.bed.writes();
    assert_eq!(pods.apply(change).await.unwrap().change, ChangeMade::Updated);
    let after = pods.stored().await;
    assert_eq!(after.uid(), before.uid());
    assert_eq!(after.labels()["colour"], "blue");
    assert_eq!(after.annotations()["note"], "new");
    assert_eq!(pods.bed.writes(), writes + 1);
    pods.assert_at_rest(&pods.pod(change)).await;
    // What is no longer wanted goes.
    let fewer = |pod: &mut Value| {
        pod["metadata"]["labels"]
            .as_object_mut()
            .unwrap()
            .remove("colour");
    };
    assert_eq!(pods.apply(fewer).await.unwrap().change, ChangeMade::Updated);
    let after = pods.stored().await;
    assert!(!after.labels().contains_key("colour") && !after.annotations().contains_key("note"));
    assert_eq!(after.uid(), before.uid());
    pods.assert_at_rest(&pods.pod(fewer)).await;
}

#[tokio::test]
async fn another_image_is_another_pod() {
    let (pods, before) = Pods::created("pod-image").await;
    for list in ["containers", "initContainers"] {
        let change = |pod: &mut Value| pod["spec"][list][0]["image"] = "i:2".into();
        assert_eq!(
            pods.apply(change).await.unwrap().change,
            ChangeMade::Replaced,
            "{list}"
        );
        pods.wait_gone().await;
        assert_eq!(pods.apply(change).await.unwrap().change, ChangeMade::Created);
        let after = pods.stored().await;
        assert_ne!(after.uid(), before.uid());
        assert_eq!(image(&after), if list == "containers" { "i:2" } else { "i:1" });
        pods.assert_at_rest(&pods.pod(change)).await;
    }
}

#[tokio::test]
async fn what_cannot_be_changed_is_replaced() {
    let (pods, before) = Pods::created("pod-replace").await;
    let change = |pod: &mut Value| pod["spec"]["containers"][0]["command"] = json!(["serve", "--more"]);
    // It does not go at once.
    let finalizer = Patch::Merge(json!({"metadata": {"finalizers": ["example.com/hold"]}}));
    let params = PatchParams::default();
    pods.api.patch("a", &params, &finalizer).await.unwrap();
    assert_eq!(pods.apply(change).await.unwrap().change, ChangeMade::Replaced);
    until("the cache sees the deletion", LIMIT, async || {
        let head = &pods.cache.get(&pods.bed.namespace, "a").unwrap().head;
        head.deleting.then_some(())
    })
    .await
    .unwrap();
    let writes = pods.bed.writes();
    let error = pods.apply(change).await.unwrap_err();
    assert!(matches!(error, ApplyError::Terminating { .. }), "{error:?}");
    assert_eq!(pods.bed.writes(), writes, "it is waited for");
    let none = json!([{"op": "remove", "path": "/metadata/finalizers"}]);
    let none: Patch<Pod> = Patch::Json(serde_json::from_value(none).unwrap());
    pods.api.patch("a", &PatchParams::default(), &none).await.unwrap();
    pods.wait_gone().await;
    assert_eq!(pods.apply(change).await.unwrap().change, ChangeMade::Created);
    let after = pods.stored().await;
    assert_ne!(after.uid(), before.uid());
    pods.assert_at_rest(&pods.pod(change)).await;
}

#[tokio::test]
async fn it_stays_when_its_successor_would_be_invalid() {
    let (pods, before) = Pods::created("pod-invalid").await;
    let changes: [fn(&mut Value); 3] = [
        |pod| pod["spec"]["containers"][0]["resources"]["requests"]["memory"] = "8Gi".into(),
        |pod| {
            pod["spec"]["containers"][0]["command"] = json!(["x"]);
            pod["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "absent", "mountPath": "/x"}]);
        },
        |pod| pod["spec"]["priorityClassName"] = "there-is-none".into(),
    ];
    for change in changes {
        for _ in 0..2 {
            let error = pods.apply(change).await.unwrap_err();
            assert!(!matches!(error, ApplyError::Retryable { .. }), "{error:?}");
            let after = pods.stored().await;
            assert_eq!(after.uid(), before.uid(), "{error}");
            assert_eq!(after.metadata.deletion_timestamp, None, "{error}");
        }
    }
    pods.assert_at_rest(&pods.pod(|_| ())).await;
}

#[tokio::test]
async fn it_stays_when_a_policy_would_refuse_its_successor() {
    let (pods, before) = Pods::created("pod-policy").await;
    forbid_colour_green(&pods).await;
    let change = |pod: &mut Value| {
        pod["spec"]["containers"][0]["command"] = json!(["x"]);
        pod["metadata"]["labels"]["colour"] = "green".into();
    };
    let error = pods.apply(change).await.unwrap_err();
    assert!(error.to_string().contains("no green Pods here"), "{error}");
    let after = pods.stored().await;
    assert_eq!(
        (after.uid(), after.metadata.deletion_timestamp),
        (before.uid(), None)
    );
    // What the policy lets pass is replaced as ever.
    let allowed = |pod: &mut Value| pod["spec"]["containers"][0]["command"] = json!(["x"]);
    assert_eq!(pods.apply(allowed).await.unwrap().change, ChangeMade::Replaced);
}

/// Refuses new Pods of a label, in this namespace alone, and waits until that works.
async fn forbid_colour_green(pods: &Pods) {
    let client = pods.bed.admin.clone();
    let policy: ValidatingAdmissionPolicy = serde_json::from_value(json!({
        "metadata": {"name": "no-green"},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"],
            }]},
            "validations": [{
                "expression": "!has(object.metadata.labels) || !('colour' in object.metadata.labels) || object.metadata.labels['colour'] != 'green'",
                "message": "no green Pods here",
            }],
        },
    }))
    .unwrap();
    let binding: ValidatingAdmissionPolicyBinding = serde_json::from_value(json!({
        "metadata": {"name": "no-green"},
        "spec": {
            "policyName": "no-green",
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": pods.bed.namespace}}},
        },
    }))
    .unwrap();
    let params = PostParams::default();
    Api::all(client.clone()).create(&params, &policy).await.unwrap();
    Api::all(client).create(&params, &binding).await.unwrap();
    let green: Pod = serde_json::from_value(json!({
        "metadata": {"name": "green", "labels": {"colour": "green"}},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }))
    .unwrap();
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    until("the policy works", LIMIT, async || {
        match pods.api.create(&dry, &green).await {
            Ok(_) => Err("a green Pod was taken".to_owned()),
            Err(error) if error.to_string().contains("no green Pods here") => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn what_somebody_changes_is_mended_without_deletion() {
    let (pods, before) = Pods::created("pod-drift").await;
    let wish = pods.pod(|_| ());
    let edits = [
        json!({"metadata": {"labels": {"colour": "green"}}}),
        json!({"metadata": {"labels": {"colour": null}}}),
        json!({"metadata": {"annotations": {reconcile::apply::APPLIED_HASH: null}}}),
    ];
    for edit in edits {
        pods.edit(edit.clone()).await;
        let mended = pods.applier.apply(&wish).await.unwrap().change;
        assert!(
            matches!(mended, ChangeMade::Repaired | ChangeMade::Updated),
            "{mended:?} {edit}"
        );
        let after = pods.stored().await;
        assert_eq!(after.uid(), before.uid(), "{edit}");
        assert_eq!(after.labels()["colour"], "red");
        pods.assert_at_rest(&wish).await;
    }
    // An image in a Pod that runs is no longer the one that was made: another one is.
    pods.edit(json!({"spec": {"containers": [{"name": "engine", "image": "other:2"}]}}))
        .await;
    assert_eq!(
        pods.applier.apply(&wish).await.unwrap().change,
        ChangeMade::Replaced
    );
}

#[tokio::test]
async fn what_others_add_to_the_metadata_is_their_own() {
    let (pods, _) = Pods::created("pod-others").await;
    let wish = pods.pod(|_| ());
    // Others' own labels are their own.
    pods.edit(json!({"metadata": {"labels": {"team": "a"}}})).await;
    pods.assert_at_rest(&wish).await;
}

#[tokio::test]
async fn what_admission_adds_stays_and_costs_nothing() {
    let (pods, before) = Pods::created("pod-admission").await;
    let wish = pods.pod(|_| ());
    let tolerations = &before.spec.as_ref().unwrap().tolerations.clone().unwrap();
    let mut more = serde_json::to_value(tolerations).unwrap();
    let added = json!({"key": "example.com/added", "operator": "Exists", "effect": "NoSchedule"});
    more.as_array_mut().unwrap().push(added);
    pods.edit(json!({"spec": {"tolerations": more}})).await;
    pods.assert_at_rest(&wish).await;

    assert_eq!(pods.stored().await.uid(), before.uid());
}

#[tokio::test]
async fn a_sidecar_that_admission_adds_is_left_alone() {
    let pods = Pods::new("pod-sidecar").await;
    // As a mutating webhook does: there from the start, and somebody else's.
    let wish = pods.pod(|_| ());
    let mut body = wished(&pods);
    let sidecar = json!({"name": "proxy", "image": "mesh:1"});
    body["spec"]["containers"].as_array_mut().unwrap().push(sidecar);
    body["metadata"]["annotations"] = json!({reconcile::apply::APPLIED_HASH: wish.hash()});
    let pod: Pod = serde_json::from_value(body).unwrap();
    let made = pods.api.create(&PostParams::default(), &pod).await.unwrap();
    until("the cache sees it", LIMIT, async || {
        pods.cache.exists(&pods.bed.namespace, "a").then_some(())
    })
    .await
    .unwrap();
    pods.assert_at_rest(&wish).await;
    // Mending what somebody changes leaves it as well.
    pods.edit(json!({"metadata": {"labels": {"colour": "green"}}}))
        .await;
    assert_eq!(
        pods.applier.apply(&wish).await.unwrap().change,
        ChangeMade::Repaired
    );
    let after = pods.stored().await;
    assert_eq!(after.uid(), made.uid());
    assert_eq!(after.spec.unwrap().containers.len(), 2);
    pods.assert_at_rest(&wish).await;
}

/// The Pod as somebody would create it.
fn wished(pods: &Pods) -> Value {
    let mut body = Value::Null;
    pods.pod(|pod| body = pod.clone());
    body
}
