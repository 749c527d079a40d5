//! Alerts and the dashboard ask for metrics that there are: those of `docs/metrics.md`, which another test compares with a
//! running operator in both directions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{pages, promql::asked, read};

/// What Prometheus adds to every series.
const OF_THE_TARGET: [&str; 2] = ["pod", "instance"];

/// Metrics as documented, with the labels of their series.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let page = read("docs/metrics.md");
    let mut found = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with("| `llm_operator_")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let name = cells[0].trim_matches('`');
        let labels = cells[2].split(", ").map(|label| label.trim_matches('`'));
        let labels: BTreeSet<String> = labels
            .filter(|label| !label.is_empty())
            .map(str::to_owned)
            .collect();
        if cells[1] == "histogram" {
            let mut of_buckets = labels.clone();
            of_buckets.insert("le".to_owned());
            found.insert(format!("{name}_bucket"), of_buckets);
            found.insert(format!("{name}_sum"), labels.clone());
            found.insert(format!("{name}_count"), labels);
        } else {
            found.insert(name.to_owned(), labels);
        }
    }
    found
}

/// What is wrong with an expression; also the labels that its result has.
fn check(expression: &str) -> Result<BTreeSet<String>, String> {
    let count = |what: char| expression.matches(what).count();
    if count('(') != count(')') || count('{') != count('}') || count('[') != count(']') {
        return Err("brackets do not match".to_owned());
    }
    let documented = documented();
    let asked = asked(expression);
    if asked.metrics.is_empty() {
        return Err("asks for nothing".to_owned());
    }
    let mut all = BTreeSet::new();
    for (metric, matchers) in &asked.metrics {
        let labels = documented
            .get(metric)
            .ok_or_else(|| format!("{metric} is no metric"))?;
        all.extend(labels.iter().cloned());
        for (label, value) in matchers {
            if !labels.contains(label) {
                return Err(format!("{metric} has no label {label}"));
            }
            words_exist(label, value)?;
        }
    }
    for label in &asked.groups {
        if !all.contains(label) {
            return Err(format!("nothing has the label {label}"));
        }
    }
    let of_result = if asked.groups.is_empty() {
        all
    } else {
        asked.groups.into_iter().collect()
    };
    Ok(of_result)
}

/// Values of states and reasons are words that are given.
fn words_exist(label: &str, value: &str) -> Result<(), String> {
    let known = match label {
        "state" => read("docs/concepts.md"),
        "reason" => read("docs/metrics.md") + &read("docs/conditions.md"),
        "result" => "ok error".to_owned(),
        _ => return Ok(()),
    };
    let known: BTreeSet<&str> = known.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    match value
        .split('|')
        .find(|word| !word.starts_with('$') && !known.contains(word))
    {
        Some(word) => Err(format!("{word} is no {label}")),
        None => Ok(()),
    }
}

/// Labels that a text fills in: `{{ $labels.kind }}`, or in a legend `{{kind}}`.
fn filled_in(text: &str) -> impl Iterator<Item = &str> {
    let inside = text.split("{{").skip(1).filter_map(|part| part.split_once("}}"));
    inside.map(|(name, _)| name.trim().trim_start_matches("$labels."))
}

/// Every alert asks for what there is, says whom it is for, and has a section in the runbooks.
/// Promises: S3-29
#[test]
fn alerts_ask_for_metrics_that_exist() {
    let rules: Value = serde_saphyr::from_str(&read("config/monitoring/prometheusrules.yaml")).unwrap();
    let rules = rules["spec"]["groups"][0]["rules"].as_array().unwrap();
    let anchors = pages::all().remove("docs/runbooks.md").unwrap().anchors;
    let mut sections = 0;
    for rule in rules {
        let name = rule["alert"].as_str().unwrap();
        let labels = check(rule["expr"].as_str().unwrap()).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        assert!(rule["for"].is_string(), "{name}");
        assert!(
            ["warning", "critical"].contains(&rule["labels"]["severity"].as_str().unwrap()),
            "{name}"
        );
        for text in ["summary", "description", "runbook"] {
            let text = rule["annotations"][text].as_str().unwrap();
            assert!(text.len() > 20, "{name}: {text}");
            for label in filled_in(text).filter(|label| *label != "$value") {
                assert!(labels.contains(label), "{name}: its result has no {label}");
            }
        }
        let anchor = name.to_lowercase();
        let url = format!("docs/runbooks.md#{anchor}");
        assert_eq!(rule["annotations"]["runbook_url"], url.as_str());
        assert!(anchors.contains(&anchor), "{url} does not exist");
        sections += 1;
    }
    let written = anchors
        .iter()
        .filter(|anchor| anchor.starts_with("llmoperator"))
        .count();
    assert_eq!(written, sections, "a section of the runbooks is about no alert");
}

/// Every panel asks for what there is, legends name labels that the result has, and no metric is left out.
/// Promises: S3-29
#[test]
fn the_dashboard_shows_every_metric() {
    let dashboard: Value = serde_json::from_str(&read("config/monitoring/grafana-dashboard.json")).unwrap();
    let mut shown = BTreeSet::new();
    let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}");
        let place = &panel["gridPos"];
        assert!(
            places.insert((place["x"].as_u64(), place["y"].as_u64())),
            "{title} hides another"
        );
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().unwrap();
            let labels = check(expression).unwrap_or_else(|fault| panic!("{title}: {fault}: {expression}"));
            for label in filled_in(target["legendFormat"].as_str().unwrap()) {
                assert!(
                    labels.contains(label) || OF_THE_TARGET.contains(&label),
                    "{title}: {label}"
                );
            }
            shown.extend(asked(expression).metrics.into_iter().map(|(metric, _)| metric));
        }
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        let Some(query) = variable["definition"].as_str() else {
            continue;
        };
        let inner = query
            .strip_prefix("label_values(")
            .and_then(|query| query.strip_suffix(')'));
        let (series, label) = inner.unwrap().rsplit_once(", ").unwrap();
        assert!(check(series).unwrap().contains(label), "{query}");
    }
    for metric in documented().keys() {
        let family = metric
            .trim_end_matches("_bucket")
            .trim_end_matches("_sum")
            .trim_end_matches("_count");
        assert!(
            shown.iter().any(|shown| shown.starts_with(family)),
            "no panel shows {family}"
        );
    }
}
