//! The ConfigMap of a map: what is in it, and that it follows every edit.

use std::collections::BTreeMap;

use api::premlabs_io::v1alpha1::AIModelMap;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use testkit::{
    Cluster,
    plane::audit::{AuditLog, Counts, Filter, Mark},
};

use crate::{
    common::{PATIENCE, Space, bed, install, operator_access, start_operator},
    seen::{condition, map, wait_map, wait_state},
};

const LISTS: &str = "
  localai:
    - {variant: v1, uri: phi, engineConfigFile: 'name: one'}
    - {variant: v2, engineConfigFile: 'name: two'}
    - {variant: plain, uri: phi}
  vllm:
    - {variant: v1, engineConfigFile: 'vllm: 1'}
  deepspeed-mii:
    - {variant: v1, engineConfigFile: 'mii: 1'}
  tensor_rt:
    - {variant: v1, engineConfigFile: 'trt: 1'}
";

fn data(found: &ConfigMap) -> BTreeMap<&str, &str> {
    let data = found.data.iter().flatten();
    data.map(|(key, file)| (key.as_str(), file.as_str())).collect()
}

/// Keys, labels, annotation and owner as prem-operator's users know them; 1.7-4: DeepSpeed-MII's files stand under its
/// own name as well as under the one that they were written under by mistake, and those of `tensor_rt` are there.
/// Promises: S4-18
#[tokio::test]
async fn every_file_stands_under_its_engine_and_variant() {
    let space = bed().await.space("files").await;
    space.apply(&map("phi-2.gguf", LISTS)).await;
    let status = wait_state(&space, "phi-2.gguf", "Ready").await;
    assert_eq!(status.variants, Some(6));
    assert_eq!(status.observed_generation, Some(1));
    let found: ConfigMap = space.api().get("phi-2.gguf").await.unwrap();
    let expected = [
        ("deepspeed-mii-v1-engineConfigFile", "mii: 1"),
        ("generic-v1-engineConfigFile", "mii: 1"),
        ("localai-v1-engineConfigFile", "name: one"),
        ("localai-v2-engineConfigFile", "name: two"),
        ("tensor_rt-v1-engineConfigFile", "trt: 1"),
        ("vllm-v1-engineConfigFile", "vllm: 1"),
    ];
    assert_eq!(data(&found), expected.into());
    let owner = &found.metadata.owner_references.as_ref().unwrap()[0];
    let map: AIModelMap = space.api().get("phi-2.gguf").await.unwrap();
    assert_eq!(
        (owner.kind.as_str(), owner.controller),
        ("AIModelMap", Some(true))
    );
    assert_eq!(Some(&owner.uid), map.metadata.uid.as_ref());
    let key = "mlcontroller.premlabs.io/aimodelmap";
    assert_eq!(found.metadata.labels.unwrap()[key], "phi-2.gguf");
    assert_eq!(found.metadata.annotations.unwrap()[key], "phi-2.gguf");
}

/// 1.7-3: an edit of the map reaches its ConfigMap: a file changes, one comes, one goes, and with the last the ConfigMap.
/// Promises: S4-31
#[tokio::test]
async fn every_edit_reaches_the_config_map() {
    let space = bed().await.space("edits").await;
    let with = |lists: &str| map("phi", lists);
    space
        .apply(&with(
            "  localai:\n  - {variant: a, engineConfigFile: one}\n  - {variant: b, engineConfigFile: two}\n",
        ))
        .await;
    wait_state(&space, "phi", "Ready").await;
    space
        .apply(&with(
            "  localai:\n  - {variant: a, engineConfigFile: ONE}\n  vllm:\n  - {variant: c, engineConfigFile: three}\n",
        ))
        .await;
    let expected = BTreeMap::from([
        ("localai-a-engineConfigFile", "ONE"),
        ("vllm-c-engineConfigFile", "three"),
    ]);
    space
        .wait("is as edited", "phi", |found: &ConfigMap| data(found) == expected)
        .await;
    space
        .apply(&with("  localai:\n  - {variant: a, uri: phi}\n"))
        .await;
    space.wait_gone::<ConfigMap>("phi").await;
    let status = wait_state(&space, "phi", "Ready").await;
    assert_eq!(status.observed_generation, Some(3));
    space
        .apply(&with("  localai:\n  - {variant: a, engineConfigFile: again}\n"))
        .await;
    space
        .wait("is back", "phi", |found: &ConfigMap| {
            data(found) == BTreeMap::from([("localai-a-engineConfigFile", "again")])
        })
        .await;
}

