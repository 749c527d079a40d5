//! Counting requests from the API server's audit log.
//!
//! In: the log file, a [`Mark`] in time, a [`Filter`]. Out: [`Counts`] by verb and resource: what an operator really
//! sent, seen from the other side.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::PathBuf;

use jiff::Timestamp;
use serde::Deserialize;

use super::pki::Identity;

/// Verbs that change nothing.
const READS: [&str; 3] = ["get", "list", "watch"];
/// Questions that are asked by `create`: nothing is kept of them.
const QUESTIONS: [&str; 4] = [
    "selfsubjectaccessreviews",
    "selfsubjectrulesreviews",
    "subjectaccessreviews",
    "tokenreviews",
];

/// What the API server writes down: each request once it is answered, and each watch when it starts. The plane's own
/// readers are left out, they would be most of the log. Unless `everything` is wanted, it is what service accounts ask that are not
/// Kubernetes' own.
pub(super) fn policy(everything: bool) -> String {
    let readers = [
        Identity::ControllerManager.user(),
        Identity::Scheduler.user(),
        Identity::Nodes.user(),
        "system:apiserver",
    ];
    let rules = if everything {
        serde_json::json!([
            { "level": "None", "users": readers, "verbs": READS },
            { "level": "Metadata" },
        ])
    } else {
        serde_json::json!([
            { "level": "None", "userGroups": ["system:serviceaccounts:kube-system"] },
            { "level": "Metadata", "userGroups": ["system:serviceaccounts"] },
            { "level": "None" },
        ])
    };
    serde_json::json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": rules,
    })
    .to_string()
}

/// A point in time from which requests are counted.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    offset: u64,
    time: Timestamp,
}

/// Which requests are counted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    user: Option<String>,
    leases: bool,
}

impl Filter {
    /// Every user's requests but those for leases.
    pub fn everyone() -> Self {
        Self::default()
    }

    /// The requests of users whose name contains `part`, but those for leases.
    pub fn user(part: impl Into<String>) -> Self {
        Self {
            user: Some(part.into()),
            leases: false,
        }
    }

    /// Counts requests for leases too.
    #[must_use]
    pub fn with_leases(mut self) -> Self {
        self.leases = true;
        self
    }

    fn takes(&self, request: &Request) -> bool {
        let wanted = self.user.as_ref().is_none_or(|part| request.user.contains(part));
        wanted && (self.leases || !request.resource.starts_with("leases"))
    }
}

/// One request, as the API server saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The user's name, such as `system:serviceaccount:llm-operator-system:llm-operator`.
    pub user: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or `deletecollection`.
    pub verb: String,
    /// The resource's plural, with `/subresource` if any; empty for paths outside the API.
    pub resource: String,
    /// The namespace, empty for cluster-wide requests.
    pub namespace: String,
    /// The object's name, empty for collections.
    pub name: String,
    /// The path and query.
    pub uri: String,
    /// The HTTP status of the answer, 0 when there was none.
    pub status: u16,
    /// When it was received.
    pub received: Timestamp,
    /// When it was answered; for a watch, when it began.
    pub answered: Timestamp,
}

impl Request {
    /// Does it change something, or try to?
    pub fn is_write(&self) -> bool {
        is_write(&self.verb, &self.resource)
    }
}

fn is_write(verb: &str, resource: &str) -> bool {
    !READS.contains(&verb) && !QUESTIONS.contains(&resource)
}

/// How many requests there were by verb and resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<(String, String), u64>);

impl Counts {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Those that change something, or try to.
    pub fn writes(&self) -> u64 {
        self.sum(is_write)
    }

    /// Those that only look.
    pub fn reads(&self) -> u64 {
        self.sum(|verb, resource| !is_write(verb, resource))
    }

    /// Those of one verb and one resource, such as `patch` and `llmdeployments/status`.
    pub fn of(&self, verb: &str, resource: &str) -> u64 {
        self.sum(|v, r| v == verb && r == resource)
    }

    /// Each verb and resource with its number.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        self.0
            .iter()
            .map(|((verb, resource), count)| (verb.as_str(), resource.as_str(), *count))
    }

    fn sum(&self, takes: impl Fn(&str, &str) -> bool) -> u64 {
        self.iter()
            .filter(|(verb, resource, _)| takes(verb, resource))
            .map(|(_, _, count)| count)
            .sum()
    }
}

impl Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (verb, resource, count) in self.iter() {
            writeln!(formatter, "{count:>7} {verb} {resource}")?;
        }
        Ok(())
    }
}

/// The audit log of one cluster.
#[derive(Debug, Clone)]
pub struct AuditLog {
    path: PathBuf,
}

