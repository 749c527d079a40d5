//! Parses the spec of an `AutoNodeLabeler`: what the schema has checked, and what an earlier definition let in.
//!
//! In: the raw spec. Out: a rule in typed values, or every field that is wrong. Pure.

use std::collections::BTreeMap;

use api::premlabs_io::v1alpha1::AutoNodeLabelerSpec;
use serving::{
    field_error::FieldError,
    labels::{is_label_value, is_qualified_name},
};

/// A spec that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The label that is looked at.
    pub key: Box<str>,
    /// What is asked about it.
    pub test: Test,
    /// What a node that passes gets.
    pub labels: BTreeMap<Box<str>, Box<str>>,
}

/// A question about one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// The label is there.
    Exists,
    /// It is there with one of these values.
    In(Box<[Box<str>]>),
    /// It is not there, or with none of these values.
    NotIn(Box<[Box<str>]>),
    /// It is not there.
    DoesNotExist,
}

impl Test {
    /// The answer for a node that has `value`.
    pub fn passes(&self, value: Option<&str>) -> bool {
        let among = |values: &[Box<str>]| value.is_some_and(|value| values.iter().any(|one| &**one == value));
        match self {
            Self::Exists => value.is_some(),
            Self::In(values) => among(values),
            Self::NotIn(values) => !among(values),
            Self::DoesNotExist => value.is_none(),
        }
    }

    /// Whether more labels on a node can only turn the answer to yes.
    pub fn is_positive(&self) -> bool {
        matches!(self, Self::Exists | Self::In(_))
    }
}

impl Rule {
    /// Parses the spec.
    ///
    /// # Errors
    /// Every field that cannot be used, with its path below `spec`.
    pub fn parse(spec: &AutoNodeLabelerSpec) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let expression = spec.match_expression.clone().unwrap_or_default();
        let key = expression.key.unwrap_or_default();
        if !is_qualified_name(&key) {
            errors.push(FieldError::new(
                "matchExpression.key",
                format!("'{key}' is no label key; name the node label to look at"),
            ));
        }
        let values = expression.values.unwrap_or_default();
        let test = match test(expression.operator.as_deref(), values) {
            Ok(test) => Some(test),
            Err(error) => {
                errors.push(error);
                None
            }
        };
        let labels = spec.labels.clone().unwrap_or_default();
        if labels.is_empty() {
            errors.push(FieldError::new(
                "labels",
                "name at least one label to set".to_owned(),
            ));
        }
        for (key, value) in &labels {
            if !is_qualified_name(key) {
                errors.push(FieldError::new("labels", format!("'{key}' is no label key")));
            }
            if !is_label_value(value) {
                errors.push(FieldError::new(
                    format!("labels[{key}]"),
                    format!("'{value}' is no label value: at most 63 letters, digits, '-', '_' and '.'"),
                ));
            }
        }
        match test {
            Some(test) if errors.is_empty() => Ok(Self {
                key: key.into(),
                test,
                labels: labels
                    .into_iter()
                    .map(|(key, value)| (key.into(), value.into()))
                    .collect(),
            }),
            _ => Err(errors),
        }
    }

    /// The labels that Kubernetes keeps for itself.
    pub fn protected(&self) -> impl Iterator<Item = &str> {
        self.labels
            .keys()
            .map(|key| &**key)
            .filter(|key| is_protected(key))
    }
}

fn test(operator: Option<&str>, values: Vec<String>) -> Result<Test, FieldError> {
    let some = |values: Vec<String>| -> Result<Box<[Box<str>]>, FieldError> {
        if values.is_empty() {
            let message = "operators In and NotIn need at least one value".to_owned();
            return Err(FieldError::new("matchExpression.values", message));
        }
        Ok(values.into_iter().map(Into::into).collect())
    };
    match operator {
        // prem-operator never looked at the values of Exists; a manifest that has some means the same here.
        Some("Exists") => Ok(Test::Exists),
        Some("In") => some(values).map(Test::In),
        Some("NotIn") => some(values).map(Test::NotIn),
        Some("DoesNotExist") if values.is_empty() => Ok(Test::DoesNotExist),
        Some("DoesNotExist") => Err(FieldError::new(
            "matchExpression.values",
            "operator DoesNotExist takes no values; for a label that must not have certain values use NotIn"
                .to_owned(),
        )),
        other => Err(FieldError::new(
            "matchExpression.operator",
            format!(
                "'{}' is no operator; use Exists, In, NotIn or DoesNotExist",
                other.unwrap_or_default()
            ),
        )),
    }
}

