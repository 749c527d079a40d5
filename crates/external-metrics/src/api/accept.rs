//! In which form an answer is wanted.
//!
//! In: the values of `Accept`. Out: the best of the forms that are here; `None` when none of them is accepted.

/// A form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The resource itself as JSON.
    Json,
    /// All groups with all resources in one list.
    AggregatedDiscovery,
}

impl Form {
    /// The answer's `Content-Type`.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::AggregatedDiscovery => {
                "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
            }
        }
    }
}

/// The form to answer in. `aggregated`: whether the aggregated list exists for this path.
pub(crate) fn choose<'a>(accept: impl Iterator<Item = &'a str>, aggregated: bool) -> Option<Form> {
    let mut ranges = accept
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|range| !range.is_empty())
        .peekable();
    if ranges.peek().is_none() {
        return Some(Form::Json);
    }
    let mut best: Option<(Form, f32)> = None;
    for range in ranges {
        let Some((form, weight)) = read(range) else {
            continue;
        };
        let exists = form == Form::Json || aggregated;
        // The first of equals is meant.
        if exists && weight > best.map_or(0.0, |(_, weight)| weight) {
            best = Some((form, weight));
        }
    }
    best.map(|(form, _)| form)
}

/// The form that one media range asks for, and its weight.
fn read(range: &str) -> Option<(Form, f32)> {
    let mut parts = range.split(';').map(str::trim);
    let media = parts.next()?.to_ascii_lowercase();
    if !matches!(media.as_str(), "application/json" | "application/*" | "*/*") {
        return None;
    }
    let (mut group, mut version, mut list, mut weight) = ("", "", "", 1.0);
    for part in parts {
        let (key, value) = part.split_once('=')?;
        match key {
            "g" => group = value,
            "v" => version = value,
            "as" => list = value,
            "q" => weight = value.parse().ok()?,
            _ => {}
        }
    }
    match (group, version, list) {
        (_, _, "") => Some((Form::Json, weight)),
        ("apidiscovery.k8s.io", "v2", "APIGroupDiscoveryList") => Some((Form::AggregatedDiscovery, weight)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let v2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
        let v2beta1 = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
        let (json, aggregated) = (Some(Form::Json), Some(Form::AggregatedDiscovery));
        for (accept, plain, discovery) in [
            ("", json, json),
            ("application/json", json, json),
            ("application/json, */*", json, json),
            ("application/vnd.kubernetes.protobuf", None, None),
            ("application/vnd.kubernetes.protobuf,*/*", json, json),
            (&format!("{v2},{v2beta1}"), None, aggregated),
            (&format!("{v2},{v2beta1},application/json"), json, aggregated),
            (v2beta1, None, None),
            (table, None, None),
            (&format!("{table},application/json;q=0.5"), json, json),
            ("application/json;q=0", None, None),
            ("application/yaml", None, None),
        ] {
            assert_eq!(choose([accept].into_iter(), false), plain, "{accept}");
            assert_eq!(choose([accept].into_iter(), true), discovery, "{accept}");
        }
        assert_eq!(choose(std::iter::empty(), false), json);
    }
}
