//! Ways into a cluster: client configurations and kubeconfig files.
//!
//! In: the API server's address, the file of the certificate authority, a bearer token. Out: [`Access`], which turns
//! into a client or a kubeconfig file. A client belongs to the async runtime it was made on: make one per test.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::json;

/// A client or kubeconfig could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The client library refused the configuration.
    #[error("cannot use the kubeconfig of user {user}: {source}")]
    Kubeconfig {
        /// The user.
        user: String,
        /// Why.
        source: kube::config::KubeconfigError,
    },
    /// The configuration could not be put into the library's form.
    #[error("cannot write a kubeconfig: {0}")]
    Json(#[from] serde_json::Error),
    /// A client could not be made.
    #[error("cannot make a client: {0}")]
    Client(#[from] kube::Error),
    /// The file cannot be written.
    #[error("cannot write the kubeconfig {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// One user's way to one address of the API server.
#[derive(Debug, Clone)]
pub struct Access {
    /// `https://127.0.0.1:<port>`, or the `http://` address of a fault proxy.
    pub server: String,
    /// The file with the certificate authority as PEM.
    pub authority: PathBuf,
    /// The bearer token; without one every request is anonymous.
    pub token: Option<String>,
    /// The name that the kubeconfig gives to the user.
    pub user: String,
}

impl Access {
    /// The same user at another address.
    #[must_use]
    pub fn through(&self, server: &str) -> Self {
        Self {
            server: server.to_owned(),
            ..self.clone()
        }
    }

    /// A client configuration that shows failures as they are: the library's own retries are off.
    pub async fn config(&self) -> Result<Config, AccessError> {
        let kubeconfig: Kubeconfig = serde_json::from_value(self.json())?;
        let options = KubeConfigOptions::default();
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .map_err(|source| AccessError::Kubeconfig {
                user: self.user.clone(),
                source,
            })?;
        config.default_retry = false;
        Ok(config)
    }

    /// A client for the current async runtime.
    pub async fn client(&self) -> Result<Client, AccessError> {
        // Another crate may have chosen a provider before; whichever it is will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Client::try_from(self.config().await?)?)
    }

    /// Writes a kubeconfig, readable by this user alone. It is JSON, which every reader of YAML takes.
    pub fn write_kubeconfig(&self, path: &Path) -> Result<(), AccessError> {
        let text = serde_json::to_string_pretty(&self.json())?;
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path);
        file.and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|source| AccessError::File {
                path: path.to_owned(),
                source,
            })
    }

    fn json(&self) -> serde_json::Value {
        let mut cluster = json!({ "server": self.server });
        if self.server.starts_with("https:") {
            cluster["certificate-authority"] = json!(self.authority);
        }
        let user = self
            .token
            .as_ref()
            .map_or_else(|| json!({}), |token| json!({ "token": token }));
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "local", "cluster": cluster }],
            "users": [{ "name": self.user, "user": user }],
            "contexts": [{ "name": "local", "context": { "cluster": "local", "user": self.user } }],
            "current-context": "local",
        })
    }
}
