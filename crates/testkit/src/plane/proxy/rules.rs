//! What goes wrong, and for which requests.
//!
//! In: orders of a test; method, path and query of a request. Out: the faults that the request meets. Must not do I/O.

use std::time::Duration;

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is answered with this HTTP status and a Kubernetes `Status` body; the API server never sees it.
    Status {
        /// The HTTP status.
        status: u16,
        /// The value of `Retry-After`, in whole seconds.
        retry_after: Option<Duration>,
    },
    /// It goes on to the API server after this time.
    Delay(Duration),
    /// It is done by the API server, but its connection is dropped before the answer: the client cannot know.
    LostAnswer,
    /// A watch that carries one ERROR event, code 410, and ends.
    ExpiredWatch,
}

/// Which requests a rule is for. Without conditions it is for all.
#[derive(Debug, Clone, Default)]
pub struct Matching {
    method: Option<String>,
    path: Option<String>,
    watch: Option<bool>,
}

impl Matching {
    /// Every request.
    pub fn any() -> Self {
        Self::default()
    }

    /// Requests of this HTTP method; for `GET` watches too.
    pub fn method(method: &str) -> Self {
        Self {
            method: Some(method.to_uppercase()),
            ..Self::default()
        }
    }

    /// Watches.
    pub fn watch() -> Self {
        Self {
            watch: Some(true),
            ..Self::default()
        }
    }

    /// Only those whose path contains this text.
    #[must_use]
    pub fn path(mut self, part: &str) -> Self {
        self.path = Some(part.to_owned());
        self
    }

    fn takes(&self, request: &Seen<'_>) -> bool {
        self.method.as_ref().is_none_or(|method| method == request.method)
            && self.path.as_ref().is_none_or(|part| request.path.contains(part))
            && self.watch.is_none_or(|watch| watch == request.watch)
    }
}

/// The parts of a request that rules look at.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub watch: bool,
}

impl Seen<'_> {
    /// The verb as the API server's audit log names it; `review` for a question about rights, of which nothing is kept.
    pub(super) fn verb(&self) -> &'static str {
        match self.method {
            "POST" if self.path.ends_with("reviews") => "review",
            "POST" => "create",
            "PUT" => "update",
            "PATCH" => "patch",
            "DELETE" => "delete",
            _ if self.watch => "watch",
            _ if names_an_object(self.path) => "get",
            _ => "list",
        }
    }
}

/// Is this the path of one object or of a collection? Paths outside the API count as objects.
fn names_an_object(path: &str) -> bool {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let (["api", _, rest @ ..] | ["apis", _, _, rest @ ..]) = segments.as_slice() else {
        return true;
    };
    match rest {
        ["namespaces", _, rest @ ..] if !rest.is_empty() => rest.len() != 1,
        rest => rest.len() != 1,
    }
}

#[derive(Debug)]
struct Rule {
    left: Option<usize>,
    matching: Matching,
    fault: Fault,
}

/// The rules of one proxy, oldest first.
#[derive(Debug, Default)]
pub(super) struct Rules(Vec<Rule>);

impl Rules {
    pub(super) fn add(&mut self, count: Option<usize>, matching: Matching, fault: Fault) {
        if count != Some(0) {
            self.0.push(Rule {
                left: count,
                matching,
                fault,
            });
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Rules with a number that has not been used up.
    pub(super) fn pending(&self) -> usize {
        self.0.iter().filter(|rule| rule.left.is_some()).count()
    }

    /// The faults that this request meets: every delay that matches, then the oldest other fault that does.
    pub(super) fn meet(&mut self, request: &Seen<'_>) -> (Duration, Option<Fault>) {
        let mut delay = Duration::ZERO;
        let mut fault = None;
        for rule in self.0.iter_mut().filter(|rule| rule.matching.takes(request)) {
            match &rule.fault {
                Fault::Delay(time) => delay += *time,
                _ if fault.is_some() => continue,
                other => fault = Some(other.clone()),
            }
            rule.left = rule.left.map(|left| left - 1);
        }
        self.0.retain(|rule| rule.left != Some(0));
        (delay, fault)
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Matching, Rules, Seen};
    use std::time::Duration;

    fn seen<'a>(method: &'a str, path: &'a str, watch: bool) -> Seen<'a> {
        Seen { method, path, watch }
    }

    #[test]
    fn a_rule_is_used_up_by_the_requests_that_match() {
        let status = Fault::Status {
            status: 429,
            retry_after: None,
        };
        let mut rules = Rules::default();
        rules.add(
            Some(1),
            Matching::method("patch").path("/services/"),
            status.clone(),
        );
        rules.add(Some(1), Matching::any(), Fault::Delay(Duration::from_secs(1)));
        assert_eq!(rules.pending(), 2);
        let get = seen("GET", "/api/v1/namespaces/a/services/x", false);
        assert_eq!(rules.meet(&get), (Duration::from_secs(1), None));
        let patch = seen("PATCH", "/api/v1/namespaces/a/services/x", false);
        assert_eq!(rules.meet(&patch), (Duration::ZERO, Some(status)));
        assert_eq!(rules.meet(&patch), (Duration::ZERO, None));
        assert_eq!(rules.pending(), 0);
    }

    #[test]
    fn verbs_are_those_of_the_audit_log() {
        for (method, path, watch, verb) in [
            ("GET", "/api/v1/namespaces/a/pods", false, "list"),
            ("GET", "/api/v1/namespaces/a/pods", true, "watch"),
            ("GET", "/api/v1/pods", false, "list"),
            ("GET", "/api/v1/namespaces/a/pods/x/log", false, "get"),
            ("GET", "/api/v1/namespaces/a", false, "get"),
            ("GET", "/api/v1/namespaces", false, "list"),
            ("GET", "/apis/apps/v1/deployments", false, "list"),
            ("GET", "/apis/apps/v1/namespaces/a/deployments/x", false, "get"),
            ("GET", "/apis/apps/v1", false, "get"),
            ("GET", "/version", false, "get"),
            ("POST", "/api/v1/namespaces/a/pods", false, "create"),
            (
                "POST",
                "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                false,
                "review",
            ),
            ("PATCH", "/api/v1/namespaces/a/pods/x", false, "patch"),
        ] {
            assert_eq!(seen(method, path, watch).verb(), verb, "{method} {path}");
        }
    }
}
