//! The server as its callers see it, and the questions that have one short answer.
//! In: an address and limits. Out: what the server has, what it has loaded, and orders carried out.
//! It must not hold a connection between calls.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use crate::error::{Cause, Error};
use crate::exchange::{Question, connect};
use crate::stream::json;

/// An Ollama server at an address. Cheap to make and to clone: it holds no connection.
#[derive(Clone, Copy, Debug)]
pub struct Ollama {
    pub(crate) address: SocketAddr,
    pub(crate) limits: Limits,
}

/// How long and how much is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Time to connect. Default: 3 s.
    pub connect: Duration,
    /// Time from sending a small question to the end of its answer. Default: 10 s.
    pub answer: Duration,
    /// The longest silence of a pull. Default: 60 s (a server that downloads speaks every 60 ms).
    pub idle: Duration,
    /// Bytes of an answer, or of one line of a pull. Default: 1 MiB, which lists about 3,000 models.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            answer: Duration::from_secs(10),
            idle: Duration::from_mins(1),
            bytes: 1 << 20,
        }
    }
}

/// A model that the server has.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Model {
    /// With its tag: `tinyllama:latest`.
    pub name: String,
    /// Bytes on disk.
    #[serde(rename = "size", default)]
    pub size_bytes: u64,
}

/// A model in the server's memory.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Loaded {
    /// With its tag: `tinyllama:latest`.
    pub name: String,
    /// Bytes of weights and cache, wherever they are.
    #[serde(rename = "size", default)]
    pub size_bytes: u64,
    /// Of them on GPUs: 0 when the model runs on CPUs alone.
    #[serde(rename = "size_vram", default)]
    pub gpu_bytes: u64,
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

/// Go writes an empty list as `[]` or `null`.
#[derive(Deserialize)]
struct List<T> {
    models: Option<Vec<T>>,
}

#[derive(Deserialize)]
struct Done {
    done: bool,
}

impl Ollama {
    /// The server at this address, with the default limits.
    pub fn new(address: SocketAddr) -> Self {
        Self::with_limits(address, Limits::default())
    }

    /// The server at this address.
    pub fn with_limits(address: SocketAddr, limits: Limits) -> Self {
        Self { address, limits }
    }

    /// Where the server is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The server's version, such as `0.17.4`.
    pub async fn version(&self) -> Result<String, Error> {
        let asked = "the version";
        let answer = self.small(asked, Question::get("/api/version")).await?;
        let answer: Version = self.parsed(asked, &answer)?;
        Ok(answer.version)
    }

    /// The models that the server has on disk, the youngest first.
    pub async fn models(&self) -> Result<Vec<Model>, Error> {
        let asked = "the list of models";
        let answer = self.small(asked, Question::get("/api/tags")).await?;
        let answer: List<Model> = self.parsed(asked, &answer)?;
        Ok(answer.models.unwrap_or_default())
    }

    /// The models that the server has in memory.
    pub async fn loaded(&self) -> Result<Vec<Loaded>, Error> {
        let asked = "the list of loaded models";
        let answer = self.small(asked, Question::get("/api/ps")).await?;
        let answer: List<Loaded> = self.parsed(asked, &answer)?;
        Ok(answer.models.unwrap_or_default())
    }

    /// Whether the server can show the model: it is there and its files can be read.
    pub async fn show(&self, model: &str) -> Result<bool, Error> {
        let asked = format!("show {model:?}");
        let question = Question::post("/api/show", json!({"model": model}));
        match self.order(&asked, question).await {
            Ok(()) => Ok(true),
            Err(error) if error.is_model_missing() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Gives a model a second name. It takes no space; a name that exists is replaced.
    pub async fn copy(&self, from: &str, to: &str) -> Result<(), Error> {
        let body = json!({"source": from, "destination": to});
        self.order(
            &format!("copy {from:?} to {to:?}"),
            Question::post("/api/copy", body),
        )
        .await
    }

    /// Removes a model from the disk. One that is not there is refused: [`Error::is_model_missing`].
    pub async fn delete(&self, model: &str) -> Result<(), Error> {
        let question = Question::delete("/api/delete", json!({"model": model}));
        self.order(&format!("delete {model:?}"), question).await
    }

    /// Puts the model into memory, to stay there, within `limit` (minutes for a large model on a slow disk).
    pub async fn load(&self, model: &str, limit: Duration) -> Result<(), Error> {
        let asked = format!("load {model:?}");
        let body = json!({"model": model, "keep_alive": -1, "stream": false});
        let answer = self
            .ask(&asked, Question::post("/api/generate", body), limit)
            .await?;
        let answer: Done = self.parsed(&asked, &answer)?;
        if answer.done {
            return Ok(());
        }
        let reason = "the answer to loading is not done".to_owned();
        Err(self.error(&asked, Cause::Malformed { reason }))
    }

    pub(crate) fn error(&self, asked: &str, cause: Cause) -> Error {
        Error {
            asked: asked.to_owned(),
            address: self.address,
            cause,
        }
    }

    /// An order whose answer is its status.
    async fn order(&self, asked: &str, question: Question) -> Result<(), Error> {
        let limit = self.limits.answer;
        let sent = async {
            let connected = connect(self.address, self.limits.connect).await?;
            let done = async { connected.send(question).await?.accepted().await };
            within(limit, done).await.map(drop)
        };
        sent.await.map_err(|cause| self.error(asked, cause))
    }

    async fn small(&self, asked: &str, question: Question) -> Result<Bytes, Error> {
        self.ask(asked, question, self.limits.answer).await
    }

    /// A question whose answer comes whole.
    async fn ask(&self, asked: &str, question: Question, limit: Duration) -> Result<Bytes, Error> {
        let answer = async {
            let connected = connect(self.address, self.limits.connect).await?;
            let whole = async {
                let exchange = connected.send(question).await?.accepted().await?;
                exchange.whole(self.limits.bytes).await
            };
            within(limit, whole).await
        };
        answer.await.map_err(|cause| self.error(asked, cause))
    }

    fn parsed<T: serde::de::DeserializeOwned>(&self, asked: &str, answer: &[u8]) -> Result<T, Error> {
        json(answer).map_err(|cause| self.error(asked, cause))
    }
}

async fn within<T>(limit: Duration, answer: impl Future<Output = Result<T, Cause>>) -> Result<T, Cause> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(Cause::TooLate { after: limit }),
    }
}
