//! One measurement: resources are created at once, and a subject brings them to where they shall be.
//!
//! In: a plane and a subject that waits. Out: how long it took, what was written, what it cost.

use std::time::{Duration, Instant};

use testkit::Program;

use crate::{
    bed::Bed,
    cost,
    feed::Feed,
    journal::{Counts, Journal, milliseconds},
    still,
    subject::{Subject, Which},
    workload,
};

/// Longest that a subject may take.
const LIMIT: Duration = Duration::from_mins(15);
/// So often the audit log is read.
const LOOK: Duration = Duration::from_millis(100);
/// So often statuses are listed once everything is written, and so long nothing may be written before it counts as done.
const QUIET: Duration = Duration::from_secs(1);

/// What one subject did with one number of resources.
#[derive(Debug, Clone)]
pub struct Run {
    /// The subject.
    pub which: Which,
    /// Number of resources.
    pub size: usize,
    /// Seconds from the first creation to the last child or status.
    pub seconds: f64,
    /// Milliseconds from a deployment's creation to its last child, at the median.
    pub p50: f64,
    /// The same at the 99th percentile.
    pub p99: f64,
    /// Its writes by verb and resource.
    pub writes: Counts,
    /// Its reconciles, of deployments and models together; 0 for a subject that has none.
    pub reconciles: usize,
    /// CPU seconds from the first creation to the last write.
    pub cpu: f64,
    /// CPU seconds of the API server and etcd over the same time: what the subject makes others pay.
    pub plane_cpu: f64,
    /// Highest resident memory, in MB.
    pub peak_mb: f64,
    /// Resident memory afterwards, in MB.
    pub resident_mb: f64,
}

impl Run {
    /// Number of writes.
    pub fn writes(&self) -> usize {
        self.writes.values().sum()
    }

    /// CPU milliseconds per resource.
    pub fn cpu_ms_per_resource(&self) -> f64 {
        self.cpu * 1e3 / count(self.size)
    }
}

/// A number of things, for arithmetic.
pub fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Creates `size` resources and waits until every child exists and every status is right; `serving`: until they serve.
pub async fn run(
    bed: &Bed,
    subject: &mut Subject,
    which: Which,
    size: usize,
    serving: bool,
) -> Result<(Run, Option<Feed>), String> {
    let teller = subject.teller();
    let feed = serving.then(|| Feed::start(&bed.client, teller.clone()));
    let mut journal = Journal::begin(bed.cluster.audit_log());
    let (before, plane_before) = (subject.cost()?, plane_cpu(bed)?);
    let creation = workload::create(&bed.client, size, |created| {
        if let Some(feed) = &feed {
            feed.note(&created);
        }
        teller.tell(&created);
    });
    creation.await?;
    wait_until_done(bed, subject, &mut journal, size, serving).await?;
    let (after, plane_after) = (subject.cost()?, plane_cpu(bed)?);

    let delays = journal.child_delays();
    let (Some(first), Some(last)) = (journal.first_creation(), journal.last_needed()) else {
        return Err("the audit log shows no creation or no write".to_owned());
    };
    let run = Run {
        which,
        size,
        seconds: milliseconds(first, last) / 1e3,
        p50: percentile(&delays, 50),
        p99: percentile(&delays, 99),
        writes: journal.counts(true),
        reconciles: still::reconciles(subject).await?,
        cpu: after.cpu - before.cpu,
        plane_cpu: plane_after - plane_before,
        peak_mb: after.peak_mb,
        resident_mb: after.resident_mb,
    };
    eprintln!(
        "bench: {size} resources, {which}: {:.1} s, {} writes, {:.2} CPU s, peak {:.1} MB",
        run.seconds,
        run.writes(),
        run.cpu,
        run.peak_mb
    );
    Ok((run, feed))
}

fn plane_cpu(bed: &Bed) -> Result<f64, String> {
    let pids = [Program::ApiServer, Program::Etcd]
        .into_iter()
        .filter_map(|program| bed.cluster.pid(program));
    pids.map(|pid| cost::of(pid).map(|cost| cost.cpu)).sum()
}

async fn wait_until_done(
    bed: &Bed,
    subject: &mut Subject,
    journal: &mut Journal,
    size: usize,
    serving: bool,
) -> Result<(), String> {
    let begun = Instant::now();
    let mut last_write = Instant::now();
    loop {
        subject.check()?;
        if journal.read()? > 0 {
            last_write = Instant::now();
        }
        // Listing costs the API server something: only when everything may be there.
        if last_write.elapsed() >= QUIET && journal.is_complete(size) {
            let right = workload::right(&bed.client, serving).await?;
            if right == (size, size) {
                return Ok(());
            }
            if begun.elapsed() > LIMIT {
                return Err(format!(
                    "only {right:?} of {size} deployments and models are right"
                ));
            }
            last_write = Instant::now();
        }
        if begun.elapsed() > LIMIT {
            return Err(format!(
                "not complete after {LIMIT:?}: {:?}",
                journal.counts(true)
            ));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The value below which so many percent of the sorted `values` are.
pub fn percentile(values: &[f64], percent: usize) -> f64 {
    let last = values.len().saturating_sub(1);
    values
        .get((last * percent).div_ceil(100))
        .copied()
        .unwrap_or_default()
}

/// The median of each number; of the writes, the most.
pub fn median(mut runs: Vec<Run>) -> Option<Run> {
    let middle = |of: fn(&Run) -> f64| {
        let mut values: Vec<f64> = runs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        percentile(&values, 50)
    };
    let (seconds, p50, p99) = (
        middle(|run| run.seconds),
        middle(|run| run.p50),
        middle(|run| run.p99),
    );
    let (plane_cpu, cpu, peak_mb, resident_mb) = (
        middle(|run| run.plane_cpu),
        middle(|run| run.cpu),
        middle(|run| run.peak_mb),
        middle(|run| run.resident_mb),
    );
    runs.sort_by_key(Run::writes);
    runs.pop().map(|most| Run {
        seconds,
        p50,
        p99,
        cpu,
        plane_cpu,
        peak_mb,
        resident_mb,
        ..most
    })
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let values: Vec<f64> = (1..=101).map(f64::from).collect();
        assert!((percentile(&values, 50) - 51.0).abs() < 1e-9);
        assert!((percentile(&values, 99) - 100.0).abs() < 1e-9);
        assert!(percentile(&[], 50).abs() < 1e-9);
        assert!((percentile(&[7.0], 99) - 7.0).abs() < 1e-9);
    }
}
