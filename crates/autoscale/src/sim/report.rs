//! What the simulator prints and draws.
//!
//! In: entries of a contest. Out: a table in Markdown, the verdict on the curves, and SVG. It must not run anything.

use std::fmt::Write as _;

use super::{
    causal::Best,
    contest::{Contender, Contest, Entry},
    score::Score,
    svg::{Labels, Series, plot},
};

/// One line per policy, the clairvoyant first.
pub fn table(contest: &Contest<'_>, entries: &[Entry]) -> String {
    let clairvoyant = contest.clairvoyant_score();
    let mut out = String::from(
        "| policy | knob | attainment | GPU-hours | ratio | max | oscillations | TTFT p99 | per token p99 |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    let mut row = |name: &str, knob: &str, score: &Score| {
        let _ = writeln!(
            out,
            "| {name} | {knob} | {:.2} % | {:.2} | {:.2} | {} | {} | {:.2} s | {:.1} ms |",
            100.0 * score.attainment,
            score.gpu_hours,
            score.gpu_hours / clairvoyant.gpu_hours,
            score.max_replicas,
            score.oscillations,
            score.ttft_p99,
            1000.0 * score.per_token_p99,
        );
    };
    row("clairvoyant", "", &clairvoyant);
    for entry in entries {
        row(
            entry.contender.name(),
            format!("{:.4}", entry.knob)
                .trim_end_matches('0')
                .trim_end_matches('.'),
            &entry.score,
        );
    }
    out
}

/// The best in hindsight without the future, in a sentence.
pub fn causal(contest: &Contest<'_>, best: Option<&Best>) -> String {
    let Some(Best { parameters, score }) = best else {
        return "No policy of the family that sees the past only reaches the goal.".to_owned();
    };
    format!(
        "Best in hindsight without the future: {:.2} % at {:.2} GPU-hours, ratio {:.2} (half-life {} s, trend over {} of a start-up, highest of {} s, at least {}, factor {:.2})",
        100.0 * score.attainment,
        score.gpu_hours,
        score.gpu_hours / contest.clairvoyant_score().gpu_hours,
        parameters.half_life,
        parameters.trend,
        parameters.hold,
        parameters.floor,
        parameters.factor,
    )
}

/// How a curve compares with ours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// Whose curve.
    pub contender: Contender,
    /// Most by which it lies above ours at a cost that ours reaches, in attainment; at most 0 when it never does.
    pub lead: f64,
    /// The GPU-hours at which it does.
    pub at: f64,
}

/// Compares each policy's points with our curve at the same cost. Points that cost less than any of ours, or whose attainment is
/// below `floor`, say nothing.
pub fn verdicts(ours: &[Entry], others: &[Entry], floor: f64) -> Vec<Verdict> {
    let curve = hull(ours);
    let mut verdicts: Vec<Verdict> = Vec::new();
    for entry in others.iter().filter(|entry| entry.score.attainment >= floor) {
        let Some(attained) = at_cost(&curve, entry.score.gpu_hours) else {
            continue;
        };
        let verdict = Verdict {
            contender: entry.contender,
            lead: entry.score.attainment - attained,
            at: entry.score.gpu_hours,
        };
        match verdicts
            .iter_mut()
            .find(|known| known.contender == entry.contender)
        {
            Some(known) if known.lead >= verdict.lead => {}
            Some(known) => *known = verdict,
            None => verdicts.push(verdict),
        }
    }
    verdicts
}

/// Points in order of cost, attainment never falling.
fn hull(entries: &[Entry]) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = entries
        .iter()
        .map(|entry| (entry.score.gpu_hours, entry.score.attainment))
        .collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut best = 0.0;
    for point in &mut points {
        best = point.1.max(best);
        point.1 = best;
    }
    points
}

/// Attainment at a cost, between two points in proportion.
fn at_cost(curve: &[(f64, f64)], cost: f64) -> Option<f64> {
    let after = curve.partition_point(|(x, _)| *x <= cost);
    let (x0, y0) = *curve.get(after.checked_sub(1)?)?;
    Some(
        curve
            .get(after)
            .map_or(y0, |(x1, y1)| y0 + (y1 - y0) * (cost - x0) / (x1 - x0)),
    )
}

/// Replicas over time, of the clairvoyant and of each entry.
pub fn replicas_svg(title: &str, contest: &Contest<'_>, entries: &[Entry]) -> String {
    let series = |name: &str, timeline: &[(f64, u32, u32)]| Series {
        name: name.to_owned(),
        points: timeline
            .iter()
            .map(|(at, _, exist)| (*at, f64::from(*exist)))
            .collect(),
        marked: false,
    };
    let mut all = vec![series("clairvoyant", &contest.clairvoyant.run.timeline)];
    all.extend(
        entries
            .iter()
            .map(|entry| series(entry.contender.name(), &entry.run.timeline)),
    );
    let labels = Labels {
        title: title.to_owned(),
        x: "seconds".to_owned(),
        y: "replicas".to_owned(),
    };
    plot(&labels, &all, Some(0.0))
}

/// Attainment over cost, one curve per policy; points beyond three times the clairvoyant's cost, or below half, are left out.
pub fn curve_svg(title: &str, contest: &Contest<'_>, entries: &[Entry]) -> String {
    let clairvoyant = contest.clairvoyant_score();
    let shown = |entry: &&Entry| {
        entry.score.attainment >= 0.5 && entry.score.gpu_hours <= 3.0 * clairvoyant.gpu_hours
    };
    let mut all = vec![Series {
        name: "clairvoyant".to_owned(),
        points: vec![(clairvoyant.gpu_hours, 100.0 * clairvoyant.attainment)],
        marked: true,
    }];
    for contender in Contender::ALL {
        let mut points: Vec<(f64, f64)> = entries
            .iter()
            .filter(|entry| entry.contender == contender)
            .filter(shown)
            .map(|entry| (entry.score.gpu_hours, 100.0 * entry.score.attainment))
            .collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        all.push(Series {
            name: contender.name().to_owned(),
            points,
            marked: true,
        });
    }
    let labels = Labels {
        title: title.to_owned(),
        x: "GPU-hours".to_owned(),
        y: "% within targets".to_owned(),
    };
    plot(&labels, &all, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_read_between_its_points() {
        let curve = [(10.0, 0.9), (20.0, 1.0)];
        assert_eq!(at_cost(&curve, 5.0), None);
        assert!((at_cost(&curve, 15.0).unwrap() - 0.95).abs() < 1e-9);
        assert!((at_cost(&curve, 30.0).unwrap() - 1.0).abs() < 1e-9);
    }
}
