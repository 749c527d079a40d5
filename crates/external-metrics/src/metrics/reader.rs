//! Whether the bearer of a token may read the metrics, as the cluster says.
//!
//! In: a token. Out: a [`Verdict`]. It asks as controller-runtime's filter does: a `TokenReview` says who it is, a
//! `SubjectAccessReview` whether they may `get` the path `/metrics`. Few questions are under way at once, so that strangers cannot
//! make the operator ask the API server more than that.

use std::collections::BTreeMap;
use std::time::Instant;

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::authorization::v1::{
    NonResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::sync::Semaphore;

use super::remembered::{Remembered, TokenDigest};

/// The path in roles, whatever the address.
pub(super) const PATH: &str = "/metrics";
/// Questions under way at once; the others wait for their turn, or until their time is over.
const QUESTIONS: usize = 4;

/// What the cluster says of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its bearer may.
    Allowed,
    /// It is nobody's: in the API server's words.
    Nobody(String),
    /// This user may not.
    Denied(String),
}

/// Asks and remembers.
pub(super) struct Readers {
    tokens: Api<TokenReview>,
    access: Api<SubjectAccessReview>,
    turns: Semaphore,
    remembered: Remembered,
}

impl Readers {
    pub(super) fn new(client: Client) -> Self {
        Self {
            tokens: Api::all(client.clone()),
            access: Api::all(client),
            turns: Semaphore::new(QUESTIONS),
            remembered: Remembered::default(),
        }
    }

    /// What the cluster says of a token; failures are not remembered.
    pub(super) async fn judge(&self, token: &str) -> Result<Verdict, kube::Error> {
        let digest = TokenDigest::of(token);
        if let Some(verdict) = self.remembered.recall(digest, Instant::now()) {
            return Ok(verdict);
        }
        // Never closed, so there is always a turn.
        let _turn = self.turns.acquire().await;
        let asked = Instant::now();
        // Somebody with the same token may have had the turn before.
        if let Some(verdict) = self.remembered.recall(digest, asked) {
            return Ok(verdict);
        }
        let verdict = self.ask(token).await?;
        self.remembered.keep(digest, verdict.clone(), asked);
        Ok(verdict)
    }

    async fn ask(&self, token: &str) -> Result<Verdict, kube::Error> {
        let params = PostParams::default();
        let review = self.tokens.create(&params, &token_review(token)).await?;
        let status = review.status.unwrap_or_default();
        let user = status.user.unwrap_or_default();
        let name = user.username.clone().unwrap_or_default();
        if !status.authenticated.unwrap_or_default() || name.is_empty() {
            return Ok(Verdict::Nobody(status.error.unwrap_or_default()));
        }
        let review = self.access.create(&params, &access_review(user)).await?;
        let allowed = review.status.is_some_and(|status| status.allowed);
        Ok(if allowed {
            Verdict::Allowed
        } else {
            Verdict::Denied(name)
        })
    }
}

fn token_review(token: &str) -> TokenReview {
    TokenReview {
        metadata: ObjectMeta::default(),
        spec: TokenReviewSpec {
            token: token.to_owned(),
            ..TokenReviewSpec::default()
        },
        status: None,
    }
}

fn access_review(user: UserInfo) -> SubjectAccessReview {
    let extra: Option<BTreeMap<_, _>> = user.extra;
    SubjectAccessReview {
        metadata: ObjectMeta::default(),
        spec: SubjectAccessReviewSpec {
            user: user.username,
            uid: user.uid,
            groups: user.groups,
            extra,
            non_resource_attributes: Some(NonResourceAttributes {
                path: Some(PATH.to_owned()),
                verb: Some("get".to_owned()),
            }),
            ..SubjectAccessReviewSpec::default()
        },
        status: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_is_about_the_path_and_the_whole_user() {
        let user = UserInfo {
            username: Some("prometheus".to_owned()),
            groups: Some(vec!["scrapers".to_owned()]),
            ..UserInfo::default()
        };
        let asked = serde_json::to_value(access_review(user).spec).unwrap();
        let expected = serde_json::json!({
            "user": "prometheus",
            "groups": ["scrapers"],
            "nonResourceAttributes": {"path": "/metrics", "verb": "get"},
        });
        assert_eq!(asked, expected);
    }
}
