//! Charts from the network.
//!
//! In: a chart of a repository or registry, credentials. Out: the chart in our store. Credentials go into files of the call,
//! which are gone with it.

use std::{ffi::OsString, fs, path::PathBuf, sync::Arc};

use super::{registry, repository, store};
use crate::{
    Access, Chart, HelmError, LocalChart, Source,
    cli::{
        CliHelm, errors,
        files::{Scratch, at},
        messages::{Shown, reason},
        process::{Call, Ended},
    },
};

/// Where Go looks for trusted certificates on Linux when nobody says otherwise.
const SYSTEM_CERTIFICATES: &str = "/etc/ssl/certs:/etc/pki/tls/certs";

pub(super) async fn fetch(helm: &CliHelm, chart: &Chart, described: &str) -> Result<LocalChart, HelmError> {
    let session = Session::new(helm, chart, described)?;
    let archive = match &chart.source {
        Source::Repository { url, name } => {
            repository::fetch(&session, url, name, &chart.version, &chart.access).await?
        }
        Source::Registry { reference } => {
            registry::fetch(&session, reference, &chart.version, &chart.access).await?
        }
        Source::Local { path } => path.clone(),
    };
    store::admit(helm, &archive, described).await
}

/// Fetching one chart: a directory, and how failures are told.
pub(super) struct Session<'a> {
    helm: &'a CliHelm,
    pub(super) scratch: Arc<Scratch>,
    described: &'a str,
    shown: Shown,
    env: Vec<(OsString, OsString)>,
}

impl<'a> Session<'a> {
    fn new(helm: &'a CliHelm, chart: &'a Chart, described: &'a str) -> Result<Self, HelmError> {
        let scratch = Arc::new(helm.home.scratch()?);
        Ok(Self {
            env: trust(&chart.access, &scratch)?,
            helm,
            scratch,
            described,
            shown: Shown::without(chart.access.login.iter().map(|(_, secret)| secret)),
        })
    }

    /// Runs Helm for this chart.
    pub(super) async fn call(&self, args: Vec<OsString>) -> Result<Ended, HelmError> {
        let limit = self.helm.options.timeout;
        let mut call = Call::new(args, limit, &self.scratch);
        call.env.clone_from(&self.env);
        let ended = self.helm.call(call).await?;
        if ended.overdue {
            return Err(HelmError::Unreachable {
                chart: self.shown.text(self.described),
                message: format!("nothing came within {}s", limit.as_secs()),
            });
        }
        Ok(ended)
    }

    /// What a failure means.
    pub(super) fn error(&self, message: &str) -> HelmError {
        errors::of_fetch(self.described, message, &self.shown)
    }

    /// What the failure of this process means.
    pub(super) fn failure(&self, ended: &Ended) -> HelmError {
        self.error(reason(&ended.stderr))
    }

    /// The directory that Helm puts the archive in.
    pub(super) fn target(&self) -> Result<PathBuf, HelmError> {
        self.scratch.directory("fetched")
    }

    /// The one archive in it.
    pub(super) fn archive(&self) -> Result<PathBuf, HelmError> {
        let target = self.target()?;
        let mut entries = fs::read_dir(&target).map_err(at(&target))?;
        match entries.next() {
            Some(entry) => Ok(entry.map_err(at(&target))?.path()),
            None => Err(self.error("Helm has fetched nothing")),
        }
    }
}

/// Certificates to trust, beside the system's: a directory of ours before the others.
fn trust(access: &Access, scratch: &Scratch) -> Result<Vec<(OsString, OsString)>, HelmError> {
    const VARIABLE: &str = "SSL_CERT_DIR";
    let Some(ca) = &access.ca else {
        return Ok(Vec::new());
    };
    scratch.directory("trusted")?;
    scratch.write("trusted/ca.pem", ca)?;
    let mut directories = scratch.path().join("trusted").into_os_string();
    directories.push(":");
    directories.push(std::env::var_os(VARIABLE).unwrap_or_else(|| SYSTEM_CERTIFICATES.into()));
    Ok(vec![(VARIABLE.into(), directories)])
}
