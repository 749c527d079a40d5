//! A cluster in which nothing changes is not written to.

use std::time::Duration;

use testkit::plane::audit::Filter;

use crate::{
    common::PATIENCE,
    place::{Place, several},
};

/// Several decisions of each resource.
const REST: Duration = Duration::from_secs(50);

/// Three resources with promises, no load: nothing is written, however often it is decided.
#[tokio::test]
async fn nothing_is_written_at_rest() {
    let place = Place::new().await;
    let operator = place.operator("rest", &["--leader-elect", "false"]).await;
    for name in ["one", "two"] {
        place.promised(name).await;
    }
    for name in ["one", "two"] {
        place.scaled(name).wait("several", PATIENCE, several).await;
    }
    // Start-up times are known two decisions later, and told at most a minute later.
    tokio::time::sleep(REST * 2).await;
    let log = place.cluster.audit_log();
    let mark = log.mark();
    tokio::time::sleep(REST).await;
    let filter = Filter::user("llm-operator");
    let writes: Vec<_> = log
        .requests_since(&mark, &filter)
        .unwrap()
        .into_iter()
        .filter(|one| one.is_write() && one.resource != "subjectaccessreviews")
        .collect();
    assert!(writes.is_empty(), "{writes:#?}");
    drop(operator);
}
