//! On the local cluster: the whole plane, and simulated nodes that run the Pods.
//!
//! In: sizes. Out: rows and bars for both subjects until everything serves, and how late statuses are when all Deployments
//! turn available at once.

use std::time::{Duration, Instant};

use testkit::Target;

use crate::{
    bars::Bar,
    bed::Bed,
    feed::Feed,
    journal::{Journal, milliseconds},
    options::{Options, Plane},
    report::Report,
    run::{Run, percentile, run},
    still,
    subject::{Subject, Which},
    templates::{self, Templates},
    workload::{self, NAMESPACE},
};

/// Longest that Pods may take to turn, and statuses to follow.
const LIMIT: Duration = Duration::from_mins(10);

/// Measures every size.
pub async fn measure(options: &Options, report: &mut Report) -> Result<(), String> {
    let operator = options.operator()?;
    let (mut rows, mut templates) = (Vec::new(), None::<Templates>);
    let (mut stillness, mut lateness) = (None, None);
    let largest = options.sizes.iter().max().copied().unwrap_or_default();
    for &size in &options.sizes {
        let bed = Bed::start(Plane::Local, size, &operator).await?;
        let mut subject = Subject::operator(&bed, &operator, &[]).await?;
        let (ours, feed) = run(&bed, &mut subject, Which::Operator, size, true).await?;
        let floor = match templates.take() {
            Some(floor) => floor,
            None => templates::learn(&bed.client, &operator, true).await?,
        };
        if size == largest {
            let still = still::measure(&bed, subject, &operator, size, options.rest()).await?;
            stillness = Some(still.0);
            subject = still.1;
            lateness = Some(Lateness::measure(&bed, &mut subject, feed.as_ref(), size).await?);
        }
        drop((subject, feed, bed));
        let bed = Bed::start(Plane::Local, size, &operator).await?;
        let mut subject = Subject::minimal(&bed, &floor)?;
        let (minimal, _) = run(&bed, &mut subject, Which::Minimal, size, true).await?;
        templates = Some(floor);
        rows.push((ours, minimal));
    }
    show(&rows, report);
    if let Some(stillness) = stillness {
        stillness.show(report, "local cluster");
    }
    if let Some(lateness) = lateness {
        lateness.show(report);
    }
    Ok(())
}

fn show(rows: &[(Run, Run)], report: &mut Report) {
    report.heading("Local cluster, until every resource serves and says so");
    let table: Vec<Run> = rows
        .iter()
        .flat_map(|(ours, minimal)| [ours.clone(), minimal.clone()])
        .collect();
    report.runs(&table, "all Ready");
    if let Some((ours, minimal)) = rows.iter().max_by_key(|(ours, _)| ours.size) {
        report.writes(ours, minimal);
        report.bar(Bar::at_most(
            format!("local cluster, {}: time to Ready / minimal client's", ours.size),
            ours.seconds / minimal.seconds,
            1.5,
            "x",
        ));
    }
}

/// How long statuses take to follow when every Pod turns ready at once. Seconds.
#[derive(Debug, Clone)]
struct Lateness {
    size: usize,
    /// From the release to the last Pod that nodes have reported ready.
    pods: f64,
    /// From the release to the last Deployment that the control plane calls available.
    available: f64,
    /// From the release to the last status.
    statuses: f64,
    /// From each Deployment's turn to its resource's status, sorted.
    each: Vec<f64>,
}

impl Lateness {
    /// Holds all Pods unready, releases them, and waits until every status says so again.
    async fn measure(
        bed: &Bed,
        subject: &mut Subject,
        feed: Option<&Feed>,
        size: usize,
    ) -> Result<Self, String> {
        let (Some(feed), Some(nodes)) = (feed, bed.cluster.nodes()) else {
            return Err("this plane has no nodes".to_owned());
        };
        let (faults, all) = (nodes.faults(), Target::pods(NAMESPACE, "chat-"));
        faults.fail_readiness(&all);
        wait_for(bed, subject, size, false).await?;
        let mut journal = Journal::begin(bed.cluster.audit_log());
        let released = jiff::Timestamp::now();
        faults.heal(&all);
        wait_for(bed, subject, size, true).await?;
        journal.read()?;

        let since = |time| milliseconds(released, time) / 1e3;
        let statuses = journal.statuses("llmdeployments/status");
        let available = feed.available();
        let mut each: Vec<f64> = available
            .iter()
            .filter_map(|(name, turned)| Some(milliseconds(*turned, *statuses.get(name.as_str())?) / 1e3))
            .collect();
        each.sort_by(f64::total_cmp);
        let missing = || "the audit log shows no such write".to_owned();
        let found = Self {
            size,
            pods: since(
                journal
                    .last_write_of("simulated-nodes", "pods/status")
                    .ok_or_else(missing)?,
            ),
            available: since(available.values().max().copied().ok_or_else(missing)?),
            statuses: since(statuses.values().max().copied().ok_or_else(missing)?),
            each,
        };
        eprintln!(
            "bench: {size} turned available at once: {found:.2?}",
            found = found.numbers()
        );
        Ok(found)
    }

    /// Pods, Deployments, statuses.
    fn numbers(&self) -> [f64; 3] {
        [self.pods, self.available, self.statuses]
    }

    fn show(&self, report: &mut Report) {
        report.line(&format!(
            "{} turn available at once: after the release, the last Pod is Ready at {:.1} s (nodes), the last Deployment available at {:.1} s \
             (controller-manager), the last status right at {:.1} s; from a Deployment's turn to its status: p50 {:.2} s, p99 {:.2} s, most {:.2} s",
            self.size,
            self.pods,
            self.available,
            self.statuses,
            percentile(&self.each, 50),
            percentile(&self.each, 99),
            percentile(&self.each, 100),
        ));
        for (what, value) in [
            (
                "from the last Pod Ready to the last status right",
                self.statuses - self.pods,
            ),
            (
                "from a Deployment available to its status right, at most",
                percentile(&self.each, 100),
            ),
        ] {
            let what = format!("local cluster, {} at once: {what}", self.size);
            report.bar(Bar::at_most(what, value, 5.0, " s"));
        }
    }
}

/// Waits until every status says that its resource serves, or does not.
async fn wait_for(bed: &Bed, subject: &mut Subject, size: usize, ready: bool) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        subject.check()?;
        let right = workload::right(&bed.client, ready).await?;
        if right == (size, size) {
            return Ok(());
        }
        if begun.elapsed() > LIMIT {
            return Err(format!("only {right:?} of {size} say Ready={ready}"));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
