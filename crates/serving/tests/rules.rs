//! The rules between engine, storage, replicas and the rest, one by one.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of a test

mod common;

use api::shared::{AccessMode, Engine};
use common::{deployment, document_example, errors, existing_claim, gpu, new_claim, plan, request, workload};
use k8s_openapi::{
    api::core::v1::{EnvVar, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Probe},
    apimachinery::pkg::util::intstr::IntOrString,
};
use serving::{
    ServingPlan, build, labels,
    plan::{Budget, ContainerPlan, Strategy},
    request::{BudgetRequest, ServingRequest, StrategyRequest, WorkloadRequest},
};

fn env<'a>(container: &'a ContainerPlan, name: &str) -> Option<&'a str> {
    container
        .env
        .iter()
        .find(|variable| variable.name == name)?
        .value
        .as_deref()
}

fn with_source(engine: Engine, uri: &str) -> ServingRequest {
    let mut request = request(engine, "image:v1");
    request.model.source = Some(uri.parse().unwrap());
    request
}

#[test]
fn memory_is_request_and_limit_and_cpu_a_request_only() {
    let mut request = document_example();
    request.gpu = gpu(2, None, None);
    let engine = plan(request).pod.engine;
    let keys =
        |map: &std::collections::BTreeMap<String, serving::Quantity>| map.keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&engine.requests), ["cpu", "memory", "nvidia.com/gpu"]);
    assert_eq!(keys(&engine.limits), ["memory", "nvidia.com/gpu"]);
}

#[test]
fn the_service_keeps_its_port_and_the_container_takes_the_models() {
    let mut request = document_example();
    request.container.port = Some(9000);
    let children = build(&plan(request));
    let service = children.service.unwrap().spec.unwrap().ports.unwrap().remove(0);
    assert_eq!(
        (service.port, service.target_port),
        (8080, Some(IntOrString::String("http".into())))
    );
    let container = children
        .deployment
        .unwrap()
        .spec
        .unwrap()
        .template
        .spec
        .unwrap()
        .containers
        .remove(0);
    assert_eq!(container.ports.unwrap()[0].container_port, 9000);
    assert!(
        container
            .env
            .unwrap()
            .iter()
            .any(|v| v.name == "PORT" && v.value.as_deref() == Some("9000"))
    );
}

#[test]
fn a_claim_for_one_node_keeps_the_pods_together_and_updates_rolling() {
    let mut request = document_example();
    request.storage = new_claim("50Gi", AccessMode::ReadWriteOnce);
    let plan = plan(request);
    assert!(matches!(workload(&plan).strategy, Strategy::RollingUpdate { .. }));
    assert_eq!(plan.pod.labels.get(labels::CLAIM).unwrap(), "chat-service");
    let affinity = plan.pod.placement.affinity.unwrap().pod_affinity.unwrap();
    let term = &affinity
        .required_during_scheduling_ignored_during_execution
        .unwrap()[0];
    assert_eq!(term.topology_key, "kubernetes.io/hostname");
    assert!(
        !plan.selector.contains_key(labels::CLAIM),
        "the selector must not change with storage"
    );
}

#[test]
fn an_existing_claim_is_shared_as_its_access_mode_allows() {
    let mut request = document_example();
    request.storage = existing_claim("weights");
    assert!(plan(request.clone()).pod.placement.affinity.is_none());
    request.claims.insert("weights".into(), AccessMode::ReadWriteOnce);
    assert!(plan(request.clone()).pod.placement.affinity.is_some());
    let plan = plan(request);
    assert!(plan.claim.is_none(), "it exists already");
}

#[test]
fn a_claim_for_one_pod_has_one_replica_that_is_recreated() {
    let mut request = document_example();
    request.storage = new_claim("50Gi", AccessMode::ReadWriteOncePod);
    assert!(
        errors(request.clone())[0].starts_with("replicas: 2 replicas cannot share a ReadWriteOncePod claim")
    );
    request.workload = deployment(1, StrategyRequest::Automatic);
    assert_eq!(workload(&plan(request.clone())).strategy, Strategy::Recreate);
    request.workload = deployment(
        1,
        StrategyRequest::RollingUpdate {
            max_surge: None,
            max_unavailable: None,
        },
    );
    assert!(errors(request)[0].starts_with("strategy.type:"));
}

#[test]
fn nothing_is_loaded_onto_a_volume_that_cannot_be_written() {
    for (engine, uri) in [
        (Engine::Generic, "s3://bucket/x"),
        (Engine::Generic, "https://h/f"),
        (Engine::Vllm, "s3://bucket/x"),
        (Engine::Ollama, "ollama://x"),
    ] {
        let mut request = with_source(engine, uri);
        request.storage = new_claim("50Gi", AccessMode::ReadOnlyMany);
        assert!(errors(request)[0].starts_with("storage.accessMode:"), "{uri}");
    }
}

