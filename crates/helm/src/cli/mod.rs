//! Helm as a child process.
//!
//! In: [`CliHelmOptions`] and what the trait [`Helm`] asks for. Out: the Helm CLI called in an environment of its own: private
//! directories, no plugin but our post-renderer, credentials in files that only we read. Every process runs under
//! [`crate::tool::guard`], so that it ends with whoever asked for it. It must not decide what is done to a release.

mod arguments;
mod capabilities;
mod digest;
mod environment;
mod errors;
mod files;
mod home;
mod kubeconfig;
mod messages;
mod options;
mod output;
mod process;
mod pull;
mod releases;
mod render;
mod run;

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use tokio::sync::Semaphore;

pub use options::{Capabilities, CapabilitiesSource, CliHelmOptions, KubeconfigSource};

use self::{home::Home, releases::Releases};
use crate::{Chart, Helm, HelmError, LocalChart, Operation, ReleaseName, ReleaseSpec, Rendered};

/// The Helm CLI.
#[derive(Debug)]
pub struct CliHelm {
    options: CliHelmOptions,
    home: Home,
    /// As many permits as processes may run.
    processes: Arc<Semaphore>,
    releases: Releases,
}

impl CliHelm {
    /// Makes the directories and files that every call needs. Starts nothing.
    pub fn new(options: CliHelmOptions) -> Result<Self, HelmError> {
        let home = Home::prepare(&options)?;
        Ok(Self {
            processes: Arc::new(Semaphore::new(options.concurrency.max(1))),
            releases: Releases::default(),
            home,
            options,
        })
    }
}

impl Helm for CliHelm {
    fn pull<'a>(&'a self, chart: &'a Chart) -> BoxFuture<'a, Result<LocalChart, HelmError>> {
        pull::pull(self, chart).boxed()
    }

    fn render<'a>(
        &'a self,
        chart: &'a LocalChart,
        spec: &'a ReleaseSpec,
    ) -> BoxFuture<'a, Result<Rendered, HelmError>> {
        render::render(self, chart, spec).boxed()
    }

    fn run<'a>(
        &'a self,
        release: &'a ReleaseName,
        operation: &'a Operation,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<(), HelmError>> {
        run::run(self, release, operation, timeout).boxed()
    }

    fn settled(&self) -> BoxFuture<'_, ()> {
        async {
            let all = u32::try_from(self.options.concurrency.max(1)).unwrap_or(u32::MAX);
            let _ = self.processes.acquire_many(all).await;
        }
        .boxed()
    }
}
