//! The definition itself: how it is installed, and its names.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use testkit::Cluster;

use crate::{
    common::{PATIENCE, root},
    desk::{client, desk, kubectl, try_kubectl},
};

const NAME: &str = "nvidiagpullms.infra.example.com";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

async fn definition() -> CustomResourceDefinition {
    let definitions: Api<CustomResourceDefinition> = Api::all(client().await);
    definitions.get(NAME).await.unwrap()
}

/// Group, version, kind, plural, singular, scope, status below `/status`.
/// Promises: S0-1, S0-40
#[tokio::test]
async fn names_are_the_documents() {
    let spec = definition().await.spec;
    assert_eq!(
        (spec.group.as_str(), spec.scope.as_str()),
        ("infra.example.com", "Namespaced")
    );
    let names = &spec.names;
    assert_eq!(
        (names.kind.as_str(), names.plural.as_str()),
        ("NvidiaGpuLlm", "nvidiagpullms")
    );
    assert_eq!(names.singular.as_deref(), Some("nvidiagpullm"));
    let [version] = spec.versions.as_slice() else {
        panic!("one version: {:?}", spec.versions)
    };
    assert!(version.name == "v1" && version.served && version.storage);
    assert!(version.subresources.as_ref().unwrap().status.is_some());
    let listed = kubectl(&["api-resources", "--api-group=infra.example.com", "--no-headers"]).await;
    let rows: Vec<Vec<&str>> = listed
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        rows,
        [vec![
            "nvidiagpullms",
            "gpullm,llm",
            "infra.example.com/v1",
            "true",
            "NvidiaGpuLlm"
        ]]
    );
}

/// Its names lead to it; `llm` is also ai.example.com's, whose name comes first, and kubectl says so.
/// Promises: S0-2
#[tokio::test]
async fn short_names() {
    desk().await;
    for name in ["nvidiagpullms", "nvidiagpullm", "gpullm", NAME] {
        let said = kubectl(&["get", name, "-n", "kube-system"]).await;
        assert!(said.contains("No resources found"), "{name}: {said}");
        // A name that leads elsewhere would not be read back under this one.
        let (worked, said) = try_kubectl(&["get", name, "missing"]).await;
        assert!(
            !worked && said.contains(&format!("{NAME} \"missing\" not found")),
            "{name}: {said}"
        );
    }
    let all = kubectl(&["api-resources", "--no-headers"]).await;
    for (short, kinds) in [("gpullm", 1), ("llm", 2)] {
        let holders = all.lines().filter(|line| {
            let mut words = line.split_whitespace();
            words.any(|word| word.split(',').any(|name| name == short))
        });
        assert_eq!(holders.count(), kinds, "{short}: {all}");
    }
}

/// Client-side apply has room for its annotation, and the API server finds nothing wrong with the schema.
#[tokio::test]
async fn it_fits_client_side_apply() {
    let installed = &desk().await.installed;
    assert!(installed.contains(&format!("{NAME} created")), "{installed}");
    let definition = definition().await;
    let bytes = definition.metadata.annotations.unwrap()[LAST_APPLIED].len();
    assert!(bytes < 200 * 1024, "{bytes} of 262144 bytes");
    for condition in definition.status.unwrap().conditions.unwrap() {
        assert!(
            condition.type_ != "NonStructuralSchema" && condition.status == "True",
            "{condition:?}"
        );
    }
}

/// The document's own command, on a cluster that has nothing of ours; then the example is taken. `make install` finds
/// nothing to change after it.
/// Promises: S0-3
#[tokio::test]
async fn the_documents_file_registers_it() {
    let cluster = Cluster::builder().start().await.unwrap();
    let call = async |args: &[&str]| {
        let output = cluster.kubectl(args).await.unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.success(), said)
    };
    let folder = root().join("manifest-controller");
    let file = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let crd = file("nvidia-gpu-llm-crd.yaml");
    let (worked, said) = call(&["apply", "-f", &crd]).await;
    assert!(worked && said.contains(&format!("{NAME} created")), "{said}");
    let example = file("nvidia-gpu-llm-cr.yaml");
    testkit::until("the example is taken", PATIENCE, async || {
        let (worked, said) = call(&["apply", "-f", &example]).await;
        if worked { Ok(()) } else { Err(said) }
    })
    .await
    .unwrap();
    let (worked, said) = call(&["get", "nvidiagpullms"]).await;
    assert!(worked && said.contains("tinyllama-demo"), "{said}");
    let generated = root().join(format!("config/crd/infra.example.com_{}.yaml", "nvidiagpullms"));
    let (worked, said) = call(&["apply", "-f", generated.to_str().unwrap()]).await;
    assert!(worked && said.contains("unchanged"), "{said}");
}
