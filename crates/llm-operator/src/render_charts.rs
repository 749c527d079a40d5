//! `llm-operator render` of llm-d: charts fetched, wired and rendered as `run` does it, without a cluster.
//!
//! In: documents of the files, and where Helm and charts are. Out: the objects of all enabled charts, or what is wrong. Nothing is
//! left on the disk.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use api::opendatahub_io::{
    components::v1alpha1::{Llmd, LlmdSpec},
    datasciencecluster::v2::DataScienceCluster,
};
use controllers::llmd::{
    NAME,
    preparation::{Order, Preparation, prepare},
    request::{Asked, Reference},
    wiring::Surroundings,
};
use helm::{Capabilities, CapabilitiesSource, CliHelm, CliHelmOptions, KubeconfigSource};
use k8s_openapi::{
    api::core::v1::{ConfigMap, Secret},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::ResourceExt;
use serde_json::Value;

use crate::{charts, cli::RenderArgs};

/// What the files say about llm-d.
#[derive(Default)]
pub struct Input {
    /// What is asked for, and by which resource.
    llmd: Option<(String, LlmdSpec)>,
    /// Data of `ConfigMap`s and `Secret`s, by namespace.
    data: BTreeMap<(String, Reference), BTreeMap<String, String>>,
    /// Kinds without namespace, `Kind.group`.
    cluster_scoped: BTreeSet<String>,
}

impl Input {
    /// An `Llmd`.
    pub fn llmd(&mut self, llmd: Llmd) -> Result<(), String> {
        let name = llmd.name_any();
        if name != NAME {
            return Err(format!("Llmd {name}: Llmd name must be {NAME}"));
        }
        self.ask(format!("Llmd {name}"), llmd.spec)
    }

    /// A `DataScienceCluster`: as `run` makes an `Llmd` of it, if at all.
    pub fn cluster(&mut self, cluster: DataScienceCluster) -> Result<(), String> {
        let resource = format!("DataScienceCluster {}", cluster.name_any());
        let llmd = cluster.spec.components.and_then(|components| components.llmd);
        match llmd {
            Some(llmd) if llmd.management_state.as_deref() == Some("Managed") => {
                self.ask(resource, llmd.spec)
            }
            _ => {
                eprintln!("note: {resource}: llmd is not Managed, so nothing is applied");
                self.ask(resource, LlmdSpec::default())
            }
        }
    }

    fn ask(&mut self, resource: String, spec: LlmdSpec) -> Result<(), String> {
        match &self.llmd {
            Some((other, asked)) if *asked != spec => Err(format!(
                "{resource} asks for something else than {other}, and there is one Llmd: keep one of them"
            )),
            Some(_) => Ok(()),
            None => {
                self.llmd = Some((resource, spec));
                Ok(())
            }
        }
    }

    /// A `ConfigMap` that an `Llmd` may refer to.
    pub fn config_map(&mut self, map: &ConfigMap) {
        let place = (
            map.namespace().unwrap_or_default(),
            Reference::ConfigMap(map.name_any()),
        );
        self.data.insert(place, map.data.clone().unwrap_or_default());
    }

    /// A Secret that an `Llmd` may refer to. What is no text is left out.
    pub fn secret(&mut self, secret: Secret) {
        let place = (
            secret.namespace().unwrap_or_default(),
            Reference::Secret(secret.name_any()),
        );
        let data = secret.data.into_iter().flatten();
        let mut texts: BTreeMap<String, String> = data
            .filter_map(|(key, bytes)| Some((key, String::from_utf8(bytes.0).ok()?)))
            .collect();
        texts.extend(secret.string_data.into_iter().flatten());
        self.data.insert(place, texts);
    }

    /// A definition: whether objects of its kind have a namespace.
    pub fn definition(&mut self, definition: &CustomResourceDefinition) {
        let spec = &definition.spec;
        if spec.scope == "Cluster" {
            self.cluster_scoped
                .insert(format!("{}.{}", spec.names.kind, spec.group));
        }
    }

    /// Whether the files hold an `Llmd` or what stands for one.
    pub fn is_asked(&self) -> bool {
        self.llmd.is_some()
    }

    /// All objects, in the order of installation.
    ///
    /// # Errors
    /// Every line that a person has to read.
    pub fn render(self, args: &RenderArgs) -> Result<Vec<Value>, Vec<String>> {
        let Some((resource, spec)) = &self.llmd else {
            return Ok(Vec::new());
        };
        let of_fields = |errors: Vec<serving::field_error::FieldError>| -> Vec<String> {
            errors
                .into_iter()
                .map(|error| format!("{resource}: {error}"))
                .collect()
        };
        let charts_dir = charts_dir(args).map_err(|error| vec![error])?;
        let asked = Asked::parse(spec, charts_dir.as_deref()).map_err(of_fields)?;
        let namespace = asked.namespace.clone();
        let referents = asked.references().into_iter().map(|reference| {
            let data = self.data.get(&(namespace.clone(), reference.clone())).cloned();
            if data.is_none() {
                self.look_elsewhere(resource, &namespace, &reference);
            }
            (reference, data)
        });
        let charts = asked.charts(&referents.collect()).map_err(of_fields)?;
        if charts.is_empty() {
            return Ok(Vec::new());
        }
        eprintln!(
            "note: {resource}: everything goes into namespace {namespace}, which `run` makes if it is missing"
        );
        // As on a cluster that is said to know it.
        let around = Surroundings {
            destination_rules: args
                .api_versions
                .iter()
                .any(|one| one == "networking.istio.io/v1beta1/DestinationRule"),
        };
        let order = Order {
            namespace,
            charts,
            around,
        };
        let prepared = self
            .prepare(args, charts_dir, order)
            .map_err(|error| vec![error])?
            .map_err(|error| vec![format!("{resource}: {error}")])?;
        let objects = prepared.into_values().flat_map(|one| one.objects);
        Ok(objects.map(|object| object.value).collect())
    }

    /// A referent that is in the files, but not where it is looked for.
    fn look_elsewhere(&self, resource: &str, namespace: &str, reference: &Reference) {
        let mut others = self.data.keys().filter(|(_, other)| other == reference);
        if let Some((elsewhere, _)) = others.next() {
            eprintln!(
                "note: {resource}: {reference} is in namespace {elsewhere}, and it is looked for in {namespace}"
            );
        }
    }

    fn prepare(
        &self,
        args: &RenderArgs,
        charts_dir: Option<PathBuf>,
        order: Order,
    ) -> Result<Preparation, String> {
        let (home, _own) = match &args.helm.helm_home {
            Some(home) => (home.clone(), None),
            None => (charts::own_home(), Some(Removed(charts::own_home()))),
        };
        let options = CliHelmOptions {
            program: args.helm.helm.clone(),
            tool: charts::executable()?,
            home,
            charts_dir,
            kubeconfig: KubeconfigSource::None,
            capabilities: CapabilitiesSource::Fixed(Capabilities {
                kube_version: args.kube_version.clone().unwrap_or_default(),
                api_versions: args.api_versions.iter().cloned().collect(),
                cluster_scoped: self.cluster_scoped.clone(),
            }),
            concurrency: CliHelmOptions::CONCURRENCY,
            timeout: CliHelmOptions::TIMEOUT,
        };
        let helm = CliHelm::new(options).map_err(|error| format!("--helm-home: {error}"))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("cannot start: {error}"))?;
        Ok(runtime.block_on(prepare(Arc::new(helm), order)))
    }
}

/// Helm is called from elsewhere, so the path has to be a whole one.
fn charts_dir(args: &RenderArgs) -> Result<Option<PathBuf>, String> {
    let Some(named) = args.helm.charts_dir() else {
        return Ok(None);
    };
    let whole = std::fs::canonicalize(&named);
    whole
        .map(Some)
        .map_err(|error| format!("--charts-dir {}: {error}", named.display()))
}

/// A directory that goes with this value.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
