//! How far this operator reaches: which namespaces, which families of kinds, and what is left out because of it.
//!
//! In: options, and a client to ask for rights. Out: the scope, and one line of the log for each thing that is left out, with why
//! and what that means. Nodes, storage classes and labelers are told by their watches, once it is known whether they may be read.

use controllers::families::{Families, Family};
use kube::Client;
use reconcile::{cache::Namespaces, rights::Right};

use crate::cli::RunArgs;

/// Whoever may not read this does not serve the API of external metrics.
const MAY_SERVE_METRICS: Right = Right {
    name: Some("v1beta1.external.metrics.k8s.io"),
    ..Right::new("get", "apiregistration.k8s.io", "apiservices")
};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Which namespaces are watched.
    pub namespaces: Namespaces,
    /// Which families are served.
    pub families: Families,
}

impl Scope {
    /// As the options say. A variable that a manifest sets to nothing is not set.
    pub fn of(args: &RunArgs) -> Self {
        let named = args.watch_namespace.iter().map(|name| name.trim());
        let named: Vec<String> = named.filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let namespaces = if named.is_empty() {
            Namespaces::All
        } else {
            Namespaces::Only(named)
        };
        Self {
            namespaces,
            families: args.families,
        }
    }

    /// Whether the charts of an `Llmd` are installed: they have objects that belong to no namespace.
    pub fn installs_charts(&self) -> bool {
        self.namespaces == Namespaces::All && self.families.has(Family::Llmd)
    }

    /// Why decided numbers cannot be served as external metrics, if they cannot.
    pub async fn without_external_metrics(&self, client: &Client) -> Option<&'static str> {
        if !self.families.has_scaling() {
            return Some("no kind is served whose replicas follow the load (--families)");
        }
        if self.namespaces == Namespaces::All {
            return None;
        }
        // Who cannot ask now is told by the API itself.
        let held = MAY_SERVE_METRICS.is_held(client).await.unwrap_or(true);
        (!held).then_some(
            "external.metrics.k8s.io belongs to the whole cluster, and this ServiceAccount has no right to it",
        )
    }

    /// What is left out on purpose, a sentence each.
    pub fn left_out(&self) -> Vec<String> {
        let off = self.families.off().map(|family| {
            format!(
                "the family {} is off (--families): {} are neither watched nor written, and what was made for them stays as it is",
                family.as_str(),
                family.kinds(),
            )
        });
        let mut sentences: Vec<String> = off.collect();
        if let Namespaces::Only(names) = &self.namespaces {
            sentences.push(format!(
                "only some namespaces are watched (--watch-namespace): {}; resources elsewhere are neither read nor written",
                names.join(", ")
            ));
            if self.families.has(Family::Llmd) {
                sentences.push(
                    "Llmd and DataScienceCluster are left out: they and what their charts bring belong to the whole cluster, and only some \
                     namespaces are watched; they stay without a status until an operator of the whole cluster serves them"
                        .to_owned(),
                );
            }
        }
        sentences
    }

    /// What contradicts itself.
    ///
    /// # Errors
    /// Nothing would be served.
    pub fn check(&self) -> Result<(), String> {
        if self.namespaces == Namespaces::All || self.families.has_serving() {
            return Ok(());
        }
        Err(
            "--families llmd needs the whole cluster: with --watch-namespace there would be nothing to serve; name another \
             family, or leave --watch-namespace out"
                .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(families: &str, namespaces: &[&str]) -> Scope {
        let names = namespaces.iter().map(ToString::to_string).collect();
        Scope {
            namespaces: if namespaces.is_empty() {
                Namespaces::All
            } else {
                Namespaces::Only(names)
            },
            families: families.parse().unwrap(),
        }
    }

    #[test]
    fn everything_leaves_nothing_out() {
        let all = scope("", &[]);
        assert_eq!(all.left_out(), Vec::<String>::new());
        assert!(all.installs_charts() && all.check().is_ok());
    }

    #[test]
    fn each_thing_that_is_left_out_is_a_sentence() {
        for (families, namespaces, words) in [
            ("llm,prem,infra,ai", &[][..], vec!["family llmd is off"]),
            (
                "llm",
                &[],
                vec!["prem is off", "infra is off", "ai is off", "llmd is off"],
            ),
            (
                "",
                &["a", "b"],
                vec!["a, b", "Llmd and DataScienceCluster are left out"],
            ),
            (
                "ai,prem,infra,llm",
                &["a"],
                vec!["llmd is off", "are watched (--watch-namespace): a;"],
            ),
        ] {
            let sentences = scope(families, namespaces).left_out();
            assert_eq!(sentences.len(), words.len(), "{sentences:?}");
            for (sentence, word) in sentences.iter().zip(words) {
                assert!(sentence.contains(word), "{word}: {sentence}");
            }
        }
    }

    #[test]
    fn charts_take_the_whole_cluster() {
        assert!(!scope("", &["a"]).installs_charts());
        assert!(!scope("llm", &[]).installs_charts());
        assert!(scope("llmd", &["a"]).check().is_err());
        assert!(scope("llmd", &[]).check().is_ok());
        assert!(scope("llmd,infra", &["a"]).check().is_ok());
    }
}
