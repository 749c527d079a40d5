//! A web server of a test, from which Pods download: files by path in, what was asked for out.
//! It has an address that containers can reach: 127.0.0.1 is a Pod's own. It must not know what asks.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::process::TemporaryDirectory;

/// Outside the blocks of Pods' addresses, and not the first loopback address.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

#[derive(Clone, Debug)]
enum Answer {
    File(Vec<u8>),
    Redirect(String),
}

#[derive(Debug, Default)]
struct Paths {
    answers: HashMap<String, Answer>,
    /// Status and how many more times.
    failing: HashMap<String, (StatusCode, usize)>,
    asked: HashMap<String, usize>,
}

/// A running server; it ends with the value. What is not put there is answered with 404 and a page of HTML.
#[derive(Debug)]
pub struct FileServer {
    address: SocketAddr,
    paths: Arc<Mutex<Paths>>,
    task: JoinHandle<()>,
}

impl FileServer {
    /// Starts a server on a port of its own.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((ADDRESS, 0)).await?;
        let address = listener.local_addr()?;
        let paths = Arc::<Mutex<Paths>>::default();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&paths));
        let task = tokio::spawn(async move {
            // It ends by being aborted; an error of a single connection does not end it.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, paths, task })
    }

    /// The address of a path that begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Serves `content` under `path`.
    pub fn put(&self, path: &str, content: impl Into<Vec<u8>>) {
        let answer = Answer::File(content.into());
        self.paths.lock().answers.insert(path.to_owned(), answer);
    }

    /// Sends whoever asks for `path` to another path or address.
    pub fn redirect(&self, path: &str, to: &str) {
        let answer = Answer::Redirect(to.to_owned());
        self.paths.lock().answers.insert(path.to_owned(), answer);
    }

    /// Answers the next `times` requests for `path` with `status`.
    pub fn fail(&self, path: &str, status: u16, times: usize) {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self.paths.lock().failing.insert(path.to_owned(), (status, times));
    }

    /// How often `path` was asked for.
    pub fn asked(&self, path: &str) -> usize {
        self.paths.lock().asked.get(path).copied().unwrap_or(0)
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(paths): State<Arc<Mutex<Paths>>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let mut paths = paths.lock();
    *paths.asked.entry(path.clone()).or_default() += 1;
    if let Some((status, left)) = paths.failing.get_mut(&path)
        && *left > 0
    {
        *left -= 1;
        return page(*status);
    }
    match paths.answers.get(&path) {
        Some(Answer::File(content)) => Response::new(Body::from(content.clone())),
        Some(Answer::Redirect(to)) => {
            let mut response = page(StatusCode::FOUND);
            if let Ok(to) = to.parse() {
                response.headers_mut().insert(header::LOCATION, to);
            }
            response
        }
        None => page(StatusCode::NOT_FOUND),
    }
}

/// What servers say beside a status: nobody may take it for a model.
fn page(status: StatusCode) -> Response {
    let mut response = Response::new(Body::from(format!("<html><title>{status}</title></html>\n")));
    *response.status_mut() = status;
    response
}

/// A tar archive of files by their paths, made by this machine's tar; `compression` is its option for that, such as
/// `--gzip`, or empty.
pub fn archive(files: &[(&str, &[u8])], compression: &str) -> io::Result<Vec<u8>> {
    let folder = TemporaryDirectory::new("archive").map_err(io::Error::other)?;
    for (path, content) in files {
        let file = folder.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap_or(Path::new("/")))?;
        std::fs::write(file, content)?;
    }
    let mut tar = std::process::Command::new("tar");
    tar.arg("-c")
        .args(Some(compression).filter(|option| !option.is_empty()))
        .arg("-C")
        .arg(folder.path())
        .arg(".");
    let output = tar.output().map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("tar, which archives are made with: {error}"),
        )
    })?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(io::Error::other(
            String::from_utf8_lossy(&output.stderr).into_owned(),
        ))
    }
}
