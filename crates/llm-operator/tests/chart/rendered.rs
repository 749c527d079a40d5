//! `helm template`: the chart's objects without a cluster.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Output,
    sync::OnceLock,
};

use serde_json::Value;
use testkit::Charts;

use crate::{
    chart,
    objects::{Id, objects},
};

static CHARTS: OnceLock<Charts> = OnceLock::new();

/// The Helm CLI; the first use on a machine builds it.
pub fn helm_path() -> &'static Path {
    CHARTS.get_or_init(|| Charts::new().unwrap()).helm()
}

/// Helm with these arguments and this standard input, and with files of its own.
pub fn helm(args: &[&str], input: &str, variables: &[(&str, &Path)]) -> Output {
    use std::{io::Write, process::Stdio};
    let home = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("helm-{}", std::process::id()));
    let mut child = std::process::Command::new(helm_path())
        .args(args)
        .env("HELM_CACHE_HOME", home.join("cache"))
        .env("HELM_CONFIG_HOME", home.join("config"))
        .env("HELM_DATA_HOME", home.join("data"))
        .envs(variables.iter().copied())
        .current_dir(crate::common::root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Helm that does not read its input closes it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Standard output and error, one after the other.
pub fn text(output: &Output) -> String {
    let all = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&all).into_owned()
}

/// The manifest with these values, as YAML; or what Helm says against them.
pub fn template(namespace: &str, values: &str) -> Result<String, String> {
    let chart = chart();
    let args = [
        "template",
        "llm-operator",
        chart.to_str().unwrap(),
        "--namespace",
        namespace,
        "--values",
        "-",
    ];
    let output = helm(&args, values, &[]);
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(text(&output))
    }
}

/// The objects with these values.
pub fn rendered(namespace: &str, values: &str) -> BTreeMap<Id, Value> {
    objects(&template(namespace, values).unwrap_or_else(|said| panic!("{values}: {said}")))
}

/// Variables of the operator's container that have a value.
pub fn variables(objects: &BTreeMap<Id, Value>) -> BTreeMap<String, String> {
    let deployment = crate::objects::one(objects, "Deployment", "llm-operator");
    let containers = &deployment["spec"]["template"]["spec"]["containers"];
    let list = containers[0]["env"].as_array().unwrap();
    list.iter()
        .filter_map(|variable| {
            Some((
                variable["name"].as_str()?.to_owned(),
                variable["value"].as_str()?.to_owned(),
            ))
        })
        .collect()
}
