//! Rest: nothing is written for a while. In: the audit log. Out: rest, or what is written again and again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::plane::Cluster;
use crate::plane::audit::{Filter, Request};

/// Part of the operator's user.
const OPERATOR: &str = "llm-system:llm-operator";

/// Waits until the operator has written nothing for `rest`, at most `patience`; what it wrote in the last window, if not.
pub async fn wait(cluster: &Cluster, rest: Duration, patience: Duration) -> Result<(), String> {
    let begin = Instant::now();
    loop {
        let mark = cluster.audit_log().mark();
        tokio::time::sleep(rest).await;
        let requests = cluster.audit_log().requests_since(&mark, &Filter::user(OPERATOR));
        let mut requests = requests.map_err(|error| error.to_string())?;
        requests.retain(Request::is_write);
        if requests.is_empty() {
            return Ok(());
        }
        if begin.elapsed() > patience {
            let mut counts: BTreeMap<String, u32> = BTreeMap::new();
            for request in &requests {
                *counts
                    .entry(format!("{} {} {}", request.verb, request.resource, request.uri))
                    .or_default() += 1;
            }
            let all = counts
                .into_iter()
                .map(|(what, count)| format!("{count} x {what}"));
            return Err(all.take(20).collect::<Vec<_>>().join("\n"));
        }
    }
}
