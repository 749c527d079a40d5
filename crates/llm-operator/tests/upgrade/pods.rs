//! The same on a real control plane: definitions and objects of a release, their Pods, and then the operator of today.

use futures::future::join_all;
use serde_json::json;
use testkit::{Cluster, NodeOptions, NodeSpec, node::Speed};
use tokio::sync::OnceCell;

use crate::{
    as_of::{Fixture, fixtures, releases},
    common::{EXTERNAL_METRICS, install, operator_access, repository_file, root, start_operator},
    first_family::{self, RESTARTS},
    running::{Applied, Pods, pods},
};

static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();

/// Roles, and the definitions of the newest release as a person installs them.
async fn cluster() -> &'static Cluster {
    CLUSTER
        .get_or_init(|| async {
            let options = NodeOptions {
                speed: Speed::INSTANT,
                probe_scale: 0.1,
                ..NodeOptions::default()
            };
            let nodes =
                ["gpu-0", "gpu-1", "gpu-2", "gpu-3", "gpu-4", "gpu-5"].map(|name| NodeSpec::h100(name, 8));
            let builder = Cluster::builder().node_options(options);
            let builder = nodes.into_iter().fold(builder, testkit::ClusterBuilder::node);
            let cluster = builder.start().await.unwrap();
            install(&cluster, false).await;
            let roles = repository_file("config/rbac/install_crds_role.yaml");
            cluster.apply_yaml(&roles).await.unwrap();
            let binding = json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
                "metadata": {"name": "llm-operator-install-crds"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "llm-operator-install-crds"},
                "subjects": [{"kind": "ServiceAccount", "name": "llm-operator", "namespace": "llm-system"}],
            });
            cluster.apply_yaml(&binding.to_string()).await.unwrap();
            let release = root().join("releases").join(releases().pop().unwrap());
            for part in ["crds", "crds-optional"] {
                let mut text = Vec::new();
                for entry in std::fs::read_dir(release.join(part)).unwrap() {
                    text.push(std::fs::read_to_string(entry.unwrap().path()).unwrap());
                }
                cluster.apply_yaml(&text.join("\n---\n")).await.unwrap();
            }
            cluster
        })
        .await
}

/// A fixture of which the Pods are those of another version: it has to be noticed.
fn another(fixture: &Fixture) -> Fixture {
    let mut objects = fixture.objects.clone();
    let deployment = objects
        .iter_mut()
        .find(|one| one["kind"] == "Deployment")
        .unwrap();
    deployment["spec"]["template"]["metadata"]["annotations"]["example.com/version"] = json!("another");
    Fixture {
        release: fixture.release.clone(),
        name: "another".to_owned(),
        manifest: fixture.manifest.clone(),
        objects,
    }
}

/// Every object of the newest release, and of the time before the first, goes on with the same Pods when the operator of
/// today has installed its definitions and applied its own form of each.
#[tokio::test]
async fn the_same_pods_go_on() {
    let cluster = cluster().await;
    let mut fixtures = fixtures(&releases().pop().unwrap());
    let chat_service = fixtures
        .iter()
        .find(|one| one.name == "llm-chat-service")
        .unwrap();
    let another = Applied::new(cluster, another(chat_service)).await;
    fixtures.push(first_family::fixture());
    let all = join_all(fixtures.into_iter().map(|one| Applied::new(cluster, one))).await;
    let before = join_all(all.iter().map(Applied::pods)).await;
    let before_another = another.pods().await;

    let access = operator_access(cluster).await;
    let install = [
        "--leader-elect",
        "false",
        "--install-crds",
        "--install-optional-crds",
    ];
    let args: Vec<&str> = install.into_iter().chain(EXTERNAL_METRICS).collect();
    let _operator = start_operator(&access, "upgraded", &args).await;
    join_all(all.iter().map(Applied::wait_applied)).await;
    for (one, before) in all.iter().zip(before) {
        let ours = |pods: Pods| -> Pods {
            let none_may = one.fixture.release != "before v0.1.0";
            let prefix = RESTARTS.rsplit(' ').next().unwrap();
            pods.into_iter()
                .filter(|(name, _)| none_may || !name.starts_with(prefix))
                .collect()
        };
        let now = pods(&one.space).await;
        for (name, pod) in ours(before) {
            assert_eq!(
                now.get(&name),
                Some(&pod),
                "{} {}: {name}",
                one.fixture.release,
                one.fixture.name
            );
        }
    }

    testkit::until(
        "another template is rolled out",
        crate::common::PATIENCE,
        async || {
            let now = pods(&another.space).await;
            if before_another.keys().any(|name| now.contains_key(name)) {
                Err(format!("{now:?}"))
            } else {
                Ok(())
            }
        },
    )
    .await
    .unwrap();
}
