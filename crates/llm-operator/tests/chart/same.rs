//! Chart and kustomize are two ways to the same objects.

use std::process::Command;

use crate::{
    bed::cluster,
    common::{repository_file, root},
    objects::{objects, plain},
    rendered::{rendered, template},
};

/// Folders of `config/` that kustomize reads, with what it makes of them.
async fn kustomized(folder: &str) -> String {
    let output = Command::new(cluster().await.kubectl_path())
        .args(["kustomize", folder])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// With its default values the chart makes what `make deploy` does, but for the namespace, which Helm leaves to people, and the
/// definitions, which it has in `crds/`.
/// Promises: S2-14, S2-16
#[tokio::test]
async fn the_chart_makes_what_kustomize_makes() {
    let mut by_kustomize = plain(objects(&kustomized("config/default").await));
    let definitions = objects(&kustomized("config/crd").await);
    for (id, definition) in &definitions {
        assert_eq!(by_kustomize.remove(id).as_ref(), Some(definition));
    }
    let namespace = ("Namespace".to_owned(), String::new(), "llm-system".to_owned());
    assert!(by_kustomize.remove(&namespace).is_some());
    let by_helm = plain(rendered("llm-system", "{}"));
    assert_eq!(
        by_helm.keys().collect::<Vec<_>>(),
        by_kustomize.keys().collect::<Vec<_>>()
    );
    for (id, object) in &by_helm {
        assert_eq!(object, &by_kustomize[id], "{id:?}");
    }
}

/// `make undeploy` lets go as the chart does: by the same Job, with the same rights.
#[test]
fn the_job_of_the_removal_is_the_chart_s() {
    let files = ["config/uninstall/rights.yaml", "config/uninstall/job.yaml"].map(repository_file);
    let by_make = objects(&files.join("\n---\n"));
    let mut by_helm = rendered("llm-system", "{}");
    by_helm.retain(|_, object| !object["metadata"]["annotations"]["helm.sh/hook"].is_null());
    for object in by_helm.values_mut() {
        object["metadata"].as_object_mut().unwrap().remove("annotations");
    }
    let by_helm = plain(by_helm);
    assert_eq!(by_make.len(), 6, "{:?}", by_make.keys());
    assert_eq!(
        by_helm.keys().collect::<Vec<_>>(),
        by_make.keys().collect::<Vec<_>>()
    );
    for (id, object) in &by_helm {
        assert_eq!(object, &by_make[id], "{id:?}");
    }
}

/// What kustomize reads is all that lies there: a new file is not forgotten.
#[tokio::test]
async fn every_file_is_listed() {
    for (folder, left_out) in [
        ("config/crd", &[][..]),
        // Made for a namespace by whoever wants an operator of namespaces.
        ("config/rbac", &["namespaced_role.yaml"][..]),
        ("config/manager", &[][..]),
        // One belongs to others on many clusters, the other installs charts.
        (
            "config/samples",
            &[
                "components_v1alpha1_llmd.yaml",
                "datasciencecluster_v2_llmd_example.yaml",
                "nvidia_v1_dynamographdeployment.yaml",
            ][..],
        ),
    ] {
        let list = repository_file(&format!("{folder}/Kustomization"));
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let listed = list.contains(&format!("  - {name}\n"));
            let wanted = name.strip_suffix(".yaml").is_some() && !left_out.contains(&name.as_str());
            assert_eq!(listed, wanted, "{folder}/{name}");
        }
    }
}

/// Every sample is taken by the API server as it is.
#[tokio::test]
async fn samples_are_taken() {
    let cluster = cluster().await;
    let samples = kustomized("config/samples").await;
    let kinds = objects(&samples);
    assert!(kinds.len() >= 8, "{:?}", kinds.keys());
    let _turn = crate::bed::TURN.lock().await;
    for crd in api::crds() {
        cluster
            .apply_yaml(&serde_json::to_string(&crd).unwrap())
            .await
            .unwrap();
    }
    let folder = root().join("config/samples");
    let args = [
        "apply",
        "--dry-run=server",
        "--validate=strict",
        "-k",
        folder.to_str().unwrap(),
    ];
    let output = cluster.kubectl(&args).await.unwrap();
    let said = crate::rendered::text(&output);
    assert!(output.status.success() && !said.contains("Warning"), "{said}");
}

/// What the chart makes with values of all sorts is taken by the API server, no field unknown. (The kind of a `ServiceMonitor` is the
/// Prometheus operator's.)
#[tokio::test]
async fn objects_are_taken() {
    let cluster = cluster().await;
    let _turn = crate::bed::TURN.lock().await;
    for values in [
        "{}",
        "{installCrds: true, optionalCrds: true, externalMetrics: {enabled: false}, podDisruptionBudget: {enabled: false}}",
        "{networkPolicy: {enabled: true}, priorityClassName: system-cluster-critical, podLabels: {team: ml}, families: [llm, prem]}",
        "{watchNamespaces: [default], serviceAccount: {name: mine, annotations: {a: b}}, podAnnotations: {a: b}}",
        "{networkPolicy: {enabled: true, ingressFrom: [{namespaceSelector: {}}], egress: [{ports: [{port: 443}]}]}, \
          tolerations: [{operator: Exists}], nodeSelector: {a: b}, extraArgs: [--workers=4], imagePullSecrets: [{name: a}]}",
    ] {
        let file = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("chart-objects-{}.yaml", std::process::id()));
        std::fs::write(&file, template("default", values).unwrap()).unwrap();
        let file = file.to_str().unwrap();
        let args = ["apply", "--dry-run=server", "--validate=strict", "-f", file];
        let output = cluster.kubectl(&args).await.unwrap();
        let said = crate::rendered::text(&output);
        std::fs::remove_file(file).unwrap();
        assert!(output.status.success(), "{values}: {said}");
        assert!(!said.contains("Warning"), "{values}: {said}");
    }
}
