//! One GET as kubelet's probes and hooks make it: an address and path in, success or Go's words for the failure out.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::HTTPGetAction;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::PodContext;
use super::probe::dial;

/// Succeeds with a status from 200 to 399. The error is what kubelet prints.
pub(crate) async fn get(
    context: &PodContext,
    action: &HTTPGetAction,
    port: u16,
    limit: Duration,
) -> Result<(), String> {
    let host = action.host.clone().unwrap_or_else(|| context.ip().to_string());
    let path = action.path.as_deref().unwrap_or("/");
    let path = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    let secure = action.scheme.as_deref() == Some("HTTPS");
    let url = format!("{}://{host}:{port}{path}", if secure { "https" } else { "http" });
    let failed = |why: &str| format!("Get \"{url}\": {why}");
    let headers: Vec<(String, String)> = action
        .http_headers
        .iter()
        .flatten()
        .map(|header| (header.name.clone(), header.value.clone()))
        .collect();
    let exchange = async {
        let stream = dial(&host, port, limit).await?;
        if secure {
            let name = ServerName::try_from(host.clone()).map_err(|error| error.to_string())?;
            let connector = TlsConnector::from(std::sync::Arc::clone(&context.shared.tls));
            let stream = connector
                .connect(name, stream)
                .await
                .map_err(|error| error.to_string())?;
            send(stream, &format!("{host}:{port}"), &path, &headers).await
        } else {
            send(stream, &format!("{host}:{port}"), &path, &headers).await
        }
    };
    match timeout(limit, exchange).await {
        Ok(Ok(status)) if (200..400).contains(&status) => Ok(()),
        Ok(Ok(status)) => Err(format!("HTTP probe failed with statuscode: {status}")),
        Ok(Err(why)) => Err(failed(&why)),
        Err(_) => Err(failed(
            "context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
        )),
    }
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    host: &str,
    path: &str,
    headers: &[(String, String)],
) -> Result<u16, String> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    let own = |name: &str| headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
    let mut request = http::Request::get(path).header(http::header::CONNECTION, "close");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    for (name, value) in [
        ("host", host),
        ("user-agent", "kube-probe/1.36"),
        ("accept", "*/*"),
    ] {
        if !own(name) {
            request = request.header(name, value);
        }
    }
    let request = request
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let response = sender.send_request(request);
    // The connection is driven only as long as the answer's head is awaited: the body is of no interest. Its end
    // settles the answer one way or the other, so it is not an answer itself.
    let driven = async {
        let _ = connection.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        response = response => match response {
            Ok(response) => Ok(response.status().as_u16()),
            Err(_) => Err("EOF".to_owned()),
        },
        () = driven => Err("EOF".to_owned()),
    }
}
