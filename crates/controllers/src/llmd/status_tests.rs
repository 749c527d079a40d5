//! Cases.

use super::*;

#[test]
fn of_charts_that_are_still_to_come_nothing_is_said() {
    let mut report = Report {
        serving: Some(Vec::new()),
        ..Report::default()
    };
    assert_eq!(deployments(&report).0, None, "releases are not known");
    report.releases = Some(Vec::new());
    assert_eq!(deployments(&report).0, Some(true), "no chart is enabled");
}
