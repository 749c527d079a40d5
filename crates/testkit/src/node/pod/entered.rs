//! Running containers by name, for commands that somebody runs in them: entered when they start, left when they end.
//! It must not keep a Pod alive.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::env::Launch;
use super::{PodContext, exec};

/// Namespace, Pod and container.
type Key = (String, String, String);

/// All containers that run now.
#[derive(Default)]
pub(crate) struct Containers(Mutex<HashMap<Key, (Weak<PodContext>, Launch)>>);

/// The entry of one run; it goes with the value.
pub(crate) struct Entered<'a> {
    containers: &'a Containers,
    key: Key,
}

impl Containers {
    pub(crate) fn enter(&self, context: &Arc<PodContext>, launch: &Launch) -> Entered<'_> {
        let key = (
            context.namespace.clone(),
            context.name.clone(),
            launch.container.clone(),
        );
        let entry = (Arc::downgrade(context), launch.clone());
        self.0.lock().insert(key.clone(), entry);
        Entered {
            containers: self,
            key,
        }
    }

    /// Runs a command in a container as `kubectl exec` does: its exit code, and what it printed, errors last. `None`: no
    /// such container runs.
    pub(crate) async fn run(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        argv: &[String],
    ) -> Option<Result<(i32, String), String>> {
        let key = (namespace.to_owned(), pod.to_owned(), container.to_owned());
        let (context, launch) = self.0.lock().get(&key).cloned()?;
        let context = context.upgrade()?;
        Some(exec::run(&context, &launch, argv).await)
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.containers.0.lock().remove(&self.key);
    }
}
