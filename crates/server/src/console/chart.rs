//! Charts: lines over the last minutes or hours as SVG, with their words around them in HTML, so that they stay readable on a
//! phone and for a screen reader.

use std::fmt::Write as _;

/// The size of the drawing; the page stretches it.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 120.0;

/// A chart, ready to be shown.
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) lines: Vec<Line>,
    /// What the upper edge stands for.
    pub(super) top: String,
    /// Everything in a sentence.
    pub(super) summary: String,
}

/// One of its lines.
pub(super) struct Line {
    pub(super) name: &'static str,
    /// Its colour.
    pub(super) class: &'static str,
    /// The latest value.
    pub(super) now: String,
    /// The line itself, and what lies below it.
    pub(super) path: String,
    pub(super) area: String,
}

/// What a line is drawn from: a value for each step, none where there was nothing.
pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) class: &'static str,
    pub(super) values: Vec<Option<f64>>,
}

/// How the values of a chart are written, and how high it is at least.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    pub(super) write: fn(f64) -> String,
    /// None: as high as the highest value.
    pub(super) top: Option<f64>,
}

impl Chart {
    /// `steps` is how many the chart has room for; what has not happened yet stays empty on the left.
    pub(super) fn new(title: &'static str, scale: Scale, steps: usize, series: &[Series]) -> Self {
        let values = || series.iter().flat_map(|series| series.values.iter().flatten().copied());
        let highest = values().fold(0.0, f64::max);
        let top = scale.top.unwrap_or_else(|| round_up(highest));
        let written: Vec<_> = series.iter().map(|series| (series.name, latest(series, scale))).collect();
        let parts: Vec<_> = written.iter().map(|(name, now)| format!("{name} {now}")).collect();
        let highest = if values().next().is_some() { (scale.write)(highest) } else { "nothing".to_owned() };
        let summary = format!("{title}: now {}; the highest was {highest}", parts.join(", "));
        let lines = series.iter().zip(written).map(|(series, (name, now))| {
            let (path, area) = drawn(&series.values, steps, top);
            Line { name, class: series.class, now, path, area }
        });
        Self { title, lines: lines.collect(), top: (scale.write)(top), summary }
    }
}

fn latest(series: &Series, scale: Scale) -> String {
    let last = series.values.last().copied().flatten();
    last.map_or_else(|| "–".to_owned(), scale.write)
}

/// The next of 1, 2, 5, 10, 20, ... that is not below.
fn round_up(value: f64) -> f64 {
    let magnitude = 10f64.powf(value.max(0.001).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * magnitude);
    steps.into_iter().find(|step| *step >= value).unwrap_or(10.0 * magnitude)
}

/// The line, broken where there is no value, and the area below each of its pieces.
fn drawn(values: &[Option<f64>], steps: usize, top: f64) -> (String, String) {
    let wide = WIDTH / (steps.max(2) - 1) as f64;
    let left = (steps - values.len().min(steps)) as f64 * wide;
    let at = |index: usize, value: f64| (left + index as f64 * wide, HEIGHT - (value / top).clamp(0.0, 1.0) * HEIGHT);
    let (mut path, mut area) = (String::new(), String::new());
    let numbered: Vec<_> = values.iter().copied().enumerate().collect();
    for piece in numbered.split(|(_, value)| value.is_none()).filter(|piece| !piece.is_empty()) {
        let mut points: Vec<_> =
            piece.iter().filter_map(|(index, value)| value.map(|value| at(*index, value))).collect();
        // A lone value is a short line.
        if let [(x, y)] = points[..] {
            points = vec![((x - wide / 2.0).max(0.0), y), ((x + wide / 2.0).min(WIDTH), y)];
        }
        let (first, last) = (points[0].0, points[points.len() - 1].0);
        let mut line = String::new();
        for (at, (x, y)) in points.into_iter().enumerate() {
            let _ = write!(line, "{}{x:.1} {y:.1}", if at == 0 { "" } else { "L" });
        }
        let _ = write!(path, "M{line}");
        let _ = write!(area, "M{first:.1} {HEIGHT}L{line}L{last:.1} {HEIGHT}Z");
    }
    (path, area)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upper_edge_is_a_round_number() {
        for (value, expected) in [(0.0, 0.001), (0.7, 1.0), (1.0, 1.0), (1.1, 2.0), (34.0, 50.0), (987.0, 1000.0)] {
            assert!((round_up(value) - expected).abs() < 1e-9, "{value}: {}", round_up(value));
        }
    }

    #[test]
    fn a_line_is_broken_where_nothing_happened() {
        let (path, area) = drawn(&[Some(0.0), Some(10.0), None, Some(5.0)], 4, 10.0);
        assert_eq!(path, "M0.0 120.0L200.0 0.0M500.0 60.0L600.0 60.0");
        assert!(area.starts_with("M0.0 120L0.0 120.0L200.0 0.0L200.0 120Z"), "{area}");
        let (late, _) = drawn(&[Some(0.0), Some(10.0)], 4, 10.0);
        assert_eq!(late, "M400.0 120.0L600.0 0.0", "what has not happened yet is on the left");
    }

    #[test]
    fn a_chart_says_in_words_what_it_shows() {
        let series = Series { name: "delivered", class: "good", values: vec![Some(3.0), Some(1.0)] };
        let scale = Scale { write: |value| format!("{value}/s"), top: None };
        let chart = Chart::new("Callbacks", scale, 10, &[series]);
        assert_eq!(chart.summary, "Callbacks: now delivered 1/s; the highest was 3/s");
        assert_eq!(chart.top, "5/s");
    }
}
