//! On a bare plane: etcd and the API server alone, so that nothing else contends.
//!
//! In: sizes. Out: rows and bars for both subjects: time until every child and every status is there, writes, CPU, memory.

use crate::{
    bars::Bar,
    bed::Bed,
    options::{Options, Plane},
    report::Report,
    run::{Run, count, median, run},
    still,
    subject::{Subject, Which},
    templates::{self, Templates},
};

/// The size from which cost per resource must be flat.
const FLAT_FROM: usize = 100;

/// Measures every size.
pub async fn measure(options: &Options, report: &mut Report) -> Result<(), String> {
    let operator = options.operator()?;
    report.heading("Bare plane: until every child exists and every status is written");
    let (mut rows, mut templates, mut stillness) = (Vec::new(), None::<Templates>, None);
    let largest = options.sizes.iter().max().copied().unwrap_or_default();
    for &size in &options.sizes {
        let (mut ours, mut minimals) = (Vec::new(), Vec::new());
        for repeat in 0..options.repeats {
            let bed = Bed::start(Plane::Bare, size, &operator).await?;
            let mut subject = Subject::operator(&bed, &operator, &[]).await?;
            ours.push(run(&bed, &mut subject, Which::Operator, size, false).await?.0);
            let floor = match templates.take() {
                Some(floor) => floor,
                None => templates::learn(&bed.client, &operator, false).await?,
            };
            if size == largest && repeat == 0 {
                stillness = Some(
                    still::measure(&bed, subject, &operator, size, options.rest())
                        .await?
                        .0,
                );
            } else {
                drop(subject);
            }
            drop(bed);
            let bed = Bed::start(Plane::Bare, size, &operator).await?;
            let mut subject = Subject::minimal(&bed, &floor)?;
            minimals.push(run(&bed, &mut subject, Which::Minimal, size, false).await?.0);
            templates = Some(floor);
        }
        rows.extend(median(ours).zip(median(minimals)));
    }
    show(&rows, report);
    if let Some(stillness) = stillness {
        stillness.show(report, "bare plane");
    }
    Ok(())
}

fn show(rows: &[(Run, Run)], report: &mut Report) {
    let table: Vec<Run> = rows
        .iter()
        .flat_map(|(ours, minimal)| [ours.clone(), minimal.clone()])
        .collect();
    report.runs(&table, "all there");
    let Some((ours, minimal)) = rows.iter().max_by_key(|(ours, _)| ours.size) else {
        return;
    };
    report.writes(ours, minimal);
    let size = ours.size;
    let mut bar = |what: &str, value: f64, limit: f64, unit: &'static str| {
        report.bar(Bar::at_most(
            format!("bare plane, {size}: {what}"),
            value,
            limit,
            unit,
        ));
    };
    bar(
        "time / minimal client's",
        ours.seconds / minimal.seconds,
        1.15,
        "x",
    );
    // The clock counts in hundredths of a second: below 100 resources a ratio says nothing.
    if size >= FLAT_FROM {
        bar("CPU / minimal client's", ours.cpu / minimal.cpu, 2.5, "x");
    }
    bar("peak memory", ours.peak_mb, 40.0, " MB");
    let over = count(ours.writes()) - count(minimal.writes());
    bar("writes over the floor", over, 0.0, "");
    let base = rows
        .iter()
        .find(|(ours, _)| ours.size == FLAT_FROM && size > FLAT_FROM);
    if let Some((base, _)) = base {
        let growth = ours.cpu_ms_per_resource() / base.cpu_ms_per_resource();
        bar("CPU per resource / that at 100", growth, 1.15, "x");
    }
}
