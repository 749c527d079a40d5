//! Amounts of resources as the API server takes them in a container.
//!
//! In: requests and limits. Out: every amount that it would refuse, so that nothing is made before a person can read why. Pure.

use std::collections::BTreeMap;

use serving::{field_error::FieldError, labels::is_qualified_name, quantity::Quantity};

type Amounts = BTreeMap<String, Quantity>;

const PATH: &str = "deployment.resources";
/// Names without a domain that a container may ask for.
const STANDARD: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
const HUGE_PAGES: &str = "hugepages-";

/// Every name and amount that cannot be.
pub(super) fn check(requests: &Amounts, limits: &Amounts) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (what, amounts) in [("requests", requests), ("limits", limits)] {
        for (name, amount) in amounts {
            let path = format!("{PATH}.{what}[{name}]");
            errors.extend(amount_problem(name, *amount).map(|problem| FieldError::new(path, problem)));
        }
    }
    for (name, request) in requests {
        let path = format!("{PATH}.requests[{name}]");
        errors.extend(
            pair_problem(name, *request, limits.get(name).copied())
                .map(|problem| FieldError::new(path, problem)),
        );
    }
    errors
}

fn amount_problem(name: &str, amount: Quantity) -> Option<&'static str> {
    let whole = amount.ceil_units().to_string().parse() == Ok(amount);
    if !is_name(name) {
        Some(
            "is no resource of a container: cpu, memory, ephemeral-storage, hugepages-<size>, or a name with a domain",
        )
    } else if amount < Quantity::from_units(0) {
        Some("must be 0 or more")
    } else if is_extended(name) && !whole {
        Some("must be a whole number")
    } else {
        None
    }
}

fn pair_problem(name: &str, request: Quantity, limit: Option<Quantity>) -> Option<&'static str> {
    let shared = !is_extended(name) && !name.starts_with(HUGE_PAGES);
    match limit {
        None if !shared => Some("needs a limit of the same amount"),
        Some(limit) if !shared && limit != request => Some("must be the same as its limit"),
        Some(limit) if request > limit => Some("must not be more than its limit"),
        _ => None,
    }
}

fn is_name(name: &str) -> bool {
    let known = name.contains('/') || STANDARD.contains(&name) || name.starts_with(HUGE_PAGES);
    known && is_qualified_name(name)
}

/// Devices: whole, and as many in the request as in the limit.
fn is_extended(name: &str) -> bool {
    name.contains('/') && !name.contains("kubernetes.io/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(requests: &[(&str, &str)], limits: &[(&str, &str)]) -> Vec<String> {
        let amounts = |pairs: &[(&str, &str)]| -> Amounts {
            let pairs = pairs
                .iter()
                .map(|(name, amount)| ((*name).to_owned(), amount.parse().unwrap()));
            pairs.collect()
        };
        let errors = check(&amounts(requests), &amounts(limits));
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_api_server_takes_is_taken() {
        for (requests, limits) in [
            (
                &[("cpu", "1"), ("memory", "1Gi"), ("ephemeral-storage", "0")][..],
                &[("cpu", "1"), ("memory", "1024Mi")][..],
            ),
            (&[("nvidia.com/gpu", "2")], &[("nvidia.com/gpu", "2")]),
            (&[("hugepages-2Mi", "4Mi")], &[("hugepages-2Mi", "4Mi")]),
            (&[], &[("example.com/dev", "1"), ("cpu", "100m")]),
        ] {
            assert_eq!(problems(requests, limits), [] as [String; 0]);
        }
    }

    #[test]
    fn what_it_refuses_is_told_by_field() {
        for (requests, limits, words) in [
            (
                &[("team", "1")][..],
                &[][..],
                "deployment.resources.requests[team]: is no resource",
            ),
            (
                &[],
                &[("Example.com/x", "1")],
                "deployment.resources.limits[Example.com/x]: is no resource",
            ),
            (&[("cpu", "-1")], &[], "must be 0 or more"),
            (
                &[("cpu", "2")],
                &[("cpu", "1")],
                "must not be more than its limit",
            ),
            (
                &[("nvidia.com/gpu", "1")],
                &[],
                "needs a limit of the same amount",
            ),
            (
                &[("nvidia.com/gpu", "1")],
                &[("nvidia.com/gpu", "2")],
                "must be the same as its limit",
            ),
            (&[], &[("example.com/dev", "500m")], "must be a whole number"),
        ] {
            let problems = problems(requests, limits);
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].contains(words), "{problems:?}");
        }
    }
}
