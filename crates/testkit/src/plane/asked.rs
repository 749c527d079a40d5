//! What the operator's service account asked of a cluster, for `rbac-report`.
//!
//! In: the audit log of a plane. Out: one line of JSON per distinct question, appended to a file of the directory that the
//! environment variable [`AUDIT_DIR`] names; nothing without it. What is told is what roles are made of: verbs, groups, resources.

use std::collections::{BTreeSet, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// Names the directory; it is made if it is missing. Nothing is recorded unless it is set.
pub const AUDIT_DIR: &str = "AUDIT_DIR";
/// The service account, whatever its namespace.
const ACCOUNT: &str = ":llm-operator";
/// How often the log is read. A program that ends leaves the last of these unread.
const EVERY: Duration = Duration::from_millis(300);
/// Resources of which a role may name the objects; names of others are not told.
const NAMED: [&str; 4] = ["secrets", "apiservices", "customresourcedefinitions", "leases"];
/// The answer to an apply that has made an object.
const CREATED: u16 = 201;
/// Names of Helm's records, which are many.
const HELM_RECORDS: &str = "sh.helm.release.v1.";

/// One question and its answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Asked {
    /// The test program, by the name of its executable.
    pub program: String,
    /// Whether Helm asked, which runs under the same account.
    pub helm: bool,
    /// The verb, as in a role.
    pub verb: String,
    /// The API group; empty for the core group.
    pub group: String,
    /// The plural, with `/subresource` if any; the path for what is no resource.
    pub resource: String,
    /// Where: empty for the whole cluster, `own` for the account's namespace, `other`.
    pub namespace: String,
    /// The object, for resources of which a role may name objects; else empty.
    pub name: String,
    /// Whether the API server let it pass.
    pub allowed: bool,
}

/// Where to write to, if at all.
pub(super) fn directory() -> Option<PathBuf> {
    std::env::var_os(AUDIT_DIR)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// Reads a log for as long as it lives, and once more at its end.
#[derive(Debug)]
pub(super) struct Record(Arc<Mutex<Reader>>);

impl Record {
    /// Of this log, if it is wanted; the future is to be run beside the plane.
    pub(super) fn start(log: PathBuf) -> Option<(Self, impl Future<Output = ()> + Send + 'static)> {
        let reader = Reader::new(log, &directory()?);
        let shared = Arc::new(Mutex::new(reader));
        let weak = Arc::downgrade(&shared);
        let follow = async move {
            while let Some(reader) = weak.upgrade() {
                reader.lock().read();
                drop(reader);
                tokio::time::sleep(EVERY).await;
            }
        };
        Some((Self(shared), follow))
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.0.lock().read();
    }
}

#[derive(Debug)]
struct Reader {
    log: PathBuf,
    offset: u64,
    into: PathBuf,
    program: String,
    known: HashSet<Asked>,
}

impl Reader {
    fn new(log: PathBuf, directory: &Path) -> Self {
        static PLANES: AtomicU32 = AtomicU32::new(0);
        let program = program();
        let number = PLANES.fetch_add(1, Ordering::Relaxed);
        let name = format!("{program}-{}-{number}.jsonl", std::process::id());
        Self {
            log,
            offset: 0,
            into: directory.join(name),
            program,
            known: HashSet::new(),
        }
    }

    /// Appends what is new. What cannot be read now is read the next time; what cannot be written is told once it is missed.
    fn read(&mut self) {
        let new = self.new_questions().unwrap_or_default();
        if !new.is_empty()
            && let Err(error) = self.append(&new)
        {
            eprintln!("{}: {error}: what was asked is not recorded", self.into.display());
        }
    }

    fn new_questions(&mut self) -> std::io::Result<BTreeSet<Asked>> {
        let mut file = File::open(&self.log)?;
        file.seek(SeekFrom::Start(self.offset))?;
        let (mut file, mut line, mut new) = (BufReader::new(file), Vec::new(), BTreeSet::new());
        while file.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
            self.offset += line.len() as u64;
            let fresh = questions(&line, &self.program);
            new.extend(fresh.filter(|asked| self.known.insert(asked.clone())));
            line.clear();
        }
        Ok(new)
    }

    fn append(&self, new: &BTreeSet<Asked>) -> std::io::Result<()> {
        if let Some(directory) = self.into.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let mut text = String::new();
        for asked in new {
            text.push_str(&serde_json::to_string(asked)?);
            text.push('\n');
        }
        let mut file = OpenOptions::new().create(true).append(true).open(&self.into)?;
        file.write_all(text.as_bytes())
    }
}

/// The executable's name without the digits that the build puts behind it.
fn program() -> String {
    let path = std::env::current_exe().unwrap_or_default();
    let stem = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    match stem.rsplit_once('-') {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            name.to_owned()
        }
        _ => stem,
    }
}

/// The parts of an `audit.k8s.io/v1` Event that are used.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    verb: String,
    #[serde(rename = "requestURI")]
    request_uri: String,
    #[serde(default)]
    user_agent: String,
    user: User,
    object_ref: Option<ObjectReference>,
    #[serde(default)]
    response_status: ResponseStatus,
    #[serde(default)]
    annotations: Annotations,
}

