//! A fresh plane for each measurement, so that no subject meets another's objects, caches or garbage.
//!
//! In: which plane and how many resources. Out: a cluster with definitions, roles and a namespace, and the way in that
//! the operator has as shipped.

use std::{path::Path, time::Duration};

use engine_sim::Speed;
use kube::Client;
use serde_json::json;
use testkit::{
    Access, Cluster, ClusterBuilder, NodeOptions, NodeSpec,
    manifests::{self, Definitions},
};

use crate::{options::Plane, workload::NAMESPACE};

/// Pods per simulated node.
const PODS_PER_NODE: u32 = 250;
/// Probes run five times as often as written, so that Pods which are released together turn ready together.
const PROBE_SCALE: f64 = 0.2;
/// The full plane makes the default service account of a namespace, without which it refuses Pods.
const SETTLED: Duration = Duration::from_secs(30);

/// A plane that is ready to be measured on.
pub struct Bed {
    /// The plane.
    pub cluster: Cluster,
    /// The harness' own client.
    pub client: Client,
    /// The way in of every subject.
    pub access: Access,
}

impl Bed {
    /// Starts a plane with room for `size` Pods, if it runs Pods at all.
    pub async fn start(plane: Plane, size: usize, operator: &Path) -> Result<Self, String> {
        let mut builder = Cluster::builder().audit();
        if plane == Plane::Bare {
            builder = builder.bare();
        } else {
            let pods = u32::try_from(size).map_err(|error| error.to_string())?;
            for number in 0..=pods / PODS_PER_NODE {
                builder = builder.node(NodeSpec::cpu(format!("cpu-{number}")).room_for(PODS_PER_NODE));
            }
            builder = builder.node_options(NodeOptions {
                speed: Speed::loading(1e6),
                probe_scale: PROBE_SCALE,
                normal_events: false,
                ..NodeOptions::default()
            });
        }
        let bed = Self::on(builder, operator).await?;
        if plane != Plane::Bare {
            wait_for_service_account(&bed.client).await?;
        }
        Ok(bed)
    }

    /// Starts the plane that was chosen.
    pub async fn on(builder: ClusterBuilder, operator: &Path) -> Result<Self, String> {
        let cluster = builder.start().await.map_err(|error| error.to_string())?;
        install(&cluster, operator).await?;
        let client = cluster.admin_client().await.map_err(|error| error.to_string())?;
        let access = manifests::access(&cluster)
            .await
            .map_err(|error| error.to_string())?;
        Ok(Self {
            cluster,
            client,
            access,
        })
    }
}

async fn install(cluster: &Cluster, operator: &Path) -> Result<(), String> {
    let definitions = manifests::definitions(operator, Definitions::Own).await;
    let definitions = definitions.map_err(|error| error.to_string())?;
    let roles = manifests::roles(Path::new(".")).map_err(|error| error.to_string())?;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    let documents = [definitions, roles, namespace.to_string()];
    let applied = cluster.apply_yaml(&documents.join("\n---\n")).await;
    applied.map(drop).map_err(|error| error.to_string())
}

async fn wait_for_service_account(client: &Client) -> Result<(), String> {
    let accounts: kube::Api<k8s_openapi::api::core::v1::ServiceAccount> =
        kube::Api::namespaced(client.clone(), NAMESPACE);
    testkit::until("the default ServiceAccount", SETTLED, async || {
        let found = accounts
            .get_opt("default")
            .await
            .map_err(|error| error.to_string())?;
        found.map(drop).ok_or_else(|| "none".to_owned())
    })
    .await
    .map_err(|error| error.to_string())
}
