//! Plots as SVG, without a library: replicas over time, and attainment over cost.
//!
//! In: named series of points. Out: a complete SVG document. It must not read or write files.

use std::fmt::Write as _;

/// One line of a plot.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Points in the plot's units, in the order in which they are joined.
    pub points: Vec<(f64, f64)>,
    /// Whether each point is marked.
    pub marked: bool,
}

/// What is written around the lines.
#[derive(Clone, Debug)]
pub struct Labels {
    /// Above the plot.
    pub title: String,
    /// Below the horizontal axis.
    pub x: String,
    /// Beside the vertical axis.
    pub y: String,
}

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 460.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 210.0;
const TOP: f64 = 36.0;
const BOTTOM: f64 = 48.0;
/// Colours that differ for most kinds of colour blindness (Okabe and Ito), and two greys.
const COLOURS: [&str; 9] = [
    "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#777777", "#b0b0b0",
];

struct Frame {
    x: (f64, f64),
    y: (f64, f64),
}

impl Frame {
    fn around(series: &[Series]) -> Self {
        let points = || {
            series
                .iter()
                .flat_map(|one| &one.points)
                .filter(|(x, y)| x.is_finite() && y.is_finite())
        };
        let span = |pick: fn(&(f64, f64)) -> f64| {
            let low = points().map(pick).fold(f64::INFINITY, f64::min);
            let high = points().map(pick).fold(f64::NEG_INFINITY, f64::max);
            if low < high {
                (low, high)
            } else {
                (low.min(0.0), low.max(0.0) + 1.0)
            }
        };
        let ends = |(low, high): (f64, f64)| {
            if low.is_finite() && high.is_finite() {
                (low, high)
            } else {
                (0.0, 1.0)
            }
        };
        Self {
            x: ends(span(|point| point.0)),
            y: ends(span(|point| point.1)),
        }
    }

    fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let part = |value: f64, (low, high): (f64, f64)| ((value - low) / (high - low)).clamp(0.0, 1.0);
        (
            LEFT + part(x, self.x) * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - part(y, self.y) * (HEIGHT - TOP - BOTTOM),
        )
    }
}

/// Draws. The frame is the smallest around all points; `floor` widens it down to a value of y.
pub fn plot(labels: &Labels, series: &[Series], floor: Option<f64>) -> String {
    let mut frame = Frame::around(series);
    if let Some(floor) = floor {
        frame.y.0 = frame.y.0.min(floor);
    }
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n"
    );
    text(&mut svg, (WIDTH / 2.0, 20.0), "middle", &labels.title);
    text(
        &mut svg,
        ((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 10.0),
        "middle",
        &labels.x,
    );
    text(&mut svg, (LEFT, TOP - 8.0), "middle", &labels.y);
    axes(&mut svg, &frame);
    for (index, one) in series.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        line(&mut svg, &frame, one, colour);
        let down = 18.0 * crate::num::float(index);
        let at = (WIDTH - RIGHT + 16.0, TOP + 8.0 + down);
        let _ = writeln!(
            svg,
            "<line x1=\"{0:.1}\" y1=\"{1:.1}\" x2=\"{2:.1}\" y2=\"{1:.1}\" stroke=\"{colour}\" stroke-width=\"3\"/>",
            at.0,
            at.1,
            at.0 + 20.0
        );
        text(&mut svg, (at.0 + 26.0, at.1 + 4.0), "start", &one.name);
    }
    svg.push_str("</svg>\n");
    svg
}

fn axes(svg: &mut String, frame: &Frame) {
    for step in 0..=5u32 {
        let part = f64::from(step) / 5.0;
        let x = frame.x.0 + part * (frame.x.1 - frame.x.0);
        let y = frame.y.0 + part * (frame.y.1 - frame.y.0);
        let (left, down) = (frame.place((x, frame.y.0)), frame.place((frame.x.0, y)));
        let across = frame.place((frame.x.1, y)).0;
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT:.1}\" y1=\"{0:.1}\" x2=\"{across:.1}\" y2=\"{0:.1}\" stroke=\"#dddddd\"/>",
            down.1
        );
        text(svg, (left.0, HEIGHT - BOTTOM + 16.0), "middle", &number(x));
        text(svg, (LEFT - 6.0, down.1 + 4.0), "end", &number(y));
    }
}

fn line(svg: &mut String, frame: &Frame, series: &Series, colour: &str) {
    let places: Vec<(f64, f64)> = series
        .points
        .iter()
        .filter(|(x, y)| x.is_finite() && y.is_finite())
        .map(|point| frame.place(*point))
        .collect();
    let joined: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let _ = writeln!(
        svg,
        "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\" points=\"{}\"/>",
        joined.join(" ")
    );
    for (x, y) in places.iter().filter(|_| series.marked) {
        let _ = writeln!(
            svg,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>"
        );
    }
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, words: &str) {
    let safe = words.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{safe}</text>"
    );
}

fn number(value: f64) -> String {
    if value.abs() >= 100.0 {
        format!("{value:.0}")
    } else if value.abs() >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_is_a_document_whatever_the_points() {
        let labels = Labels {
            title: "a < b & c".into(),
            x: "s".into(),
            y: "n".into(),
        };
        for points in [
            vec![],
            vec![(1.0, 2.0)],
            vec![(f64::NAN, 1.0), (0.0, 0.0)],
            vec![(0.0, 1.0), (5.0, 3.0)],
        ] {
            let svg = plot(
                &labels,
                &[Series {
                    name: "x".into(),
                    points,
                    marked: true,
                }],
                Some(0.0),
            );
            assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
            assert!(
                svg.contains("a &lt; b &amp; c") && !svg.contains("NaN") && !svg.contains("inf"),
                "{svg}"
            );
        }
    }
}
