//! One GET as an engine's own downloads do it: an `http://` address in, the answer after redirections out.
//! It must not speak TLS: what lies on the internet is simulated by the engines.

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use http::{Method, StatusCode, Uri, header};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::server;
use crate::process::ProcessSpec;

/// Go's client and curl without further options give up after about as many.
const REDIRECTIONS: usize = 10;

/// The answer behind `url`, whatever its status; the error says why there is none.
pub(crate) async fn get(spec: &ProcessSpec, url: &str) -> Result<http::Response<Incoming>, String> {
    let mut at: Uri = url.parse().map_err(|error| format!("parse {url:?}: {error}"))?;
    for _ in 0..=REDIRECTIONS {
        let answer = once(spec, &at)
            .await
            .map_err(|error| format!("Get {url:?}: {error}"))?;
        let to = answer
            .headers()
            .get(header::LOCATION)
            .and_then(|to| to.to_str().ok());
        match to {
            Some(to) if answer.status().is_redirection() && answer.status() != StatusCode::NOT_MODIFIED => {
                at = joined(&at, to)?;
            }
            _ => return Ok(answer),
        }
    }
    Err(format!("Get {url:?}: stopped after {REDIRECTIONS} redirects"))
}

fn joined(from: &Uri, to: &str) -> Result<Uri, String> {
    let whole = if to.contains("://") {
        to.to_owned()
    } else {
        format!("http://{}{to}", from.authority().map_or("", |a| a.as_str()))
    };
    whole.parse().map_err(|error| format!("parse {to:?}: {error}"))
}

async fn once(spec: &ProcessSpec, at: &Uri) -> Result<http::Response<Incoming>, String> {
    if at.scheme_str() != Some("http") {
        return Err(format!(
            "unsupported protocol scheme {:?}",
            at.scheme_str().unwrap_or_default()
        ));
    }
    let host = at.host().ok_or("no Host in request URL")?;
    let port = at.port_u16().unwrap_or(80);
    let refused = |error: std::io::Error| {
        let reason = error.to_string().to_lowercase();
        let reason = reason.split(" (os error").next().unwrap_or_default().to_owned();
        format!("dial tcp {host}:{port}: {reason}")
    };
    let socket = match (host.parse::<IpAddr>(), server::pod_address(spec, host)) {
        // Other Pods and a test's servers have addresses of 127.0.0.0/8; only the first of them is the Pod itself.
        (Ok(address), _) if address != IpAddr::V4(Ipv4Addr::LOCALHOST) => {
            TcpStream::connect((address, port)).await
        }
        (_, Ok(own)) => TcpStream::connect((own, port)).await,
        (_, Err(_)) => TcpStream::connect((host, port)).await,
    };
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(socket.map_err(refused)?))
            .await
            .map_err(|error| error.to_string())?;
    // Ends with the answer's body or with the sender; errors reach the reader of the body.
    tokio::spawn(connection);
    let path = at.path_and_query().map_or("/", |path| path.as_str());
    let request = http::Request::builder()
        .method(Method::GET)
        .uri(path)
        .header(header::HOST, format!("{host}:{port}"))
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    sender
        .send_request(request)
        .await
        .map_err(|error| error.to_string())
}
