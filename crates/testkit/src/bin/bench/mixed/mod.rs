//! The whole system: resources of all kinds together, on a bare plane.
//!
//! In: how many. Out: rows and bars: time beside the minimal client's, memory at rest, start-up, fail-over.

mod converge;
mod floor;
mod kinds;
mod start;

use std::path::Path;

use converge::Converged;

use crate::{
    bars::Bar,
    bed::Bed,
    options::{Options, Plane},
    report::Report,
    run::{count, percentile},
    subject::{Subject, Which},
};

/// The lease's duration by default, in seconds, and how much later another replica may work.
const LEASE: f64 = 15.0;
const AFTER_LEASE: f64 = 2.0;

/// Measures both subjects, and then the operator alone.
pub async fn measure(options: &Options, report: &mut Report) -> Result<(), String> {
    let size = options.mixed;
    if size == 0 {
        return Ok(());
    }
    let operator = options.operator()?;
    let floor = floor::learn(&operator).await?;
    let empty = start_when_empty(&operator).await?;
    let (mut ours, mut minimals, mut alone) = (Vec::new(), Vec::new(), None);
    for _ in 0..options.repeats {
        let bed = prepared(&operator, size).await?;
        let mut subject = Subject::operator(&bed, &operator, &[]).await?;
        ours.push(told(
            size,
            Which::Operator,
            converge::run(&bed, &mut subject, &floor, size).await?,
        ));
        if alone.is_none() {
            alone = Some(Alone::measure(&bed, subject, &operator, size, options).await?);
        }
        let bed = prepared(&operator, size).await?;
        let mut subject = Subject::minimal(&bed, &floor)?;
        minimals.push(told(
            size,
            Which::Minimal,
            converge::run(&bed, &mut subject, &floor, size).await?,
        ));
    }
    show(size, &ours, &minimals, report);
    report.bar(seconds(
        "start to first reconcile, empty cluster".to_owned(),
        empty,
        1.0,
    ));
    if let Some(alone) = alone {
        alone.show(size, report);
    }
    Ok(())
}

async fn prepared(operator: &Path, size: usize) -> Result<Bed, String> {
    let bed = Bed::start(Plane::Bare, size, operator).await?;
    converge::prepare(&bed, operator).await?;
    Ok(bed)
}

/// On a cluster with one resource, without which there is nothing to reconcile.
async fn start_when_empty(operator: &Path) -> Result<f64, String> {
    let bed = prepared(operator, 1).await?;
    for kind in kinds::KINDS.iter().take(2) {
        converge::create(&bed, kind, 0).await?;
    }
    let (seconds, subject) = start::to_first_reconcile(&bed, operator).await?;
    subject.stop().await?;
    Ok(seconds)
}

fn told(size: usize, which: Which, converged: Converged) -> Converged {
    eprintln!("bench: {size} resources of all kinds, {which}: {converged:?}");
    converged
}

/// What is measured of the operator without the minimal client.
struct Alone {
    resident_mb: f64,
    start: f64,
    takeover: f64,
}

impl Alone {
    async fn measure(
        bed: &Bed,
        subject: Subject,
        operator: &Path,
        size: usize,
        options: &Options,
    ) -> Result<Self, String> {
        tokio::time::sleep(options.rest()).await;
        let resident_mb = subject.cost()?.resident_mb;
        subject.stop().await?;
        let (start, leader) = start::to_first_reconcile(bed, operator).await?;
        let takeover = start::to_takeover(bed, leader, operator, size).await?;
        Ok(Self {
            resident_mb,
            start,
            takeover,
        })
    }

    fn show(&self, size: usize, report: &mut Report) {
        report.bar(Bar::at_most(
            format!("all kinds, {size}: memory at rest"),
            self.resident_mb,
            80.0,
            " MB",
        ));
        report.bar(seconds(
            format!("start to first reconcile, {size} resources"),
            self.start,
            5.0,
        ));
        report.bar(seconds(
            "fail-over after kill -9, until children exist".to_owned(),
            self.takeover,
            LEASE + AFTER_LEASE,
        ));
    }
}

fn seconds(what: String, value: f64, limit: f64) -> Bar {
    Bar::at_most(what, value, limit, " s")
}

fn show(size: usize, ours: &[Converged], minimals: &[Converged], report: &mut Report) {
    let median = |runs: &[Converged], of: fn(&Converged) -> f64| {
        let mut values: Vec<f64> = runs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        percentile(&values, 50)
    };
    report
        .heading("Bare plane: resources of all kinds, until every child exists and every status is written");
    report.line("    N  subject         all there  writes/res    CPU s  peak MB");
    for (which, runs) in [(Which::Operator, ours), (Which::Minimal, minimals)] {
        report.line(&format!(
            "{size:>5}  {which:<14} {:>8.2} s  {:>10.3}  {:>7.2}  {:>7.1}",
            median(runs, |run| run.seconds),
            median(runs, |run| count(run.writes)) / count(size),
            median(runs, |run| run.cpu),
            median(runs, |run| run.peak_mb),
        ));
    }
    let ratio = median(ours, |run| run.seconds) / median(minimals, |run| run.seconds);
    report.bar(Bar::at_most(
        format!("all kinds, {size}: time / minimal client's"),
        ratio,
        1.5,
        "x",
    ));
}
