//! Where things lie, as the source document lays them out.

use crate::{
    call::call,
    common::{repository_file, root},
};

/// Types, controllers, `config/{crd,rbac,manager}` and the entry point are where the document's reader looks for them.
/// Promises: S2-17
#[test]
fn the_layout_is_the_documents() {
    for (path, words) in [
        (
            "crates/api/src/llm_example_com/v1alpha1/llm_model.rs",
            "struct LLMModelSpec",
        ),
        (
            "crates/api/src/llm_example_com/v1alpha1/llm_deployment.rs",
            "struct LLMDeploymentSpec",
        ),
        ("crates/controllers/src/llm_model/reconcile.rs", "fn"),
        (
            "crates/controllers/src/llm_deployment/kind.rs",
            "impl ServingKind for LLMDeployment",
        ),
        (
            "crates/controllers/src/serving_kind/reconcile.rs",
            "impl<K: ServingKind> Reconciler",
        ),
        ("config/crd/llm.example.com_llmmodels.yaml", "kind: LLMModel"),
        (
            "config/crd/llm.example.com_llmdeployments.yaml",
            "kind: LLMDeployment",
        ),
        ("config/rbac/cluster_role.yaml", "kind: ClusterRole"),
        (
            "config/rbac/cluster_role_binding.yaml",
            "kind: ClusterRoleBinding",
        ),
        ("config/rbac/service_account.yaml", "kind: ServiceAccount"),
        ("config/rbac/leader_election_role.yaml", "kind: Role"),
        ("config/manager/manager.yaml", "kind: Deployment"),
        ("crates/llm-operator/src/main.rs", "fn main"),
        ("examples/llm/model.yaml", "kind: LLMModel"),
        ("examples/llm/deployment.yaml", "kind: LLMDeployment"),
    ] {
        assert!(repository_file(path).contains(words), "{path} has {words}");
    }
}

/// The definitions in `config/crd` and `config/crd-optional` are those of this binary: `make manifests` was run.
#[test]
fn generated_files_are_up_to_date() {
    written_as_committed(&["crds"], "config/crd");
    written_as_committed(&["crds", "--optional"], "config/crd-optional");
    for (copy, original) in [
        (
            "manifest-controller/nvidia-gpu-llm-crd.yaml",
            "config/crd/infra.example.com_nvidiagpullms.yaml",
        ),
        (
            "examples/crd-operator/01-what-is-crd.yaml",
            "config/crd/ai.example.com_llmmodels.yaml",
        ),
    ] {
        assert!(
            repository_file(copy) == repository_file(original),
            "{copy} is stale: run `make manifests`"
        );
    }
    let conditions = call(&["conditions-doc"], "");
    assert!(
        conditions.out == repository_file("docs/conditions.md"),
        "docs/conditions.md is stale: run `make manifests`"
    );
}

/// What the command writes into a folder is what this folder of the repository holds.
fn written_as_committed(command: &[&str], committed: &str) {
    let name = format!("{}-{}", std::process::id(), committed.replace('/', "-"));
    let folder = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let args = [command, &["--output-dir", folder.to_str().unwrap()]].concat();
    let outcome = call(&args, "");
    assert_eq!((outcome.code, outcome.out.as_str()), (0, ""), "{}", outcome.err);
    let names = |folder: &std::path::Path| {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        // The one file there that is written by hand: what kustomize reads.
        names.retain(|name| name != "Kustomization");
        names.sort();
        names
    };
    let committed = root().join(committed);
    assert_eq!(names(&folder), names(&committed));
    for name in names(&folder) {
        let read = |folder: &std::path::Path| std::fs::read_to_string(folder.join(&name)).unwrap();
        assert!(
            read(&folder) == read(&committed),
            "{} is stale: run `make manifests`",
            name.display()
        );
    }
    std::fs::remove_dir_all(folder).unwrap();
}
