//! The operator, Helm or the API server is killed in the middle of something.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;
use testkit::until;

use crate::{
    bed::{Bed, PATIENCE, condition},
    faults::{
        RELEASE, hangs, helm, in_sync, kill, none_left, nothing_left, operator, plain, processes, revision,
        revisions, values,
    },
};

/// Wherever Helm hangs when the operator is killed, it goes within seconds, and the next operator ends in sync without a hand.
/// Promises: S1-30
#[tokio::test]
async fn the_operator_is_killed_while_helm_installs_upgrades_rolls_back_or_uninstalls() {
    let mut bed = Bed::with(&[]).await;
    let hang = |hook: &str| json!({"faults": {"hang": hook}});
    bed.apply(&plain(&bed, &hang("pre-install"), &json!({}))).await;
    hangs(&bed, "install", "pre-install").await;
    kill(&mut bed).await;
    values(&bed, &hang("post-install")).await;
    bed.start("second").await;
    hangs(&bed, "install", "post-install").await;
    kill(&mut bed).await;
    values(&bed, &hang("")).await;
    bed.start("third").await;
    in_sync(&bed, "hello").await;
    let jobs = bed.kubectl(&["get", "jobs", "-n", "llm-d", "-o", "name"]).await;
    assert_eq!(jobs, "", "hooks of what failed are gone");

    values(
        &bed,
        &json!({"message": "two", "faults": {"hang": "post-upgrade"}}),
    )
    .await;
    hangs(&bed, "upgrade", "post-upgrade").await;
    kill(&mut bed).await;
    values(&bed, &hang("pre-rollback")).await;
    bed.start("fourth").await;
    in_sync(&bed, "two").await;

    // The old revision has a hook that hangs when it is gone back to.
    values(
        &bed,
        &json!({"message": "three", "faults": {"refused": "on-upgrade"}}),
    )
    .await;
    hangs(&bed, "rollback", "pre-rollback").await;
    kill(&mut bed).await;
    values(&bed, &json!({"faults": {"hang": "", "refused": "never"}})).await;
    bed.start("fifth").await;
    in_sync(&bed, "three").await;

    // Something of it does not go while somebody holds it.
    let settings: Api<ConfigMap> = Api::namespaced(bed.client.clone(), "llm-d");
    let name = format!("{RELEASE}-settings");
    let hold = |finalizers: &[&str]| Patch::Merge(json!({"metadata": {"finalizers": finalizers}}));
    let params = PatchParams::default();
    settings
        .patch(&name, &params, &hold(&["example.com/held"]))
        .await
        .unwrap();
    bed.patch(json!({"spec": {"infra": {"enabled": false}}})).await;
    until("Helm to wait for what is held", PATIENCE, async || {
        let found = settings.get(&name).await.unwrap();
        let going = found.metadata.deletion_timestamp.is_some();
        going.then(|| helm(operator(&bed), "uninstall")).flatten()
    })
    .await
    .unwrap();
    kill(&mut bed).await;
    bed.start("sixth").await;
    settings.patch(&name, &params, &hold(&[])).await.unwrap();
    nothing_left(&bed).await;
    bed.wait("nothing is enabled", |llmd| {
        condition(llmd, "ProvisioningSucceeded").1 == "NothingEnabled"
    })
    .await;
    bed.patch(json!({"spec": {"infra": {"enabled": true}}})).await;
    in_sync(&bed, "three").await;
}

/// Helm is killed in a way that it cannot notice: alone, and together with the operator, which leaves a lock that nobody holds.
/// Promises: S1-30
#[tokio::test]
async fn helm_is_killed_and_what_it_locked_is_unlocked() {
    let mut bed = Bed::with(&[]).await;
    // At the first sight of the record; where it is by then is chance.
    bed.apply(&plain(&bed, &json!({}), &json!({}))).await;
    revision(&bed, "the installation has begun", |_, _| true).await;
    if let Some(helm) = helm(operator(&bed), "install") {
        helm.signal("KILL");
    }
    in_sync(&bed, "hello").await;

    values(
        &bed,
        &json!({"message": "two", "faults": {"hang": "pre-upgrade"}}),
    )
    .await;
    hangs(&bed, "upgrade", "pre-upgrade").await.signal("KILL");
    bed.wait("that it was killed is told", |llmd| {
        condition(llmd, "ProvisioningSucceeded").1 == "StepFailed"
    })
    .await;
    values(&bed, &json!({"faults": {"hang": ""}})).await;
    in_sync(&bed, "two").await;

    values(
        &bed,
        &json!({"message": "three", "faults": {"hang": "pre-upgrade"}}),
    )
    .await;
    let helm = hangs(&bed, "upgrade", "pre-upgrade").await;
    helm.signal("STOP");
    let pid = operator(&bed);
    bed.operator.as_mut().unwrap().process.kill9();
    helm.signal("KILL");
    none_left(pid).await;
    let all = revisions(&bed).await;
    assert_eq!(all.last().unwrap().1, "pending-upgrade", "{all:?}");
    values(&bed, &json!({"faults": {"hang": ""}})).await;
    bed.start("second").await;
    in_sync(&bed, "three").await;
    assert!(processes(pid).is_empty());
}

/// The API server dies while Helm installs, upgrades and uninstalls, and is back a little later.
/// Promises: S1-30
#[tokio::test]
async fn the_api_server_is_killed_while_helm_works() {
    const OUTAGE: Duration = Duration::from_secs(4);
    let bed = Bed::with(&[]).await;
    let outage = async || {
        bed.cluster.stop_apiserver();
        tokio::time::sleep(OUTAGE).await;
        bed.cluster.start_apiserver().await.unwrap();
    };
    bed.apply(&plain(&bed, &json!({}), &json!({}))).await;
    revision(&bed, "the installation has begun", |_, _| true).await;
    outage().await;
    in_sync(&bed, "hello").await;

    values(
        &bed,
        &json!({"message": "two", "faults": {"hang": "post-upgrade"}}),
    )
    .await;
    hangs(&bed, "upgrade", "post-upgrade").await;
    outage().await;
    values(&bed, &json!({"faults": {"hang": ""}})).await;
    in_sync(&bed, "two").await;

    let before = revisions(&bed).await.last().unwrap().0;
    values(&bed, &json!({"message": "three"})).await;
    revision(&bed, "the upgrade has begun", |number, _| number > before).await;
    outage().await;
    in_sync(&bed, "three").await;

    bed.patch(json!({"spec": {"infra": {"enabled": false}}})).await;
    until("the uninstallation has begun", PATIENCE, async || {
        let all = revisions(&bed).await;
        all.last()
            .is_none_or(|(_, status)| status == "uninstalling")
            .then_some(())
    })
    .await
    .unwrap();
    outage().await;
    nothing_left(&bed).await;
}
