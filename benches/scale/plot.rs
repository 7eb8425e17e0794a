//! A picture of small multiples: one panel for each row, both axes logarithmic, a curve for each peer.
//!
//! Written by hand, because it is lines and text; what is light and what is dark is left to whoever shows it.

use std::fmt::Write as _;

use crate::peers::NOTHING_FAILS;
use crate::samples::spaced;

/// What was measured with so many coroutines.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    pub at: f64,
    pub least: f64,
    pub median: f64,
    pub most: f64,
}

pub type Curve = Vec<Point>;

#[derive(Debug)]
pub struct Panel {
    pub title: &'static str,
    pub unit: &'static str,
    pub curves: [Curve; 2],
}

const COLUMNS: usize = 2;
/// The size of a panel with its labels.
const WIDTH: f64 = 440.0;
const HEIGHT: f64 = 232.0;
/// Where the axes stand in it.
const LEFT: f64 = 78.0;
const RIGHT: f64 = 424.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 178.0;
/// Room for the legend above all panels.
const HEAD: f64 = 44.0;

/// Both palettes keep their distance from the ground, and the curves are told apart by their marks as well.
const STYLE: &str = "\
  svg { font: 12px system-ui, sans-serif; }
  .ground { fill: #ffffff; }
  text { fill: #1f2328; }
  .title { font-weight: 600; font-size: 13px; }
  .grid { stroke: #d0d7de; stroke-width: 1; }
  .axis { stroke: #59636e; stroke-width: 1; }
  .curve { fill: none; stroke-width: 2; }
  .peer0 { stroke: #0550ae; fill: #0550ae; }
  .peer1 { stroke: #bc4c00; fill: #bc4c00; }
  .band { stroke: none; opacity: 0.18; }
  polyline.curve { fill: none; }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; }
    text { fill: #f0f6fc; }
    .grid { stroke: #30363d; }
    .axis { stroke: #9198a1; }
    .peer0 { stroke: #79c0ff; fill: #79c0ff; }
    .peer1 { stroke: #ffa657; fill: #ffa657; }
    .band { stroke: none; opacity: 0.25; }
  }
";

/// A logarithmic axis, from one power of ten to another.
#[derive(Clone, Copy, Debug)]
struct Axis {
    lowest: i32,
    highest: i32,
    from: f64,
    to: f64,
}

impl Axis {
    fn of(figures: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let positive = figures.filter(|figure| *figure > 0.0);
        let (least, most) = positive.fold((f64::MAX, f64::MIN), |(least, most), figure| {
            (least.min(figure), most.max(figure))
        });
        let lowest = least.log10().floor() as i32;
        let highest = (most.log10().ceil() as i32).max(lowest + 1);
        Self {
            lowest,
            highest,
            from,
            to,
        }
    }

    fn place(&self, figure: f64) -> f64 {
        // What lies below the axis, as a difference of zero, stands on it.
        let decades = figure.log10().max(f64::from(self.lowest)) - f64::from(self.lowest);
        self.from + (self.to - self.from) * decades / f64::from(self.highest - self.lowest)
    }

    fn ticks(self) -> impl Iterator<Item = f64> {
        (self.lowest..=self.highest).map(|power| 10f64.powi(power))
    }
}

fn label(tick: f64) -> String {
    if tick >= 1.0 {
        spaced(tick as u64)
    } else {
        tick.to_string()
    }
}

/// The mark of a peer, at a place.
fn mark(peer: usize, x: f64, y: f64) -> String {
    if peer == 0 {
        format!(r#"<circle class="peer0" cx="{x:.1}" cy="{y:.1}" r="3.5"/>"#)
    } else {
        let (left, top) = (x - 3.5, y - 3.5);
        format!(r#"<rect class="peer1" x="{left:.1}" y="{top:.1}" width="7" height="7"/>"#)
    }
}

fn places(points: impl Iterator<Item = (f64, f64)>) -> String {
    let places: Vec<String> = points.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    places.join(" ")
}

fn draw_panel(svg: &mut String, panel: &Panel, things: &str) -> std::fmt::Result {
    let points = || panel.curves.iter().flatten();
    let across = Axis::of(points().map(|point| point.at), LEFT, RIGHT);
    let extremes = points().flat_map(|point| [point.least, point.median, point.most]);
    let up = Axis::of(extremes, BOTTOM, TOP);
    writeln!(
        svg,
        r#"<text class="title" x="{LEFT}" y="20">{}, {} each</text>"#,
        panel.title, panel.unit
    )?;
    for tick in up.ticks() {
        let (y, label) = (up.place(tick), label(tick));
        writeln!(
            svg,
            r#"<line class="grid" x1="{LEFT}" y1="{y:.1}" x2="{RIGHT}" y2="{y:.1}"/>"#
        )?;
        let (x, y) = (LEFT - 8.0, y + 4.0);
        writeln!(
            svg,
            r#"<text x="{x}" y="{y:.1}" text-anchor="end">{label}</text>"#
        )?;
    }
    for tick in across.ticks() {
        let (x, label) = (across.place(tick), label(tick));
        writeln!(
            svg,
            r#"<line class="grid" x1="{x:.1}" y1="{TOP}" x2="{x:.1}" y2="{BOTTOM}"/>"#
        )?;
        let y = BOTTOM + 18.0;
        writeln!(
            svg,
            r#"<text x="{x:.1}" y="{y}" text-anchor="middle">{label}</text>"#
        )?;
    }
    writeln!(
        svg,
        r#"<polyline class="axis" fill="none" points="{LEFT},{TOP} {LEFT},{BOTTOM} {RIGHT},{BOTTOM}"/>"#
    )?;
    let (x, y) = ((LEFT + RIGHT) / 2.0, BOTTOM + 36.0);
    writeln!(
        svg,
        r#"<text x="{x}" y="{y}" text-anchor="middle">{things}</text>"#
    )?;
    let y = (TOP + BOTTOM) / 2.0;
    writeln!(
        svg,
        r#"<text x="14" y="{y}" text-anchor="middle" transform="rotate(-90 14 {y})">{}</text>"#,
        panel.unit
    )?;
    for (peer, curve) in panel.curves.iter().enumerate() {
        let upper = curve
            .iter()
            .map(|point| (across.place(point.at), up.place(point.most)));
        let lower = curve
            .iter()
            .rev()
            .map(|point| (across.place(point.at), up.place(point.least)));
        writeln!(
            svg,
            r#"<polygon class="band peer{peer}" points="{}"/>"#,
            places(upper.chain(lower))
        )?;
        let median = || {
            curve
                .iter()
                .map(|point| (across.place(point.at), up.place(point.median)))
        };
        writeln!(
            svg,
            r#"<polyline class="peer{peer} curve" points="{}"/>"#,
            places(median())
        )?;
        for (x, y) in median() {
            writeln!(svg, "{}", mark(peer, x, y))?;
        }
    }
    Ok(())
}

/// The picture. `things` is what the numbers on the axis across count.
pub fn svg(things: &str, panels: &[Panel], peers: [&str; 2]) -> String {
    let mut svg = String::new();
    draw(&mut svg, things, panels, peers).expect(NOTHING_FAILS);
    svg
}

fn draw(svg: &mut String, things: &str, panels: &[Panel], peers: [&str; 2]) -> std::fmt::Result {
    // With room for the last number of the last axis.
    let width = WIDTH * COLUMNS as f64 + 24.0;
    let height = HEAD + HEIGHT * panels.len().div_ceil(COLUMNS) as f64;
    writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">"#
    )?;
    writeln!(
        svg,
        "<title>What each operation costs as the number of {things} grows</title>"
    )?;
    writeln!(svg, "<style>\n{STYLE}</style>")?;
    writeln!(
        svg,
        r#"<rect class="ground" width="{width}" height="{height}"/>"#
    )?;
    for (peer, name) in peers.iter().enumerate() {
        let x = LEFT + 130.0 * peer as f64;
        writeln!(
            svg,
            r#"<line class="peer{peer} curve" x1="{x}" y1="24" x2="{}" y2="24"/>"#,
            x + 28.0
        )?;
        writeln!(svg, "{}", mark(peer, x + 14.0, 24.0))?;
        writeln!(svg, r#"<text x="{}" y="28">{name}</text>"#, x + 36.0)?;
    }
    let x = LEFT + 130.0 * peers.len() as f64;
    writeln!(
        svg,
        r#"<text x="{x}" y="28">line: median; band: least to most; both axes logarithmic</text>"#
    )?;
    for (at, panel) in panels.iter().enumerate() {
        let x = WIDTH * (at % COLUMNS) as f64;
        let y = HEAD + HEIGHT * (at / COLUMNS) as f64;
        writeln!(svg, r#"<g transform="translate({x} {y})">"#)?;
        draw_panel(svg, panel, things)?;
        writeln!(svg, "</g>")?;
    }
    writeln!(svg, "</svg>")
}
