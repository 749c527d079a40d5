//! Images: a container's reference in, its table entry out once the pull has succeeded.
//! Policies, back-off, Events and messages are kubelet's. It must not run anything.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Secret};
use kube::api::Api;
use tokio::time::Instant;

use super::PodContext;
use super::backoff::{Backoff, First};
use super::container::field;
use crate::node::image_table::{ImageEntry, canonical, default_pull_policy};

/// `ErrImagePull` shows about this long before the back-off does.
const ERROR_SHOWS: Duration = Duration::from_secs(2);
/// kubelet looks again at an image that must not be pulled.
const RETRY: Duration = Duration::from_secs(10);

/// The image's id in a status.
pub(crate) fn id(container: &Container) -> String {
    let reference = canonical(container.image.as_deref().unwrap_or_default());
    let mut digest = String::new();
    for part in 0..4_u8 {
        let mut hasher = DefaultHasher::new();
        (part, &reference).hash(&mut hasher);
        // Writing to a String cannot fail.
        let _ = write!(digest, "{:016x}", hasher.finish());
    }
    let name = crate::node::image_table::repository(&reference);
    format!("{name}@sha256:{digest}")
}

/// Tries until the image is on the node.
pub(crate) async fn ensure(context: &PodContext, container: &Container) -> ImageEntry {
    let reference = container.image.as_deref().unwrap_or_default();
    let policy = container
        .image_pull_policy
        .as_deref()
        .unwrap_or_else(|| default_pull_policy(reference));
    let pull = Pull {
        context,
        name: &container.name,
        reference,
    };
    let mut backoff = Backoff::default();
    loop {
        if let Some(problem) = malformed(reference) {
            let message = format!("Failed to apply default image tag \"{reference}\": {problem}");
            pull.warning("InspectFailed", message.clone());
            pull.wait("InvalidImageName", message, RETRY).await;
            continue;
        }
        let present = context.node.has_image(reference);
        if policy == "Never" && !present {
            let message = format!("Container image \"{reference}\" is not present with pull policy of Never");
            pull.warning("ErrImageNeverPull", message.clone());
            pull.wait("ErrImageNeverPull", message, RETRY).await;
            continue;
        }
        let attempt = if policy != "Always" && present {
            context.events.normal(
                &field(context, &container.name),
                "Pulled",
                format!("Container image \"{reference}\" already present on machine and can be accessed by the pod"),
            );
            context
                .shared
                .options
                .images
                .find(reference)
                .cloned()
                .ok_or_else(|| not_found(reference))
        } else {
            pull.attempt().await
        };
        match attempt {
            Ok(entry) => return entry,
            Err(error) => {
                pull.warning("Failed", format!("Failed to pull image \"{reference}\": {error}"));
                pull.wait("ErrImagePull", error.clone(), ERROR_SHOWS).await;
                let pause = backoff.next(Duration::ZERO, Instant::now(), First::Waits);
                let message = format!("Back-off pulling image \"{reference}\"");
                context
                    .events
                    .normal(&field(context, &container.name), "BackOff", message.clone());
                let message = format!("{message}: ErrImagePull: {error}");
                pull.wait("ImagePullBackOff", message, pause.saturating_sub(ERROR_SHOWS))
                    .await;
            }
        }
    }
}

struct Pull<'a> {
    context: &'a PodContext,
    name: &'a str,
    reference: &'a str,
}

impl Pull<'_> {
    async fn attempt(&self) -> Result<ImageEntry, String> {
        let Self {
            context, reference, ..
        } = *self;
        let field = field(context, self.name);
        context
            .events
            .normal(&field, "Pulling", format!("Pulling image \"{reference}\""));
        let began = Instant::now();
        let (fault, time) = context.shared.faults.pull(reference);
        tokio::time::sleep(time).await;
        if let Some(message) = fault {
            return Err(message);
        }
        let entry = context
            .shared
            .options
            .images
            .find(reference)
            .ok_or_else(|| not_found(reference))?;
        if entry.private && !self.has_credentials().await {
            return Err(denied(reference));
        }
        context.node.add_image(reference);
        let took = began.elapsed().as_millis();
        let size = entry.size;
        context.events.normal(
            &field,
            "Pulled",
            format!(
                "Successfully pulled image \"{reference}\" in {took}ms ({took}ms including waiting). Image size: \
                 {size} bytes."
            ),
        );
        Ok(entry.clone())
    }

    /// One of the Pod's pull secrets exists and is one. Missing ones are told, as kubelet does.
    async fn has_credentials(&self) -> bool {
        let context = self.context;
        let secrets: Api<Secret> = Api::namespaced(context.shared.client.clone(), &context.namespace);
        let (mut found, mut missing) = (false, Vec::new());
        for reference in context.spec.image_pull_secrets.iter().flatten() {
            match secrets.get_opt(&reference.name).await {
                Ok(Some(secret)) => {
                    found |= secret.type_.as_deref() == Some("kubernetes.io/dockerconfigjson");
                }
                _ => missing.push(reference.name.as_str()),
            }
        }
        if !missing.is_empty() {
            let message = format!(
                "Unable to retrieve some image pull secrets ({}); attempting to pull the image may not succeed.",
                missing.join(", ")
            );
            context
                .events
                .warning("", "FailedToRetrieveImagePullSecret", message);
        }
        found
    }

    fn warning(&self, reason: &str, message: String) {
        self.context
            .events
            .warning(&field(self.context, self.name), reason, message);
    }

    async fn wait(&self, reason: &str, message: String, real: Duration) {
        self.warning("Failed", format!("Error: {reason}"));
        self.context.board.waiting(self.name, reason, message);
        tokio::time::sleep(self.context.shared.backoff(real)).await;
    }
}

fn malformed(reference: &str) -> Option<String> {
    let repository = crate::node::image_table::repository(reference);
    let path = repository.split_once('/').map_or(repository, |(_, path)| path);
    let parsed = if path.chars().any(|c| c.is_ascii_uppercase()) {
        format!("invalid reference format: repository name ({repository}) must be lowercase")
    } else if repository.is_empty() || repository.contains(char::is_whitespace) || repository.contains("//") {
        "invalid reference format".to_owned()
    } else {
        return None;
    };
    Some(format!("couldn't parse image name \"{reference}\": {parsed}"))
}

fn unresolved(reference: &str, code: &str, why: &str) -> String {
    let full = canonical(reference);
    format!(
        "rpc error: code = {code} desc = failed to pull and unpack image \"{full}\": failed to resolve reference \
         \"{full}\": {why}"
    )
}

fn not_found(reference: &str) -> String {
    unresolved(
        reference,
        "NotFound",
        &format!("{}: not found", canonical(reference)),
    )
}

fn denied(reference: &str) -> String {
    let why = "pull access denied, repository does not exist or may require authorization: server message: \
               insufficient_scope: authorization failed";
    unresolved(reference, "Unknown", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_the_runtimes() {
        assert_eq!(
            not_found("nobody/x:v1"),
            "rpc error: code = NotFound desc = failed to pull and unpack image \"docker.io/nobody/x:v1\": failed to \
             resolve reference \"docker.io/nobody/x:v1\": docker.io/nobody/x:v1: not found"
        );
        assert!(malformed("nobody/X:v1").unwrap().contains("must be lowercase"));
        assert!(malformed("Registry.example:5000/a/b:V1").is_none());
    }
}
