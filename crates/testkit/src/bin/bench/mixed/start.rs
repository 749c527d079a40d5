//! How soon an operator works: after its start, and after the death of the one that led.
//!
//! In: a plane with resources. Out: seconds.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{converge, kinds::KINDS};
use crate::{bed::Bed, still, subject::Subject};

/// So often it is looked.
const LOOK: Duration = Duration::from_millis(10);
/// Longest that it may take.
const LIMIT: Duration = Duration::from_mins(2);

/// Seconds from the start of the process to its first reconcile. The cluster holds what it holds.
pub async fn to_first_reconcile(bed: &Bed, operator: &Path) -> Result<(f64, Subject), String> {
    let begun = Instant::now();
    let mut subject = Subject::start_operator(bed, operator, &[])?;
    while still::reconciles(&subject).await.unwrap_or_default() == 0 {
        subject.check()?;
        if begun.elapsed() > LIMIT {
            return Err(format!("no reconcile within {LIMIT:?}"));
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok((begun.elapsed().as_secs_f64(), subject))
}

/// Seconds from the death of the leader (kill -9) until the other has made the children of a resource that came then.
pub async fn to_takeover(bed: &Bed, leader: Subject, operator: &Path, number: usize) -> Result<f64, String> {
    let other = Subject::operator(bed, operator, &["--identity", "other"]).await?;
    leader.kill();
    let begun = Instant::now();
    let kind = KINDS
        .iter()
        .find(|kind| kind.title == "NvidiaGpuLlm")
        .ok_or("no kind with a Pod of its name")?;
    let created = converge::create(bed, kind, number).await?;
    let path = format!(
        "/api/v1/namespaces/{}/pods/{}",
        crate::workload::NAMESPACE,
        created.name
    );
    loop {
        let request = http::Request::get(&path).body(Vec::new());
        let request = request.map_err(|error| error.to_string())?;
        if bed.client.request::<Value>(request).await.is_ok() {
            break;
        }
        if begun.elapsed() > LIMIT {
            return Err(format!("nobody took over within {LIMIT:?}"));
        }
        tokio::time::sleep(LOOK).await;
    }
    let seconds = begun.elapsed().as_secs_f64();
    other.stop().await?;
    Ok(seconds)
}
