//! The minimal client: performs the floor's writes for the resources that standard input names, and nothing else.
//!
//! In: a file of templates; one line `<operation> <name> <uid>` per task. Out: writes, as many at a time as the operator
//! has workers. It watches nothing, decides nothing and keeps nothing: the lower limit of what an operator costs with this
//! HTTP and TLS stack.

use std::{io::BufRead, path::Path, sync::Arc};

use kube::{Client, Config, client::ClientBuilder};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
};

use crate::templates::{NAME, Templates, UID};

/// Tasks at once; the operator's default.
const WORKERS: usize = 16;

/// Works until standard input ends.
pub async fn main(templates: &Path) -> Result<(), String> {
    let text = std::fs::read(templates).map_err(|error| format!("{}: {error}", templates.display()))?;
    let templates: Arc<Templates> =
        Arc::new(serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", templates.display()))?);
    let client = client().await?;
    let workers = Arc::new(Semaphore::new(WORKERS));
    let mut tasks = JoinSet::new();
    let mut lines = lines();
    while let Some(line) = lines.recv().await {
        while let Some(ended) = tasks.try_join_next() {
            ended.map_err(|error| error.to_string())??;
        }
        let permit = workers.clone().acquire_owned().await;
        let permit = permit.map_err(|error| error.to_string())?;
        let (client, templates) = (client.clone(), templates.clone());
        tasks.spawn(async move {
            let _permit = permit;
            perform(&client, &templates, &line).await
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|error| error.to_string())??;
    }
    Ok(())
}

async fn client() -> Result<Client, String> {
    // Another crate may have chosen a provider before; whichever it is will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut config = Config::infer().await.map_err(|error| error.to_string())?;
    config.default_retry = false;
    let builder = ClientBuilder::try_from(config).map_err(|error| error.to_string())?;
    Ok(builder.build())
}

/// Standard input, read by a thread of its own.
fn lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            if line.is_ok_and(|line| sender.send(line).is_err()) {
                break;
            }
        }
    });
    receiver
}

async fn perform(client: &Client, templates: &Templates, line: &str) -> Result<(), String> {
    let mut words = line.split(' ');
    let (Some(operation), Some(name), Some(uid)) = (words.next(), words.next(), words.next()) else {
        return Err(format!("'{line}' is not an operation, a name and a uid"));
    };
    for write in templates.get(operation).into_iter().flatten() {
        let body = write.body.replace(NAME, name).replace(UID, uid);
        let request = http::Request::builder()
            .method(write.method.as_str())
            .uri(write.path.replace(NAME, name))
            .header(http::header::CONTENT_TYPE, &write.content_type)
            .header(http::header::ACCEPT, "application/json")
            .body(body.into_bytes())
            .map_err(|error| error.to_string())?;
        let answer = client.request_text(request).await;
        answer.map_err(|error| format!("{} {}: {error}", write.method, write.path))?;
    }
    Ok(())
}
