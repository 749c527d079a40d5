//! `llm-operator render`: reads files, calls the pure middle, prints YAML.

use std::{fs, io::Read as _, path::Path, sync::Arc};

use api::{
    infra_example_com::v1::{Action, NvidiaGpuLlm},
    llm_example_com::v1alpha1::{LLMDeployment, LLMModel},
    opendatahub_io::{components::v1alpha1::Llmd, datasciencecluster::v2::DataScienceCluster},
    premlabs_io::v1alpha1::{AIDeployment, AIModelMap},
};
use controllers::{
    kinds::MODELS_CONFIG_MAP as MODELS,
    render::{Input, render},
};
use diagnosis::facts::{ClaimFacts, NodeFacts};
use k8s_openapi::{
    api::core::v1::{ConfigMap, Node, PersistentVolumeClaim, Secret},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::ResourceExt;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serving::catalogue::Catalogue;

use crate::{cli::RenderArgs, render_charts};

/// Renders the files; what is wrong goes to standard error, and the exit code tells.
pub fn main(args: &RenderArgs) -> Result<(), String> {
    let mut input = Input {
        operator_namespace: "llm-system".to_owned(),
        ..Input::default()
    };
    let mut charts = render_charts::Input::default();
    for file in args.files.iter().chain(&args.nodes) {
        for document in documents(file)? {
            take(&mut input, &mut charts, document, &args.namespace)
                .map_err(|error| format!("{}: {error}", file.display()))?;
        }
    }
    let outcomes = render(&input);
    let of_charts = charts.is_asked().then(|| charts.render(args));
    if outcomes.is_empty() && of_charts.is_none() {
        return Err(
            "nothing to render: the files hold no LLMDeployment of llm.example.com/v1alpha1, no LLMModel or ModelDeployment of \
             ai.example.com/v1, no AIDeployment or AIModelMap of premlabs.io/v1alpha1, no NvidiaGpuLlm of infra.example.com/v1 \
             with action install, no DynamoGraphDeployment of nvidia.com/v1, no Llmd of components.platform.opendatahub.io/v1alpha1, \
             and no DataScienceCluster of datasciencecluster.opendatahub.io/v2"
                .to_owned(),
        );
    }
    let (mut failures, all) = (0_usize, outcomes.len() + usize::from(of_charts.is_some()));
    for rendered in outcomes {
        match rendered {
            Ok(rendered) => {
                for note in &rendered.notes {
                    eprintln!("note: {}: {note}", rendered.resource);
                }
                rendered.objects.iter().try_for_each(print)?;
            }
            Err(error) => {
                failures += 1;
                eprintln!("error: {error}");
            }
        }
    }
    match of_charts {
        None => {}
        Some(Ok(objects)) => objects.iter().try_for_each(print)?,
        Some(Err(errors)) => {
            failures += 1;
            for error in errors {
                eprintln!("error: {error}");
            }
        }
    }
    if failures == 0 {
        Ok(())
    } else {
        Err(format!("{failures} of {all} resources cannot be rendered"))
    }
}

fn print(object: &Value) -> Result<(), String> {
    let yaml = serde_saphyr::to_string(object).map_err(|error| error.to_string())?;
    crate::print(&format!("---\n{}\n", yaml.trim_end()))
}

fn documents(file: &Path) -> Result<Vec<Value>, String> {
    let text = if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(file)
    };
    let text = text.map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text)
        .map_err(|error| format!("{} is no YAML: {error}", file.display()))?;
    Ok(documents.into_iter().flat_map(items).collect())
}

/// `kubectl get -o yaml` prints several objects as one `List`.
fn items(document: Value) -> Vec<Value> {
    match document {
        Value::Null => Vec::new(),
        Value::Object(mut list)
            if list
                .get("kind")
                .and_then(Value::as_str)
                .is_some_and(|kind| kind.ends_with("List")) =>
        {
            match list.remove("items") {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            }
        }
        other => vec![other],
    }
}