/// Keys below `kubernetes.io` and `k8s.io`: kubelets, controllers and schedulers act on them.
fn is_protected(key: &str) -> bool {
    let Some((domain, _)) = key.split_once('/') else {
        return false;
    };
    ["kubernetes.io", "k8s.io"].iter().any(|kept| {
        domain
            .strip_suffix(kept)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(spec: serde_json::Value) -> Result<Rule, Vec<String>> {
        let spec: AutoNodeLabelerSpec = serde_json::from_value(spec).unwrap();
        Rule::parse(&spec).map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn every_operator_answers_as_kubernetes_does() {
        let test = |operator: &str, values: &[&str]| {
            let values = values.iter().map(ToString::to_string).collect();
            test(Some(operator), values).unwrap()
        };
        for (test, absent, a, b) in [
            (test("Exists", &[]), false, true, true),
            (test("Exists", &["a"]), false, true, true),
            (test("In", &["a", "c"]), false, true, false),
            (test("NotIn", &["a", "c"]), true, false, true),
            (test("DoesNotExist", &[]), true, false, false),
        ] {
            let told = (test.passes(None), test.passes(Some("a")), test.passes(Some("b")));
            assert_eq!(told, (absent, a, b), "{test:?}");
        }
    }

    #[test]
    fn the_example_of_prem_operator_is_a_rule() {
        let rule = parse(serde_json::json!({
            "matchExpression": {"key": "kubernetes.io/arch", "operator": "Exists"},
            "labels": {"foo/bar.com": "baz"},
        }))
        .unwrap();
        assert_eq!((&*rule.key, &rule.test), ("kubernetes.io/arch", &Test::Exists));
        assert_eq!(rule.protected().count(), 0);
    }

    #[test]
    fn what_an_earlier_definition_let_in_is_told_field_by_field() {
        let errors = parse(serde_json::json!({})).unwrap_err().join("; ");
        for field in ["matchExpression.key", "matchExpression.operator", "labels"] {
            assert!(errors.contains(field), "{field}: {errors}");
        }
        for (spec, field) in [
            (
                serde_json::json!({"key": "k", "operator": "In"}),
                "matchExpression.values",
            ),
            (
                serde_json::json!({"key": "k", "operator": "Gt"}),
                "'Gt' is no operator",
            ),
            (
                serde_json::json!({"key": "k", "operator": "DoesNotExist", "values": ["a"]}),
                "use NotIn",
            ),
            (
                serde_json::json!({"key": "a b", "operator": "Exists"}),
                "matchExpression.key",
            ),
            (
                serde_json::json!({"key": "a..b/x", "operator": "Exists"}),
                "matchExpression.key",
            ),
        ] {
            let spec = serde_json::json!({"matchExpression": spec, "labels": {"a": "b", "c": ""}});
            let errors = parse(spec).unwrap_err().join("; ");
            assert!(errors.contains(field), "{field}: {errors}");
        }
        let labels = serde_json::json!({"Foo/b": "c", "a": "b c", "-x": "y", "a/b/c": "d"});
        let spec =
            serde_json::json!({"matchExpression": {"key": "k", "operator": "Exists"}, "labels": labels});
        assert_eq!(parse(spec).unwrap_err().len(), 4);
    }

    #[test]
    fn kubernetes_own_keys_are_protected() {
        for key in [
            "kubernetes.io/arch",
            "node-role.kubernetes.io/gpu",
            "node-restriction.kubernetes.io/x",
            "k8s.io/a",
            "a.b.k8s.io/c",
        ] {
            assert!(is_protected(key), "{key}");
        }
        for key in [
            "foo/bar.com",
            "kubernetes.io",
            "mykubernetes.io/a",
            "k8s.io.example.com/a",
        ] {
            assert!(!is_protected(key), "{key}");
        }
    }
}