#[test]
fn no_pod_goes_before_its_successor_is_ready() {
    let plan = plan(document_example());
    let strategy = Strategy::RollingUpdate {
        max_surge: IntOrString::Int(1),
        max_unavailable: IntOrString::Int(0),
    };
    assert_eq!(workload(&plan).strategy, strategy);
    let mut request = document_example();
    let zero = Some(IntOrString::String("0%".into()));
    request.workload = deployment(
        1,
        StrategyRequest::RollingUpdate {
            max_surge: zero.clone(),
            max_unavailable: zero,
        },
    );
    assert!(errors(request)[0].starts_with("strategy: maxSurge and maxUnavailable are both 0"));
}

#[test]
fn budgets_begin_with_two_replicas_unless_told() {
    let table = [
        (1, BudgetRequest::Automatic, None),
        (
            2,
            BudgetRequest::Automatic,
            Some(Budget::MaxUnavailable(IntOrString::Int(1))),
        ),
        (5, BudgetRequest::Disabled, None),
        (
            1,
            BudgetRequest::MinAvailable(IntOrString::Int(1)),
            Some(Budget::MinAvailable(IntOrString::Int(1))),
        ),
    ];
    for (replicas, budget, expected) in table {
        let mut request = document_example();
        request.workload = deployment(replicas, StrategyRequest::Automatic);
        request.budget = budget;
        assert_eq!(plan(request).budget, expected);
    }
}

#[test]
fn the_startup_budget_follows_the_model_and_the_rollout_is_longer() {
    let seconds = |request: ServingRequest| {
        let plan = plan(request);
        let probe = plan.pod.engine.probes.startup.clone().unwrap();
        let budget = probe.period_seconds.unwrap() * probe.failure_threshold.unwrap();
        assert!(workload(&plan).progress_deadline_seconds > budget);
        budget
    };
    assert_eq!(seconds(document_example()), 600);
    let small = seconds(with_source(Engine::Vllm, "hf://meta-llama/Llama-3.1-8B"));
    let large = seconds(with_source(Engine::Vllm, "hf://meta-llama/Llama-3.1-405B"));
    assert_eq!((small, large), (960, 16_140));
    let mut unknown = with_source(Engine::Vllm, "hf://some/thing");
    unknown.storage = new_claim("45Gi", AccessMode::ReadWriteMany);
    assert_eq!(seconds(unknown), 1560);
}

#[test]
fn vllm_gets_its_model_from_every_source() {
    let table = [
        ("hf://a/b@v1", "a/b", Some("--revision")),
        ("pvc://weights/llama", "/models/llama", None),
        ("oci://ghcr.io/a/b:v1", "/models", None),
        ("s3://bucket/llama", "s3://bucket/llama", Some("runai_streamer")),
        ("https://h.example/x/m.gguf", "/models/h.example/x/m.gguf", None),
    ];
    for (uri, argument, flag) in table {
        let engine = plan(with_source(Engine::Vllm, uri)).pod.engine;
        assert_eq!(engine.command, ["vllm", "serve"], "{uri}");
        assert_eq!(engine.args[0], argument, "{uri}");
        assert!(
            flag.is_none_or(|flag| engine.args.iter().any(|arg| arg == flag)),
            "{uri}"
        );
    }
    let mut stored = with_source(Engine::Vllm, "s3://bucket/llama");
    stored.storage = new_claim("50Gi", AccessMode::ReadWriteMany);
    let stored = plan(stored).pod;
    assert_eq!(
        (stored.engine.args[0].as_str(), stored.init.len()),
        ("/models/bucket/llama", 1)
    );
}

#[test]
fn vllm_without_a_source_takes_a_repository_name_or_says_what_is_missing() {
    let mut nameless = request(Engine::Vllm, "vllm/vllm-openai:v0.33.0");
    assert!(errors(nameless.clone())[0].starts_with("source: engine vllm needs to know what to load"));
    nameless.model.name = "org/name".into();
    assert_eq!(plan(nameless).pod.engine.args[0], "org/name");
}

#[test]
fn several_gpus_share_memory_and_split_the_model() {
    let mut request = with_source(Engine::Vllm, "hf://a/b");
    request.gpu = gpu(4, None, None);
    let pod = plan(request).pod;
    let at = pod
        .engine
        .args
        .iter()
        .position(|arg| arg == "--tensor-parallel-size")
        .unwrap();
    assert_eq!(pod.engine.args[at + 1], "4");
    assert!(
        pod.engine
            .mounts
            .iter()
            .any(|mount| mount.mount_path == "/dev/shm")
    );
    let single = plan(with_source(Engine::Vllm, "hf://a/b")).pod;
    assert!(
        !single
            .engine
            .args
            .iter()
            .any(|arg| arg == "--tensor-parallel-size")
    );
}

