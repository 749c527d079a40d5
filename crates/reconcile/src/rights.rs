//! Whether we may do something, asked before it is tried: what is withheld on purpose is then never a denied request.
//!
//! In: a client and a [`Right`]. Out: the API server's answer. It remembers nothing.

use std::fmt;

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::{Api, Client, api::PostParams};

/// A right on a resource of the whole cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Right {
    /// Verb, as in a role.
    pub verb: &'static str,
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Plural.
    pub resource: &'static str,
    /// One object by name, or all of them.
    pub name: Option<&'static str>,
}

impl Right {
    /// A right on all objects of a resource.
    pub const fn new(verb: &'static str, group: &'static str, resource: &'static str) -> Self {
        Self {
            verb,
            group,
            resource,
            name: None,
        }
    }

    /// Whether the client's own account has it.
    ///
    /// # Errors
    /// The API server could not be asked.
    pub async fn is_held(&self, client: &Client) -> Result<bool, kube::Error> {
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(ResourceAttributes {
                    verb: Some(self.verb.to_owned()),
                    group: Some(self.group.to_owned()),
                    resource: Some(self.resource.to_owned()),
                    name: self.name.map(str::to_owned),
                    ..ResourceAttributes::default()
                }),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
        let answer = reviews.create(&PostParams::default(), &review).await?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        self.name.map_or(Ok(()), |name| write!(f, " {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Right;

    #[test]
    fn a_right_reads_as_kubectl_auth_can_i_takes_it() {
        let nodes = Right::new("list", "", "nodes");
        assert_eq!(nodes.to_string(), "list nodes");
        let service = Right {
            name: Some("v1.a.b"),
            ..Right::new("patch", "apiregistration.k8s.io", "apiservices")
        };
        assert_eq!(
            service.to_string(),
            "patch apiservices.apiregistration.k8s.io v1.a.b"
        );
    }
}