#[derive(Debug, Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ObjectReference {
    api_group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Debug, Default, Deserialize)]
struct ResponseStatus {
    #[serde(default)]
    code: u16,
}

#[derive(Debug, Default, Deserialize)]
struct Annotations {
    #[serde(default, rename = "authorization.k8s.io/decision")]
    decision: String,
}

/// A request, and what the API server asked on its behalf without writing it down: an apply that makes an object needs `create` too.
fn questions(line: &[u8], program: &str) -> impl Iterator<Item = Asked> {
    let event: Option<Event> = serde_json::from_slice(line).ok();
    let made = event
        .as_ref()
        .is_some_and(|event| event.verb == "patch" && event.response_status.code == CREATED);
    let asked = event.and_then(|event| question(event, program));
    let create = asked.clone().filter(|_| made).map(|asked| Asked {
        verb: "create".to_owned(),
        ..asked
    });
    asked.into_iter().chain(create)
}

fn question(event: Event, program: &str) -> Option<Asked> {
    let account = event.user.username.strip_prefix("system:serviceaccount:")?;
    let own = account.strip_suffix(ACCOUNT)?;
    let allowed = match event.annotations.decision.as_str() {
        "allow" => true,
        "forbid" => false,
        // It was not even asked whether it may: a broken request, or an authorizer that is away.
        _ => return None,
    };
    let object = event.object_ref.unwrap_or_default();
    let path = event.request_uri.split('?').next().unwrap_or_default();
    let resource = match (object.resource.as_str(), object.subresource.as_str()) {
        ("", _) => path.to_owned(),
        (resource, "") => resource.to_owned(),
        (resource, subresource) => format!("{resource}/{subresource}"),
    };
    let name = match object.name {
        name if !NAMED.contains(&object.resource.as_str()) || name.is_empty() => String::new(),
        name if name.starts_with(HELM_RECORDS) => format!("{HELM_RECORDS}*"),
        name => name,
    };
    let namespace = match object.namespace.as_str() {
        "" => "",
        namespace if namespace == own => "own",
        _ => "other",
    };
    Some(Asked {
        program: program.to_owned(),
        helm: event.user_agent.starts_with("Helm/"),
        verb: event.verb,
        group: object.api_group,
        resource,
        namespace: namespace.to_owned(),
        name,
        allowed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::TemporaryDirectory;

    fn line(user: &str, verb: &str, object: &str, decision: &str) -> String {
        format!(
            r#"{{"stage":"ResponseComplete","verb":"{verb}","requestURI":"/x?y","userAgent":"Helm/4.3.1","user":{{"username":"{user}"}},"objectRef":{object},"responseStatus":{{"code":201}},"annotations":{{"authorization.k8s.io/decision":"{decision}"}}}}"#
        )
    }

    #[test]
    fn questions_are_told_once_each_and_only_the_operators() {
        let directory = TemporaryDirectory::new("test").unwrap();
        let log = directory.path().join("audit.log");
        let operator = "system:serviceaccount:llm-system:llm-operator";
        let secret = r#"{"resource":"secrets","namespace":"llm-system","name":"hf-token"}"#;
        let service = r#"{"resource":"services","namespace":"n","name":"a"}"#;
        let scale = r#"{"apiGroup":"apps","resource":"deployments","subresource":"scale","namespace":"n","name":"a"}"#;
        let lines = [
            line(operator, "get", secret, "allow"),
            line(operator, "get", secret, "allow"),
            line(operator, "patch", scale, "forbid"),
            line(operator, "patch", service, "allow"),
            line("system:serviceaccount:n:other", "get", secret, "allow"),
            line("kubernetes-admin", "get", secret, "allow"),
            "{\"stage\":\"Resp".to_owned(),
        ];
        std::fs::write(&log, lines.join("\n")).unwrap();
        let mut reader = Reader::new(log, &directory.path().join("out"));
        reader.read();
        reader.read();
        let text = std::fs::read_to_string(&reader.into).unwrap();
        let found: Vec<Asked> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let told = |asked: &Asked| {
            let Asked {
                verb,
                group,
                resource,
                namespace,
                name,
                ..
            } = asked;
            (
                format!("{verb} {group}/{resource} {namespace} {name}"),
                asked.allowed,
            )
        };
        let mut told: Vec<_> = found.iter().map(told).collect();
        told.sort();
        assert_eq!(
            told,
            [
                ("create /services other ".to_owned(), true),
                ("create apps/deployments/scale other ".to_owned(), false),
                ("get /secrets own hf-token".to_owned(), true),
                ("patch /services other ".to_owned(), true),
                ("patch apps/deployments/scale other ".to_owned(), false),
            ]
        );
        assert!(found.iter().all(|asked| asked.helm && asked.program == program()));
        assert!(program().starts_with("testkit"), "{}", program());
    }
}
