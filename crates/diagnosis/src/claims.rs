//! Why a Pod's persistent volume claim keeps it from being placed.
//!
//! In: a Pod, the scheduler's refusal, the claims. Out: which claim, and what is missing. Must not: look at mounts; that
//! is the kubelet's part.

use crate::{
    Finding, Reason, Surroundings,
    facts::{ClaimFacts, PodFacts},
    finding::list,
    redact,
    scheduling::ClaimRefusal,
};

/// The finding when the scheduler refused a Pod for a claim.
pub fn refused(pod: &PodFacts, refusal: &ClaimRefusal, around: &dyn Surroundings) -> Finding {
    match refusal {
        ClaimRefusal::ClaimMissing(name) => Finding::new(
            Reason::ClaimMissing,
            format!(
                "Pod {} waits for persistent volume claim {name}, which does not exist. Create it in namespace {}, \
                 or correct the name.",
                pod.name, pod.namespace
            ),
        ),
        ClaimRefusal::ClaimDeleting(name) => Finding::new(
            Reason::ClaimMissing,
            format!(
                "Pod {} needs persistent volume claim {name}, which is being deleted. Let the Pods that still use \
                 it end, then create it again.",
                pod.name
            ),
        ),
        ClaimRefusal::ClaimLost(name) => lost(pod, name),
        ClaimRefusal::ClaimUnbound | ClaimRefusal::NoNodes => unbound(pod, around),
    }
}

fn lost(pod: &PodFacts, name: &str) -> Finding {
    Finding::new(
        Reason::ClaimLost,
        format!(
            "Pod {} needs persistent volume claim {name}, whose volume is gone. Restore the volume, or delete the \
             claim and let the weights be loaded again.",
            pod.name
        ),
    )
}

fn unbound(pod: &PodFacts, around: &dyn Surroundings) -> Finding {
    let claims: Vec<_> = pod
        .claims
        .iter()
        .filter_map(|name| around.claim(&pod.namespace, name))
        .collect();
    if let Some(claim) = claims.iter().find(|claim| &*claim.phase == "Lost") {
        return lost(pod, &claim.name);
    }
    let Some(claim) = claims.iter().find(|claim| &*claim.phase != "Bound") else {
        let which = pod.claims.join(", ");
        return Finding::new(
            Reason::ClaimPending,
            format!(
                "Pod {} waits for persistent volume claim {which} to be bound. Look at its events: kubectl describe \
                 pvc -n {}.",
                pod.name, pod.namespace
            ),
        );
    };
    let event = provisioning_event(claim, around);
    if let Some(class) = missing_class(claim, event.as_deref(), around) {
        return Finding::new(
            Reason::StorageClassMissing,
            format!(
                "Pod {} waits for persistent volume claim {}: {class}",
                pod.name, claim.name
            ),
        );
    }
    let size = claim.requested.as_deref().unwrap_or("any size");
    let modes = claim.access_modes.join(",");
    let why = match (event, claim.class.as_deref()) {
        (Some(words), _) => format!("its provisioner says: {words}"),
        (None, Some("")) => format!(
            "it asks for no storage class, and no existing volume fits ({size}, {modes}). Create such a volume, or \
             name a class."
        ),
        (None, class) => format!(
            "storage class {} has made no volume of {size} ({modes}) yet. Check its provisioner: kubectl describe \
             pvc {} -n {}.",
            class.unwrap_or("(default)"),
            claim.name,
            claim.namespace
        ),
    };
    Finding::new(
        Reason::ClaimPending,
        format!(
            "Pod {} waits for persistent volume claim {}: {why}",
            pod.name, claim.name
        ),
    )
}

/// The latest words of the provisioner about a claim.
fn provisioning_event(claim: &ClaimFacts, around: &dyn Surroundings) -> Option<String> {
    around
        .events(&claim.uid)
        .iter()
        .filter(|event| &*event.reason == "ProvisioningFailed")
        .max_by_key(|event| (event.last_seen, event.message.clone()))
        .map(|event| redact::clean(&event.message))
}

fn missing_class(claim: &ClaimFacts, event: Option<&str>, around: &dyn Surroundings) -> Option<String> {
    let classes = around.storage_classes();
    let Some(class) = claim.class.as_deref() else {
        // Admission and the volume controller fill in a default class as soon as there is one.
        return claim.volume.is_none().then(|| {
            format!(
                "it names no storage class, and the cluster has no default one. Name a class{}, or mark one as default.",
                known(classes.as_deref(), " (", ")")
            )
        });
    };
    let absent = match &classes {
        Some(classes) => !classes.iter().any(|known| **known == *class),
        None => event.is_some_and(|words| {
            words.contains("storageclass.storage.k8s.io") && words.contains("not found")
        }),
    };
    (!class.is_empty() && absent).then(|| {
        format!(
            "storage class {class} does not exist. Create it, or name one that exists{}.",
            known(classes.as_deref(), ": ", "")
        )
    })
}

/// The classes there are, in alphabetical order, between two words; nothing when they are not known.
fn known(classes: Option<&[Box<str>]>, before: &str, after: &str) -> String {
    let mut classes = classes.unwrap_or_default().to_vec();
    classes.sort();
    if classes.is_empty() {
        String::new()
    } else {
        format!("{before}{}{after}", list(&classes))
    }
}