#[test]
fn a_persons_command_stands_alone_and_arguments_follow_the_engines() {
    let mut request = with_source(Engine::Vllm, "hf://a/b");
    request.container.args = vec!["--seed".into(), "1".into()];
    assert!(
        plan(request.clone())
            .pod
            .engine
            .args
            .ends_with(&["--seed".into(), "1".into()])
    );
    request.container.command = vec!["my-server".into()];
    let engine = plan(request.clone()).pod.engine;
    assert_eq!(
        (engine.command, engine.args),
        (vec!["my-server".into()], vec!["--seed".into(), "1".into()])
    );
    request.container.command.clear();
    request.container.args = vec!["--port=1".into()];
    assert!(errors(request)[0].starts_with("args: --port is set by the operator"));
}

#[test]
fn read_only_weights_leave_home_writable() {
    for engine in [Engine::Vllm, Engine::Ollama] {
        let pod = plan(with_source(engine, "pvc://weights/llama")).pod;
        assert_eq!(env(&pod.engine, "HOME"), Some("/home/engine"));
        assert!(
            pod.engine
                .mounts
                .iter()
                .any(|mount| mount.mount_path == "/home/engine")
        );
        assert_eq!(pod.engine.mounts[0].read_only, Some(true));
    }
}

#[test]
fn generic_images_are_told_where_their_model_is() {
    let table = [
        ("hf://a/b", "MODEL_ID", "a/b"),
        ("pvc://weights/x", "MODEL_PATH", "/models/x"),
        ("oci://a/b", "MODEL_PATH", "/models"),
        ("s3://bucket/x", "MODEL_PATH", "/models/bucket/x"),
        ("http://h/x", "MODEL_PATH", "/models/h/x"),
    ];
    for (uri, name, value) in table {
        assert_eq!(
            env(&plan(with_source(Engine::Generic, uri)).pod.engine, name),
            Some(value),
            "{uri}"
        );
    }
    assert!(errors(with_source(Engine::Generic, "ollama://x"))[0].starts_with("source.uri:"));
}

#[test]
fn a_persons_variables_win_but_for_the_port() {
    let mut request = with_source(Engine::Vllm, "hf://a/b");
    let variable = |name: &str| EnvVar {
        name: name.into(),
        value: Some("mine".into()),
        value_from: None,
    };
    request.container.env = vec![variable("HF_HOME"), variable("EXTRA")];
    let engine = plan(request.clone()).pod.engine;
    assert_eq!(
        (env(&engine, "HF_HOME"), env(&engine, "EXTRA")),
        (Some("mine"), Some("mine"))
    );
    assert_eq!(engine.env.iter().filter(|v| v.name == "HF_HOME").count(), 1);
    request.container.env = vec![variable("PORT"), variable("A"), variable("A"), variable("x=y")];
    let errors = errors(request);
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert!(errors[0].starts_with("env[0].name: PORT is set by the operator"));
}

#[test]
fn gpu_rules_hold_in_every_alternative_of_a_persons_affinity() {
    let mut request = document_example();
    request.gpu = gpu(1, Some("H100"), None);
    let zone = |value: &str| NodeSelectorTerm {
        match_expressions: Some(vec![NodeSelectorRequirement {
            key: "zone".into(),
            operator: "In".into(),
            values: Some(vec![value.into()]),
        }]),
        match_fields: None,
    };
    let required = NodeSelector {
        node_selector_terms: vec![zone("a"), zone("b")],
    };
    request.pod.affinity.get_or_insert_default().node_affinity = Some(NodeAffinity {
        required_during_scheduling_ignored_during_execution: Some(required),
        ..NodeAffinity::default()
    });
    let affinity = plan(request)
        .pod
        .placement
        .affinity
        .unwrap()
        .node_affinity
        .unwrap();
    for term in affinity
        .required_during_scheduling_ignored_during_execution
        .unwrap()
        .node_selector_terms
    {
        assert_eq!(term.match_expressions.unwrap().len(), 2);
    }
}

#[test]
fn every_problem_is_found_at_once() {
    let mut request = document_example();
    request.container.image = "a b".into();
    request.container.memory = Some("0".parse().unwrap());
    request.container.readiness_probe = Some(Probe::default());
    request.pod.labels.insert(labels::NAME.into(), "x".into());
    request.storage = new_claim("0", AccessMode::ReadWriteOnce);
    request.storage.as_mut().unwrap().mount_path = Some("/dev/shm/".into());
    let errors = ServingPlan::new(request).unwrap_err();
    let roots: Vec<_> = errors.iter().map(|error| error.root().to_owned()).collect();
    assert_eq!(
        roots,
        ["image", "resources", "storage", "storage", "probes", "podLabels"]
    );
}

#[test]
fn replicas_can_be_left_to_something_else() {
    let mut request = document_example();
    request.workload = WorkloadRequest::Deployment {
        replicas: None,
        strategy: StrategyRequest::Automatic,
    };
    assert_eq!(
        build(&plan(request)).deployment.unwrap().spec.unwrap().replicas,
        None
    );
}

#[test]
fn the_same_request_gives_the_same_bytes() {
    let bytes = || serde_json::to_string(&build(&plan(document_example())).deployment).unwrap();
    assert_eq!(bytes(), bytes());
}
