//! The operator's roles, taken apart.
//!
//! In: a folder with YAML. Out: one [`Grant`] per verb and resource that the operator's account may get by it.

use std::path::Path;

use serde::Deserialize;
use testkit::plane::asked::Asked;

/// Roles that are for people and for scrapers.
const NOT_THE_OPERATORS: [&str; 2] = ["llm-operator-node-labeler-admin", "llm-operator-metrics-reader"];
/// Where the operator runs in these files.
const OWN_NAMESPACE: &str = "llm-system";

/// One right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub role: String,
    /// Whether it counts in the operator's own namespace alone.
    pub own_namespace: bool,
    pub verb: String,
    pub group: String,
    /// `*` for all of the group.
    pub resource: String,
    /// Empty for all objects.
    pub names: Vec<String>,
}

impl Grant {
    /// Whether this right lets a request pass.
    pub fn covers(&self, asked: &Asked) -> bool {
        let named = self.names.is_empty() || self.names.contains(&asked.name);
        self.verb == asked.verb
            && self.group == asked.group
            && (self.resource == "*" || self.resource == asked.resource)
            && (!self.own_namespace || asked.namespace == "own")
            && named
    }

    /// For people.
    pub fn told(&self) -> String {
        let Self {
            role,
            verb,
            group,
            resource,
            names,
            ..
        } = self;
        let group = if group.is_empty() { "core" } else { group };
        let names = if names.is_empty() {
            String::new()
        } else {
            format!(" {}", names.join(", "))
        };
        format!("{role}: {verb} {group}/{resource}{names}")
    }
}

#[derive(Debug, Deserialize)]
struct Document {
    kind: String,
    metadata: Metadata,
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    name: String,
    #[serde(default)]
    namespace: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    #[serde(default)]
    api_groups: Vec<String>,
    #[serde(default)]
    resources: Vec<String>,
    #[serde(default)]
    resource_names: Vec<String>,
    verbs: Vec<String>,
}

/// Reads every `.yaml` file of the folder.
pub fn read(folder: &Path) -> Result<Vec<Grant>, String> {
    let mut grants = Vec::new();
    let entries = std::fs::read_dir(folder).map_err(|error| {
        format!(
            "{}: {error}; run this from the root of the repository",
            folder.display()
        )
    })?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "yaml"));
    files.sort();
    for path in files {
        let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(&path).map_err(|error| told(&error))?;
        grants.extend(parse(&text).map_err(|error| told(&error))?);
    }
    Ok(grants)
}

fn parse(text: &str) -> Result<Vec<Grant>, String> {
    let documents: Vec<Document> = serde_saphyr::from_multiple(text).map_err(|error| error.to_string())?;
    let roles = documents.into_iter().filter(|document| {
        ["Role", "ClusterRole"].contains(&document.kind.as_str())
            && !NOT_THE_OPERATORS.contains(&document.metadata.name.as_str())
    });
    let mut grants = Vec::new();
    for role in roles {
        for rule in &role.rules {
            for (group, resource, verb) in combinations(rule) {
                grants.push(Grant {
                    role: role.metadata.name.clone(),
                    own_namespace: role.metadata.namespace == OWN_NAMESPACE,
                    verb: verb.clone(),
                    group: group.clone(),
                    resource: resource.clone(),
                    names: rule.resource_names.clone(),
                });
            }
        }
    }
    Ok(grants)
}

fn combinations(rule: &Rule) -> impl Iterator<Item = (&String, &String, &String)> {
    rule.api_groups.iter().flat_map(move |group| {
        rule.resources
            .iter()
            .flat_map(move |resource| rule.verbs.iter().map(move |verb| (group, resource, verb)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLES: &str = r#"
kind: ClusterRole
metadata: { name: llm-operator }
rules:
  - { apiGroups: [""], resources: [pods, secrets], verbs: [get, list] }
  - { apiGroups: [a, b], resources: ["*"], verbs: [patch] }
---
kind: Role
metadata: { name: own, namespace: llm-system }
rules: [{ apiGroups: [""], resources: [secrets], resourceNames: [tls], verbs: [get] }]
---
kind: ClusterRole
metadata: { name: llm-operator-metrics-reader }
rules: [{ nonResourceURLs: [/metrics], verbs: [get] }]
---
kind: RoleBinding
metadata: { name: own }
"#;

    fn asked(verb: &str, group: &str, resource: &str, namespace: &str, name: &str) -> Asked {
        Asked {
            program: "p".to_owned(),
            helm: false,
            verb: verb.to_owned(),
            group: group.to_owned(),
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            allowed: true,
        }
    }

    #[test]
    fn roles_are_taken_apart() {
        let grants = parse(ROLES).unwrap();
        assert_eq!(grants.len(), 4 + 2 + 1);
        let covered = |asked: &Asked| grants.iter().filter(|grant| grant.covers(asked)).count();
        assert_eq!(covered(&asked("get", "", "secrets", "own", "tls")), 2);
        assert_eq!(covered(&asked("get", "", "secrets", "other", "tls")), 1);
        assert_eq!(covered(&asked("get", "", "secrets", "own", "other")), 1);
        assert_eq!(covered(&asked("patch", "b", "anything", "other", "")), 1);
        assert_eq!(covered(&asked("patch", "c", "anything", "other", "")), 0);
        assert_eq!(covered(&asked("delete", "", "pods", "other", "")), 0);
    }
}
