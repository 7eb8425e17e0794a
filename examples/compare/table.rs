//! The figures of both, and the table that they make.

use std::fmt;

/// What is not compared: the number of operations is the same for both, and the highest resident memory tells of the size
/// of the workload.
const LEFT_OUT: [&str; 2] = ["n", "rss_kb"];

/// All figures.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Row>,
}

/// The figures of one name in one workload: ours, and theirs.
#[derive(Debug)]
struct Row {
    workload: String,
    figure: String,
    values: [Vec<f64>; 2],
}

impl Table {
    pub fn add(&mut self, workload: &str, figure: &str, who: usize, value: f64) {
        if LEFT_OUT.contains(&figure) {
            return;
        }
        let row = self
            .rows
            .iter_mut()
            .find(|row| row.workload == workload && row.figure == figure);
        let row = match row {
            Some(row) => row,
            None => {
                self.rows.push(Row {
                    workload: workload.to_owned(),
                    figure: figure.to_owned(),
                    values: [const { Vec::new() }; 2],
                });
                self.rows.last_mut().expect("just pushed")
            }
        };
        row.values[who].push(value);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| workload | figure | switchback | tokio | ratio |")?;
        writeln!(f, "|---|---|---:|---:|---:|")?;
        let mut shown = "";
        for row in &self.rows {
            let [ours, theirs] = row.values.each_ref().map(|values| Spread::of(values));
            // A workload is named once.
            let workload = if row.workload == shown {
                String::new()
            } else {
                format!("`{}`", row.workload)
            };
            shown = &row.workload;
            let (figure, ratio) = (&row.figure, ours.median / theirs.median);
            writeln!(
                f,
                "| {workload} | {figure} | {ours} | {theirs} | {ratio:.2} |"
            )?;
        }
        Ok(())
    }
}

/// What has come of some rounds.
#[derive(Debug)]
struct Spread {
    lowest: f64,
    median: f64,
    highest: f64,
}

impl Spread {
    fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let last = sorted.len().saturating_sub(1);
        Self {
            lowest: at(0),
            median: f64::midpoint(at(last / 2), at(last.div_ceil(2))),
            highest: at(last),
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [lowest, median, highest] = [self.lowest, self.median, self.highest].map(short);
        write!(f, "{median} ({lowest}–{highest})")
    }
}

/// Three digits, which is more than any of this is worth.
fn short(value: f64) -> String {
    match value.abs() {
        0.0..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        100.0..10_000.0 => format!("{value:.0}"),
        _ => format!("{:.1}k", value / 1000.0),
    }
}