impl AuditLog {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Now: later requests count, those already received do not, answered or not.
    pub fn mark(&self) -> Mark {
        let offset = std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len());
        Mark {
            offset,
            time: Timestamp::now(),
        }
    }

    /// The requests since the mark that the filter takes, in the order in which they were answered.
    pub fn requests_since(&self, mark: &Mark, filter: &Filter) -> std::io::Result<Vec<Request>> {
        let mut from = *mark;
        self.requests_from(&mut from, filter)
    }

    /// The requests since the mark that the filter takes, as [`AuditLog::requests_since`], and moves the mark behind
    /// them: asked again, it gives only what came meanwhile.
    pub fn requests_from(&self, mark: &mut Mark, filter: &Filter) -> std::io::Result<Vec<Request>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(mark.offset))?;
        let mut file = BufReader::new(file);
        let (mut requests, mut line) = (Vec::new(), Vec::new());
        while file.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
            mark.offset += line.len() as u64;
            if let Ok(event) = serde_json::from_slice::<Event>(&line)
                && event.request_received_timestamp >= mark.time
                && event.counts()
            {
                requests.push(event.into_request());
            }
            line.clear();
        }
        requests.retain(|request| filter.takes(request));
        Ok(requests)
    }

    /// How many requests there were since the mark that the filter takes.
    pub fn count_since(&self, mark: &Mark, filter: &Filter) -> std::io::Result<Counts> {
        let mut counts = Counts::default();
        for request in self.requests_since(mark, filter)? {
            *counts.0.entry((request.verb, request.resource)).or_default() += 1;
        }
        Ok(counts)
    }
}

/// The parts of an `audit.k8s.io/v1` Event that are used.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    stage: String,
    verb: String,
    #[serde(rename = "requestURI")]
    request_uri: String,
    user: User,
    object_ref: Option<ObjectReference>,
    response_status: Option<ResponseStatus>,
    request_received_timestamp: Timestamp,
    stage_timestamp: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ObjectReference {
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ResponseStatus {
    code: u16,
}

impl Event {
    /// A watch is logged twice, when it starts and when it ends: it counts when it starts.
    fn counts(&self) -> bool {
        self.stage == "ResponseStarted" || (self.stage == "ResponseComplete" && self.verb != "watch")
    }

    fn into_request(self) -> Request {
        let object = self.object_ref.unwrap_or_default();
        let resource = match object.subresource.as_str() {
            "" => object.resource,
            subresource => format!("{}/{subresource}", object.resource),
        };
        Request {
            user: self.user.username,
            verb: self.verb,
            resource,
            namespace: object.namespace,
            name: object.name,
            uri: self.request_uri,
            status: self.response_status.unwrap_or_default().code,
            received: self.request_received_timestamp,
            answered: self.stage_timestamp.unwrap_or(self.request_received_timestamp),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AuditLog, Filter};
    use crate::process::TemporaryDirectory;

    fn line(stage: &str, verb: &str, resource: &str, user: &str, received: &str) -> String {
        format!(
            r#"{{"stage":"{stage}","verb":"{verb}","requestURI":"/x","user":{{"username":"{user}"}},"objectRef":{{"resource":"{resource}","subresource":"status"}},"requestReceivedTimestamp":"{received}","responseStatus":{{"code":200}}}}"#
        )
    }

    #[test]
    fn counts_each_request_once_and_only_after_the_mark() {
        let directory = TemporaryDirectory::new("test").unwrap();
        let log = AuditLog::new(directory.path().join("audit.log"));
        let mark = log.mark();
        let (before, after) = ("2001-01-01T00:00:00.000001Z", "2101-01-01T00:00:00.000001Z");
        let lines = [
            line("ResponseComplete", "patch", "pods", "operator", before),
            line("ResponseComplete", "patch", "pods", "operator", after),
            line("ResponseComplete", "patch", "pods", "other", after),
            line("ResponseStarted", "watch", "pods", "operator", after),
            line("ResponseComplete", "watch", "pods", "operator", after),
            line("ResponseComplete", "update", "leases", "operator", after),
            "{\"stage\":\"Resp".to_owned(),
        ];
        std::fs::write(directory.path().join("audit.log"), lines.join("\n")).unwrap();
        let counts = log.count_since(&mark, &Filter::user("operator")).unwrap();
        assert_eq!(
            (counts.total(), counts.writes(), counts.reads()),
            (2, 1, 1),
            "{counts}"
        );
        assert_eq!(counts.of("patch", "pods/status"), 1);
        let mut moving = mark;
        let first = log.requests_from(&mut moving, &Filter::everyone()).unwrap();
        let again = log.requests_from(&mut moving, &Filter::everyone()).unwrap();
        assert_eq!((first.len(), again.len()), (3, 0));
        assert_eq!(
            log.count_since(&mark, &Filter::everyone().with_leases())
                .unwrap()
                .writes(),
            3
        );
    }
}
