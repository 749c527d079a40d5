//! Whether a caller may read the metric of a namespace, as the cluster's own authorizers decide.
//!
//! In: a caller and a namespace. Out: yes, or a sentence. Answers are remembered for some seconds, up to a bound, as API
//! servers do; failures are not.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use parking_lot::Mutex;

use super::caller::Caller;
use crate::names::{GROUP, METRIC, VERSION};

/// As long as API servers remember what their webhooks said, for both answers.
const REMEMBERED: Duration = Duration::from_secs(10);
/// Questions remembered: callers times namespaces in [`REMEMBERED`]. A question with its answer takes some hundred bytes.
const QUESTIONS: usize = 1024;

/// The caller does not get an answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccessError {
    /// The caller may not.
    #[error(
        "{user:?} cannot list resource {METRIC:?} in API group {GROUP:?} in the namespace {namespace:?}{why}"
    )]
    Denied {
        user: String,
        namespace: String,
        /// Empty, or `: ` and the authorizer's words.
        why: String,
    },
    /// Nobody can say.
    #[error("the API server does not say whether the caller may: {0}")]
    Unknown(#[source] Box<kube::Error>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Question {
    caller: Caller,
    namespace: String,
}

#[derive(Clone, Debug)]
struct Answer {
    allowed: bool,
    why: String,
    until: Instant,
}

/// Asks and remembers.
pub(crate) struct Access {
    reviews: Api<SubjectAccessReview>,
    remembered: Remembered,
}

impl Access {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            reviews: Api::all(client),
            remembered: Remembered::default(),
        }
    }

    /// Whether the caller may read the metric of this namespace.
    pub(crate) async fn check(&self, caller: Caller, namespace: &str) -> Result<(), AccessError> {
        let question = Question {
            caller,
            namespace: namespace.to_owned(),
        };
        let answer = match self.remembered.recall(&question, Instant::now()) {
            Some(answer) => answer,
            None => self.ask(&question).await?,
        };
        if answer.allowed {
            return Ok(());
        }
        Err(AccessError::Denied {
            user: question.caller.user,
            namespace: question.namespace,
            why: answer.why,
        })
    }

    async fn ask(&self, question: &Question) -> Result<Answer, AccessError> {
        let asked = Instant::now();
        let review = review(question);
        let decided = self.reviews.create(&PostParams::default(), &review).await;
        let status = decided
            .map_err(|error| AccessError::Unknown(Box::new(error)))?
            .status
            .unwrap_or_default();
        let reason = status.reason.filter(|why| !why.is_empty());
        let answer = Answer {
            allowed: status.allowed,
            why: reason.map_or_else(String::new, |why| format!(": {why}")),
            until: asked + REMEMBERED,
        };
        self.remembered.keep(question.clone(), answer.clone(), asked);
        Ok(answer)
    }
}

#[derive(Default)]
struct Remembered(Mutex<HashMap<Question, Answer>>);

impl Remembered {
    fn recall(&self, question: &Question, now: Instant) -> Option<Answer> {
        let answers = self.0.lock();
        answers.get(question).filter(|answer| answer.until > now).cloned()
    }

    fn keep(&self, question: Question, answer: Answer, now: Instant) {
        let mut answers = self.0.lock();
        if answers.len() >= QUESTIONS {
            answers.retain(|_, answer| answer.until > now);
        }
        if answers.len() >= QUESTIONS {
            answers.clear();
        }
        answers.insert(question, answer);
    }
}

/// The front proxy turns a GET of a metric into the verb `list`, since no object is named; so do we.
fn review(question: &Question) -> SubjectAccessReview {
    let Question { caller, namespace } = question;
    let attributes = ResourceAttributes {
        group: Some(GROUP.to_owned()),
        version: Some(VERSION.to_owned()),
        resource: Some(METRIC.to_owned()),
        namespace: Some(namespace.clone()),
        verb: Some("list".to_owned()),
        ..ResourceAttributes::default()
    };
    SubjectAccessReview {
        metadata: ObjectMeta::default(),
        spec: SubjectAccessReviewSpec {
            user: Some(caller.user.clone()),
            uid: caller.uid.clone(),
            groups: Some(caller.groups.clone()),
            extra: Some(caller.extra.clone()),
            resource_attributes: Some(attributes),
            ..SubjectAccessReviewSpec::default()
        },
        status: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn question(number: usize) -> Question {
        Question {
            caller: Caller {
                user: format!("u{number}"),
                uid: None,
                groups: Vec::new(),
                extra: BTreeMap::default(),
            },
            namespace: "n".to_owned(),
        }
    }

    #[test]
    fn answers_are_remembered_for_a_while_and_up_to_a_bound() {
        let remembered = Remembered::default();
        let start = Instant::now();
        let keep = |number| {
            let answer = Answer {
                allowed: true,
                why: String::new(),
                until: start + REMEMBERED,
            };
            remembered.keep(question(number), answer, start);
        };
        keep(0);
        assert!(remembered.recall(&question(0), start).unwrap().allowed);
        assert!(remembered.recall(&question(1), start).is_none());
        assert!(remembered.recall(&question(0), start + REMEMBERED).is_none());
        for number in 0..3 * QUESTIONS {
            keep(number);
            assert!(remembered.0.lock().len() <= QUESTIONS);
        }
        assert!(remembered.recall(&question(3 * QUESTIONS - 1), start).is_some());
    }

    #[test]
    fn the_question_is_the_one_that_the_front_proxy_asked() {
        let spec = review(&question(1)).spec;
        assert_eq!(spec.user.as_deref(), Some("u1"));
        let asked = serde_json::to_value(spec.resource_attributes.unwrap()).unwrap();
        let expected = serde_json::json!({
            "group": "external.metrics.k8s.io",
            "version": "v1beta1",
            "resource": "llm_operator_desired_replicas",
            "namespace": "n",
            "verb": "list",
        });
        assert_eq!(asked, expected);
    }
}