fn take(
    input: &mut Input,
    charts: &mut render_charts::Input,
    document: Value,
    default_namespace: &str,
) -> Result<(), String> {
    let text = |field: &str| {
        document
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    match (text("apiVersion").as_str(), text("kind").as_str()) {
        ("llm.example.com/v1alpha1", "LLMModel") => {
            let model: LLMModel = namespaced(document, default_namespace)?;
            input.models.insert(key(&model), Arc::new(model));
        }
        ("llm.example.com/v1alpha1", "LLMDeployment") => {
            input
                .deployments
                .push(namespaced::<LLMDeployment>(document, default_namespace)?);
        }
        ("premlabs.io/v1alpha1", "AIDeployment") => {
            input
                .ai_deployments
                .push(namespaced::<AIDeployment>(document, default_namespace)?);
        }
        ("premlabs.io/v1alpha1", "AIModelMap") => {
            let map: AIModelMap = namespaced(document, default_namespace)?;
            input.model_maps.insert(key(&map), Arc::new(map));
        }
        ("infra.example.com/v1", "NvidiaGpuLlm") => {
            let resource: NvidiaGpuLlm = namespaced(document, default_namespace)?;
            // The other actions make nothing.
            if resource.spec.action == Action::Install {
                input.gpu_llms.push(resource);
            }
        }
        ("ai.example.com/v1", "LLMModel") => {
            input.ai_models.push(namespaced(document, default_namespace)?);
        }
        ("ai.example.com/v1", "ModelDeployment") => {
            input
                .model_deployments
                .push(namespaced(document, default_namespace)?);
        }
        ("nvidia.com/v1", "DynamoGraphDeployment") => {
            input
                .dynamo_deployments
                .push(namespaced(document, default_namespace)?);
        }
        ("components.platform.opendatahub.io/v1alpha1", "Llmd") => charts.llmd(parse::<Llmd>(document)?)?,
        ("datasciencecluster.opendatahub.io/v2", "DataScienceCluster") => {
            charts.cluster(parse::<DataScienceCluster>(document)?)?;
        }
        ("v1", "ConfigMap") => {
            let map: ConfigMap = namespaced(document, default_namespace)?;
            charts.config_map(&map);
            models(input, map);
        }
        // Only what an Llmd refers to matters of these.
        ("v1", "Secret") => match namespaced::<Secret>(document, default_namespace) {
            Ok(secret) => charts.secret(secret),
            Err(error) => eprintln!("note: left out: {error}"),
        },
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition") => {
            match parse::<CustomResourceDefinition>(document) {
                Ok(definition) => charts.definition(&definition),
                Err(error) => eprintln!("note: left out: {error}"),
            }
        }
        ("v1", "PersistentVolumeClaim") => {
            let claim: PersistentVolumeClaim = namespaced(document, default_namespace)?;
            let facts = ClaimFacts::from(&claim);
            input.claims.insert(key(&claim), Arc::new(facts));
        }
        ("v1", "Node") => input.nodes.push(NodeFacts::from(&parse::<Node>(document)?)),
        // Files of a whole application hold other kinds too; they are none of ours.
        _ => {}
    }
    Ok(())
}

/// The cluster's own models, if the ConfigMap is theirs.
fn models(input: &mut Input, map: ConfigMap) {
    if map.metadata.name.as_deref() != Some(MODELS) {
        return;
    }
    let (catalogue, errors) = Catalogue::builtin().overridden_by(&map.data.unwrap_or_default());
    for error in errors {
        eprintln!("note: ConfigMap {MODELS}: {error}");
    }
    input.catalogue = Some(Arc::new(catalogue));
}

fn namespaced<K>(document: Value, default_namespace: &str) -> Result<K, String>
where
    K: DeserializeOwned + ResourceExt,
{
    let mut object: K = parse(document)?;
    object
        .meta_mut()
        .namespace
        .get_or_insert_with(|| default_namespace.to_owned());
    Ok(object)
}

fn parse<K: DeserializeOwned>(document: Value) -> Result<K, String> {
    let kind = document
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let name = document
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    serde_json::from_value(document).map_err(|error| format!("{kind} {name}: {error}"))
}

fn key<K: ResourceExt>(object: &K) -> (String, String) {
    (object.namespace().unwrap_or_default(), object.name_any())
}
