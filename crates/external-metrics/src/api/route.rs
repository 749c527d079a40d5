//! What a path asks for.

use crate::names::{GROUP, VERSION};

/// What a path asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// `/healthz`, `/livez`: whether the process answers.
    Alive,
    /// `/readyz`: whether requests can be authenticated.
    Ready,
    /// `/metrics`: the operator's own.
    Metrics,
    /// `/apis`: the groups.
    Groups,
    /// The group with its versions.
    Group,
    /// The resources of the version: the metric.
    Resources,
    /// `/openapi/v2`.
    OpenApi2,
    /// `/openapi/v3`.
    OpenApi3,
    /// A metric's values in a namespace.
    Metric {
        /// The namespace.
        namespace: &'a str,
        /// The metric.
        metric: &'a str,
    },
    /// Nothing that is here.
    Unknown,
}

impl<'a> Route<'a> {
    /// Reads a path; one slash too many at its end is no matter.
    pub(crate) fn of(path: &'a str) -> Self {
        let path = path.strip_suffix('/').unwrap_or(path);
        let mut parts = path.split('/').skip(1);
        let mut next = || parts.next();
        let parts = [next(), next(), next(), next(), next(), next(), next()];
        match parts.map(Option::unwrap_or_default) {
            ["healthz" | "livez", "", ..] => Self::Alive,
            ["readyz", "", ..] => Self::Ready,
            ["metrics", "", ..] => Self::Metrics,
            ["openapi", "v2", "", ..] => Self::OpenApi2,
            ["openapi", "v3", "", ..] => Self::OpenApi3,
            ["apis", "", ..] => Self::Groups,
            ["apis", GROUP, "", ..] => Self::Group,
            ["apis", GROUP, VERSION, "", ..] => Self::Resources,
            ["apis", GROUP, VERSION, "namespaces", namespace, metric, ""]
                if !namespace.is_empty() && !metric.is_empty() =>
            {
                Self::Metric { namespace, metric }
            }
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let base = "/apis/external.metrics.k8s.io/v1beta1";
        let metric = format!("{base}/namespaces/n/m");
        let value = Route::Metric {
            namespace: "n",
            metric: "m",
        };
        for (path, route) in [
            ("/healthz", Route::Alive),
            ("/livez", Route::Alive),
            ("/readyz", Route::Ready),
            ("/metrics", Route::Metrics),
            ("/metrics/x", Route::Unknown),
            ("/apis", Route::Groups),
            ("/apis/", Route::Groups),
            ("/apis/external.metrics.k8s.io", Route::Group),
            (base, Route::Resources),
            ("/openapi/v2", Route::OpenApi2),
            ("/openapi/v3", Route::OpenApi3),
            (&metric, value),
            ("/", Route::Unknown),
            ("", Route::Unknown),
            ("/apis/other", Route::Unknown),
            ("/apis/external.metrics.k8s.io/v1", Route::Unknown),
            ("/healthz/x", Route::Unknown),
        ] {
            assert_eq!(Route::of(path), route, "{path}");
        }
        for tail in [
            "/namespaces",
            "/namespaces/n",
            "/namespaces//m",
            "/namespaces/n/m/x",
            "/m",
        ] {
            assert_eq!(Route::of(&format!("{base}{tail}")), Route::Unknown, "{tail}");
        }
    }
}