/// What somebody does to the ConfigMap is undone; with the map it goes.
#[tokio::test]
async fn it_is_repaired_and_goes_with_its_map() {
    let space = bed().await.space("drift").await;
    space
        .apply(&map(
            "phi",
            "  localai:\n  - {variant: a, engineConfigFile: one}\n",
        ))
        .await;
    wait_state(&space, "phi", "Ready").await;
    let files: Api<ConfigMap> = space.api();
    let edit = serde_json::json!({"data": {"localai-a-engineConfigFile": "theirs"}});
    files
        .patch("phi", &PatchParams::default(), &Patch::Merge(edit))
        .await
        .unwrap();
    let expected = BTreeMap::from([("localai-a-engineConfigFile", "one")]);
    let repaired = space
        .wait("is repaired", "phi", |found: &ConfigMap| data(found) == expected)
        .await;
    space.delete::<ConfigMap>("phi").await;
    space
        .wait("is made anew", "phi", |found: &ConfigMap| {
            found.metadata.uid != repaired.metadata.uid && data(found) == expected
        })
        .await;
    space.delete::<AIModelMap>("phi").await;
    space.wait_gone::<ConfigMap>("phi").await;
}

/// Of two variants of one name the first counts, as with prem-operator; that there are two is told by field.
#[tokio::test]
async fn a_name_that_stands_twice_is_told() {
    let space = bed().await.space("twice").await;
    let twice = "  vllm:\n  - {variant: a, engineConfigFile: one}\n  - {variant: a, engineConfigFile: two}\n";
    space.apply(&map("phi", twice)).await;
    let status = wait_state(&space, "phi", "Ready").await;
    let accepted = condition(&status, "Accepted").unwrap();
    assert!(accepted.message.contains("spec.vllm[1].variant"), "{accepted:?}");
    let found: ConfigMap = space.api().get("phi").await.unwrap();
    assert_eq!(data(&found), BTreeMap::from([("vllm-a-engineConfigFile", "one")]));
}

/// A ConfigMap of somebody else is neither written nor taken over, and who has it is told; when it goes, the map's own
/// is made.
/// Promises: S4-31
#[tokio::test]
async fn somebody_elses_config_map_is_left_alone() {
    let space = bed().await.space("foreign").await;
    let theirs: ConfigMap =
        serde_json::from_value(serde_json::json!({"metadata": {"name": "phi"}, "data": {"a": "b"}})).unwrap();
    let files: Api<ConfigMap> = space.api();
    let theirs = files.create(&PostParams::default(), &theirs).await.unwrap();
    space
        .apply(&map(
            "phi",
            "  localai:\n  - {variant: a, engineConfigFile: one}\n",
        ))
        .await;
    let status = wait_state(&space, "phi", "Blocked").await;
    let applied = condition(&status, "Applied").unwrap();
    assert_eq!(applied.reason, "NameTaken");
    assert!(applied.message.contains("ConfigMap phi"), "{applied:?}");
    let left = files.get("phi").await.unwrap();
    assert_eq!(left.metadata.resource_version, theirs.metadata.resource_version);
    files
        .delete("phi", &kube::api::DeleteParams::default())
        .await
        .unwrap();
    wait_state(&space, "phi", "Ready").await;
    assert_eq!(
        data(&files.get("phi").await.unwrap()),
        BTreeMap::from([("localai-a-engineConfigFile", "one")])
    );
}

/// What the operator asked, once so many writes are logged: the log may be told of a write after those who watch.
async fn logged(audit: &AuditLog, mark: &Mark, writes: u64) -> Counts {
    testkit::until("the writes to be logged", PATIENCE, async || {
        let ours = Filter::user("llm-system:llm-operator");
        let counts = audit.count_since(mark, &ours).unwrap();
        if counts.writes() >= writes {
            Ok(counts)
        } else {
            Err(counts.to_string())
        }
    })
    .await
    .unwrap()
}

/// Two writes per map: its ConfigMap and its status; then none, also when the operator starts anew.
#[tokio::test]
async fn nothing_is_written_at_rest() {
    let cluster: &'static Cluster = Box::leak(Box::new(Cluster::builder().audit().start().await.unwrap()));
    install(cluster, true).await;
    let access = operator_access(cluster).await;
    let mut operator = start_operator(&access, "rest", &["--leader-elect", "false"]).await;
    let space = Space::of(cluster, "rest").await;
    let audit = cluster.audit_log();
    let mark = audit.mark();
    let maps = 5;
    for index in 0..maps {
        space.apply(&map(&format!("map-{index}"), LISTS)).await;
    }
    for index in 0..maps {
        wait_state(&space, &format!("map-{index}"), "Ready").await;
    }
    let counts = logged(&audit, &mark, 2 * maps).await;
    assert_eq!(counts.writes(), 2 * maps, "{counts:?}");

    assert_eq!(operator.process.terminate(PATIENCE).await.unwrap(), 0);
    let mark = audit.mark();
    let args = ["--leader-elect", "false", "--resync-period", "1s"];
    let _again = start_operator(&access, "again", &args).await;
    // A map that comes now is done after those that the start has woken.
    space.apply(&map("last", LISTS)).await;
    wait_map(&space, "last", "Ready", |status| {
        status.observed_generation == Some(1)
    })
    .await;
    let counts = logged(&audit, &mark, 2).await;
    assert_eq!(counts.writes(), 2, "{counts:?}");
}
