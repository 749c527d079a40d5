//! A cluster in which nothing changes: at rest, at a restart of the operator, in forced resyncs.
//!
//! In: an operator that has done its work. Out: the requests that it makes all the same. All should be none.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

use crate::{
    bars::Bar,
    bed::Bed,
    journal::{Counts, Journal},
    report::Report,
    run::count,
    subject::Subject,
};

/// Nothing may be written for so long before measuring, and after what should write nothing.
const QUIET: Duration = Duration::from_secs(3);
/// Longest that an operator may take to look at everything.
const LIMIT: Duration = Duration::from_mins(2);
/// Every resource is looked at again this often in the resync measurement.
const RESYNC: &str = "2s";
/// So many resyncs are measured.
const RESYNCS: usize = 3;

/// What an unchanged cluster was asked.
#[derive(Debug, Clone)]
pub struct Stillness {
    size: usize,
    rest: Duration,
    at_rest: (Counts, Counts),
    restart: Counts,
    resync: Counts,
    resident_mb: f64,
}

impl Stillness {
    /// Adds lines and bars.
    pub fn show(&self, report: &mut Report, plane: &str) {
        let (reads, writes) = &self.at_rest;
        report.line(&format!(
            "unchanged, {} resources: {:?} at rest: {} reads, {} writes, {:.1} MB; restart: {} writes; {RESYNCS} resyncs: {} writes",
            self.size,
            self.rest,
            sum(reads),
            sum(writes),
            self.resident_mb,
            sum(&self.restart),
            sum(&self.resync),
        ));
        for (what, counts) in [
            ("reads at rest", reads),
            ("writes at rest, but the lease", writes),
            ("writes in a restart", &self.restart),
            ("writes in forced resyncs", &self.resync),
        ] {
            if !counts.is_empty() {
                report.line(&format!("  {what}: {counts:?}"));
            }
            report.bar(Bar::at_most(
                format!("{plane}, {} unchanged: {what}", self.size),
                count(sum(counts)),
                0.0,
                "",
            ));
        }
    }
}

/// Measures with `subject`, and returns the operator that runs at the end.
pub async fn measure(
    bed: &Bed,
    subject: Subject,
    operator: &Path,
    size: usize,
    rest: Duration,
) -> Result<(Stillness, Subject), String> {
    settle(bed).await?;
    let mut journal = Journal::begin(bed.cluster.audit_log());
    tokio::time::sleep(rest).await;
    journal.read()?;
    let at_rest = (journal.counts(false), journal.counts(true));
    let resident_mb = subject.cost()?.resident_mb;
    subject.stop().await?;

    let mut journal = Journal::begin(bed.cluster.audit_log());
    let subject = Subject::operator(bed, operator, &[]).await?;
    wait_for_reconciles(&subject, 2 * size).await?;
    settle(bed).await?;
    journal.read()?;
    let restart = journal.counts(true);
    subject.stop().await?;

    let subject = Subject::operator(bed, operator, &["--resync-period", RESYNC]).await?;
    wait_for_reconciles(&subject, 2 * size).await?;
    let mut journal = Journal::begin(bed.cluster.audit_log());
    wait_for_reconciles(&subject, 2 * size * (1 + RESYNCS)).await?;
    journal.read()?;
    let resync = journal.counts(true);
    subject.stop().await?;

    let subject = Subject::operator(bed, operator, &[]).await?;
    wait_for_reconciles(&subject, 2 * size).await?;
    let found = Stillness {
        size,
        rest,
        at_rest,
        restart,
        resync,
        resident_mb,
    };
    Ok((found, subject))
}

/// Waits until the subject has written nothing for a while.
async fn settle(bed: &Bed) -> Result<(), String> {
    let mut journal = Journal::begin(bed.cluster.audit_log());
    let (begun, mut last_write) = (Instant::now(), Instant::now());
    while last_write.elapsed() < QUIET {
        if journal.read()? > 0 {
            last_write = Instant::now();
        }
        if begun.elapsed() > LIMIT {
            return Err(format!("the operator never rests: {:?}", journal.counts(true)));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

async fn wait_for_reconciles(subject: &Subject, wanted: usize) -> Result<(), String> {
    testkit::until(format!("{wanted} reconciles"), LIMIT, async || {
        let done = reconciles(subject).await?;
        (done >= wanted).then_some(()).ok_or_else(|| done.to_string())
    })
    .await
    .map_err(|error| error.to_string())
}

/// How many reconciles the operator has done, as it says itself.
pub async fn reconciles(subject: &Subject) -> Result<usize, String> {
    let Subject::Operator { url, .. } = subject else {
        return Ok(0);
    };
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let uri = format!("{url}/metrics")
        .parse()
        .map_err(|error| format!("{url}: {error}"))?;
    let response = client.get(uri).await.map_err(|error| error.to_string())?;
    let body = response
        .into_body()
        .collect()
        .await
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    let counts = text
        .lines()
        .filter(|line| line.starts_with("llm_operator_reconcile_duration_seconds_count"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok());
    Ok(counts.sum())
}

fn sum(counts: &Counts) -> usize {
    counts.values().sum()
}
