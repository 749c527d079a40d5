//! Requests to the API server as an administrator. In: paths and JSON. Out: JSON, or the error with its code.
//!
//! Whoever asks decides what an error means; [`Desk::insist`] asks again while the API server is away or refuses for now.

use std::time::Duration;

use http::Request;
use kube::Client;
use serde_json::Value;

use crate::wait::until;

/// How long is asked again: longer than any fault lasts.
const INSIST: Duration = Duration::from_mins(3);

/// What the API server said instead.
#[derive(Debug, thiserror::Error)]
#[error("{method} {path}: {message}")]
pub struct Refused {
    method: &'static str,
    path: String,
    /// The HTTP status; 0 without an answer.
    pub code: u16,
    message: String,
}

/// A client.
#[derive(Clone)]
pub struct Desk(Client);

impl std::fmt::Debug for Desk {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Desk")
    }
}

impl Desk {
    /// With this client.
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    /// One object or list.
    pub async fn get(&self, path: &str) -> Result<Value, Refused> {
        self.send("GET", path, "", &Value::Null).await
    }

    /// The items of a collection, each with its `apiVersion` and `kind`.
    pub async fn list(&self, path: &str) -> Result<Vec<Value>, Refused> {
        let mut list = self.get(path).await?;
        let version = list["apiVersion"].take();
        let kind = list["kind"]
            .as_str()
            .unwrap_or_default()
            .trim_end_matches("List")
            .to_owned();
        let items = match list["items"].take() {
            Value::Array(items) => items,
            _ => Vec::new(),
        };
        let named = items.into_iter().map(|mut item| {
            item["apiVersion"] = version.clone();
            item["kind"] = Value::String(kind.clone());
            item
        });
        Ok(named.collect())
    }

    /// Creates an object.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Refused> {
        self.send("POST", path, "application/json", body).await
    }

    /// Merges into an object.
    pub async fn merge(&self, path: &str, body: &Value) -> Result<Value, Refused> {
        self.send("PATCH", path, "application/merge-patch+json", body)
            .await
    }

    /// Server-side apply, tried out only: what the object would be.
    pub async fn would_apply(&self, path: &str, manager: &str, body: &Value) -> Result<Value, Refused> {
        let path = format!("{path}?dryRun=All&force=true&fieldManager={manager}");
        self.send("PATCH", &path, "application/apply-patch+yaml", body)
            .await
    }

    /// Deletes an object; that it is gone already is well.
    pub async fn delete(&self, path: &str) -> Result<(), Refused> {
        match self.send("DELETE", path, "", &Value::Null).await {
            Err(refused) if refused.code != 404 => Err(refused),
            _ => Ok(()),
        }
    }

    /// Asks until it is done, for a while; the error of the last try.
    pub async fn insist<T>(what: &str, ask: impl AsyncFnMut() -> Result<T, Refused>) -> Result<T, String> {
        let mut ask = ask;
        until(what, INSIST, async || ask().await)
            .await
            .map_err(|error| error.to_string())
    }

    async fn send(
        &self,
        method: &'static str,
        path: &str,
        content_type: &str,
        body: &Value,
    ) -> Result<Value, Refused> {
        let refused = |code, message| Refused {
            method,
            path: path.to_owned(),
            code,
            message,
        };
        let text = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let mut request = Request::builder().method(method).uri(path);
        if !content_type.is_empty() {
            request = request.header("content-type", content_type);
        }
        let request = request
            .body(text.into_bytes())
            .map_err(|error| refused(0, error.to_string()))?;
        match self.0.request::<Value>(request).await {
            Ok(value) => Ok(value),
            Err(kube::Error::Api(status)) => Err(refused(status.code, status.message.clone())),
            Err(error) => Err(refused(0, error.to_string())),
        }
    }
}
