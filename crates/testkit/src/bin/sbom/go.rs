//! The Go modules that Helm is linked from.
//!
//! In: `go list -deps` of Helm's command, in the module that pins it. Out: every module with at least one package in it. Go modules
//! do not say their licence: it is recognised by its text.

use std::{collections::BTreeSet, path::Path};

use super::{component::Component, licence, output};

const MODULE: &str = "crates/testkit/control-plane/helm";
const PACKAGE: &str = "helm.sh/helm/v4/cmd/helm";
/// One line per package: path, version and directory of its module, separated by tabs.
const FORMAT: &str = "{{with .Module}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}";

/// All of them, by path, and Go's own library.
pub fn components(repository: &Path) -> Result<Vec<Component>, String> {
    let directory = repository.join(MODULE);
    let args = ["list", "-deps", "-mod=readonly", "-f", FORMAT, PACKAGE];
    let lines = output("go", &args, &directory)?;
    let lines = String::from_utf8_lossy(&lines).into_owned();
    let mut modules: BTreeSet<&str> = lines.lines().filter(|line| !line.is_empty()).collect();
    let own = output("go", &["env", "GOVERSION", "GOROOT"], &directory)?;
    let own = String::from_utf8_lossy(&own).into_owned();
    let mut words = own.lines();
    let (version, root) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let library = format!("std\t{}\t{root}", version.trim_start_matches("go"));
    modules.insert(&library);
    modules.into_iter().map(component).collect()
}

fn component(line: &str) -> Result<Component, String> {
    let parts: Vec<&str> = line.split('\t').collect();
    let [name, version, directory] = parts[..] else {
        return Err(format!("go list says {line:?}"));
    };
    let directory = Path::new(directory);
    let texts = super::component::texts(directory);
    let found = texts
        .iter()
        .filter(|(name, _)| !name.to_uppercase().starts_with("NOTICE"));
    let text: Vec<&str> = found.map(|(_, text)| text.as_str()).collect();
    Ok(Component {
        program: "helm",
        ecosystem: "golang",
        name: name.to_owned(),
        version: version.to_owned(),
        licence: licence::recognise(&text.join("\n")),
        sha256: None,
        directory: directory.to_owned(),
    })
}
