//! What happened, as the API server wrote it down: who asked for what, and when it was answered.
//!
//! In: the audit log from one point on. Out: times and counts. Nothing is watched for this, so that measuring costs both
//! subjects the same and little.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use testkit::plane::audit::{AuditLog, Filter, Mark, Request};

/// Part of the name of the user that every subject is.
const SUBJECT: &str = "llm-system:llm-operator";
/// The children of one resource.
const CHILDREN: [&str; 3] = ["deployments", "services", "networkpolicies"];

/// Number of requests by verb and resource.
pub type Counts = BTreeMap<(String, String), usize>;

/// Every request since it was begun.
pub struct Journal {
    log: AuditLog,
    mark: Mark,
    requests: Vec<Request>,
}

impl Journal {
    /// Begins now.
    pub fn begin(log: AuditLog) -> Self {
        let mark = log.mark();
        Self {
            log,
            mark,
            requests: Vec::new(),
        }
    }

    /// Reads on; how many of the new requests are writes of the subject.
    pub fn read(&mut self) -> Result<usize, String> {
        let new = self.log.requests_from(&mut self.mark, &Filter::everyone());
        let new = new.map_err(|error| format!("the audit log cannot be read: {error}"))?;
        let writes = new
            .iter()
            .filter(|request| is_subjects(request) && request.is_write());
        let writes = writes.count();
        self.requests.extend(new);
        Ok(writes)
    }

    /// When the first resource was asked for.
    pub fn first_creation(&self) -> Option<Timestamp> {
        let creations = self.requests.iter().filter(|request| is_creation(request));
        creations.map(|request| request.received).min()
    }

    /// Whether `size` deployments have all their children and a status, and `size` models a status.
    pub fn is_complete(&self, size: usize) -> bool {
        let children: usize = self
            .last_child()
            .values()
            .filter(|(kinds, _)| *kinds == CHILDREN.len())
            .count();
        children >= size
            && self.statuses("llmdeployments/status").len() >= size
            && self.statuses("llmmodels/status").len() >= size
    }

    /// When the last status of a kind was written, by name.
    pub fn statuses(&self, resource: &str) -> HashMap<&str, Timestamp> {
        let writes = self
            .subjects_writes()
            .filter(|request| request.resource == resource);
        let mut last = HashMap::new();
        for request in writes {
            last.insert(request.name.as_str(), request.answered);
        }
        last
    }

    /// When the last write was answered that a measurement waits for: a child, or a status.
    pub fn last_needed(&self) -> Option<Timestamp> {
        let needed = self.subjects_writes().filter(|request| {
            CHILDREN.contains(&request.resource.as_str()) || request.resource.ends_with("/status")
        });
        needed.map(|request| request.answered).max()
    }

    /// Milliseconds from each deployment's creation to its last child's, sorted.
    pub fn child_delays(&self) -> Vec<f64> {
        let children = self.last_child();
        let creations = self
            .requests
            .iter()
            .filter(|request| is_creation(request) && request.resource == "llmdeployments");
        let mut delays: Vec<f64> = creations
            .filter_map(|created| {
                let (_, last) = children.get(created.name.as_str())?;
                Some(milliseconds(created.answered, *last))
            })
            .collect();
        delays.sort_by(f64::total_cmp);
        delays
    }

    /// The subject's requests by verb and resource, leases left out. Kinds that hold `writes` only when asked so.
    pub fn counts(&self, writes: bool) -> Counts {
        let mut counts = Counts::new();
        for request in self.requests.iter().filter(|request| is_subjects(request)) {
            // What is not there or not allowed on this plane is asked for now and then, and costs nothing: optional definitions.
            let there = request.status < 400;
            if request.is_write() == writes && there {
                let verb = request.verb.clone();
                *counts.entry((verb, request.resource.clone())).or_default() += 1;
            }
        }
        counts
    }

    /// When somebody whose name contains `user` last wrote to `resource`.
    pub fn last_write_of(&self, user: &str, resource: &str) -> Option<Timestamp> {
        let writes = self.requests.iter().filter(|request| {
            request.user.contains(user) && request.is_write() && request.resource == resource
        });
        writes.map(|request| request.answered).max()
    }

    /// By name: how many kinds of children exist, and when the last of them was created.
    fn last_child(&self) -> HashMap<&str, (usize, Timestamp)> {
        let mut first: HashMap<(&str, &str), Timestamp> = HashMap::new();
        for request in self.subjects_writes() {
            if CHILDREN.contains(&request.resource.as_str()) {
                let key = (request.name.as_str(), request.resource.as_str());
                first.entry(key).or_insert(request.answered);
            }
        }
        let mut last = HashMap::new();
        for ((name, _), answered) in first {
            let (kinds, latest) = last.entry(name).or_insert((0, answered));
            *kinds += 1;
            *latest = answered.max(*latest);
        }
        last
    }

    fn subjects_writes(&self) -> impl Iterator<Item = &Request> {
        self.requests
            .iter()
            .filter(|request| is_subjects(request) && request.is_write() && request.status < 300)
    }
}

fn is_subjects(request: &Request) -> bool {
    request.user.ends_with(SUBJECT)
}

fn is_creation(request: &Request) -> bool {
    request.verb == "create" && matches!(request.resource.as_str(), "llmdeployments" | "llmmodels")
}

/// From one time to a later one.
pub fn milliseconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64() * 1e3
}
