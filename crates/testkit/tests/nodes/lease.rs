//! The Lease by which a node is known to live.

use k8s_openapi::api::{coordination::v1::Lease, core::v1::Node};
use kube::{Api, api::DeleteParams};
use testkit::until;

use crate::bed::{Bed, LIMIT};

/// A node that is replaced by one of its name loses its Lease to the garbage collector, perhaps after the other has registered.
#[tokio::test]
async fn a_lease_that_is_gone_is_made_again() {
    let bed = Bed::new("lease").await;
    let leases: Api<Lease> = Api::namespaced(bed.client.clone(), "kube-node-lease");
    let nodes: Api<Node> = Api::all(bed.client.clone());
    let uid = nodes.get("cpu-1").await.unwrap().metadata.uid;
    leases.delete("cpu-1", &DeleteParams::default()).await.unwrap();
    let lease = until("the Lease", LIMIT, async || leases.get("cpu-1").await)
        .await
        .unwrap();
    let owners = lease.metadata.owner_references.unwrap();
    assert_eq!(owners.first().map(|owner| owner.uid.clone()), uid);
}
