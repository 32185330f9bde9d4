//! Figures, each with its floor: as a table for a terminal and for `docs/benchmarks.md`.

use std::{fmt, time::Duration};

/// The figures of one part.
pub(crate) struct Section {
    /// Its heading.
    pub(crate) title: &'static str,
    /// What was done, in sentences.
    pub(crate) method: String,
    /// The machine's other load, as the part began.
    pub(crate) load: String,
    /// The figures.
    pub(crate) rows: Vec<Row>,
}

/// One figure.
pub(crate) struct Row {
    what: String,
    measured: Figure,
    floor: Option<Figure>,
    budget: Option<Budget>,
}

/// A number with its unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Figure {
    /// A time.
    Time(Duration),
    /// Answers or sessions per second.
    Rate(f64),
    /// Memory, or a file's size.
    Bytes(u64),
    /// A count.
    Count(u64),
}

#[derive(Clone, Copy, Debug)]
enum Budget {
    AtMost(Figure),
    AtLeast(Figure),
}

impl Row {
    /// A figure that has neither floor nor budget.
    pub(crate) fn new(what: impl Into<String>, measured: Figure) -> Self {
        Self {
            what: what.into(),
            measured,
            floor: None,
            budget: None,
        }
    }

    /// The same figure of the floor, from the same run.
    pub(crate) fn floor(self, floor: Figure) -> Self {
        Self {
            floor: Some(floor),
            ..self
        }
    }

    /// More than `most` misses the budget.
    pub(crate) fn at_most(self, most: Figure) -> Self {
        Self {
            budget: Some(Budget::AtMost(most)),
            ..self
        }
    }

    /// Less than `least` misses the budget.
    pub(crate) fn at_least(self, least: Figure) -> Self {
        Self {
            budget: Some(Budget::AtLeast(least)),
            ..self
        }
    }

    fn met(&self) -> Option<bool> {
        Some(match self.budget? {
            Budget::AtMost(most) => self.measured.number() <= most.number(),
            Budget::AtLeast(least) => self.measured.number() >= least.number(),
        })
    }

    fn cells(&self) -> [String; 6] {
        let ratio = self.floor.map(|floor| {
            let ratio = self.measured.number() / floor.number();
            format!("{ratio:.2}")
        });
        let budget = self.budget.map(|budget| match budget {
            Budget::AtMost(figure) => format!("≤ {figure}"),
            Budget::AtLeast(figure) => format!("≥ {figure}"),
        });
        let met = self.met().map(|met| if met { "yes" } else { "**no**" });
        [
            self.what.clone(),
            self.measured.to_string(),
            self.floor
                .map(|floor| floor.to_string())
                .unwrap_or_default(),
            ratio.unwrap_or_default(),
            budget.unwrap_or_default(),
            met.unwrap_or_default().to_owned(),
        ]
    }
}

impl Figure {
    /// In a unit that is the same for all figures of a kind.
    fn number(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "for people, and far below 2^52")]
        match self {
            Self::Time(time) => time.as_secs_f64(),
            Self::Rate(rate) => rate,
            Self::Bytes(number) | Self::Count(number) => number as f64,
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.number();
        match self {
            Self::Time(time) if *time >= Duration::from_secs(1) => write!(f, "{number:.1} s"),
            Self::Time(time) if *time >= Duration::from_millis(1) => {
                write!(f, "{:.2} ms", number * 1e3)
            }
            Self::Time(_) => write!(f, "{:.1} µs", number * 1e6),
            Self::Rate(_) if number < 100.0 => write!(f, "{number:.1}/s"),
            Self::Rate(_) => write!(f, "{}/s", grouped(number)),
            Self::Bytes(_) if number < 1e7 => write!(f, "{:.2} MB", number / 1e6),
            Self::Bytes(_) => write!(f, "{:.1} MB", number / 1e6),
            Self::Count(_) => f.write_str(&grouped(number)),
        }
    }
}

/// `12345.6` as `12,346`.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEAD: [&str; 6] = ["", "measured", "floor", "ratio", "budget", "met"];
        writeln!(f, "## {}\n\n{}\n\n{}\n", self.title, self.method, self.load)?;
        let rows: Vec<_> = self.rows.iter().map(Row::cells).collect();
        let width = |column: usize| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0).max(HEAD[column].len()).max(3)
        };
        let widths: [usize; 6] = std::array::from_fn(width);
        line(f, &HEAD.map(str::to_owned), widths)?;
        line(f, &widths.map(|width| "-".repeat(width)), widths)?;
        rows.iter().try_for_each(|row| line(f, row, widths))
    }
}

fn line(f: &mut fmt::Formatter<'_>, cells: &[String; 6], widths: [usize; 6]) -> fmt::Result {
    for (cell, width) in cells.iter().zip(widths) {
        write!(f, "| {cell:width$} ")?;
    }
    writeln!(f, "|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_shows_ratio_and_whether_the_budget_is_met() {
        let row = Row::new("requests", Figure::Rate(90_000.4))
            .floor(Figure::Rate(120_000.0))
            .at_least(Figure::Rate(100_000.0));
        let cells = [
            "requests",
            "90,000/s",
            "120,000/s",
            "0.75",
            "≥ 100,000/s",
            "**no**",
        ];
        assert_eq!(row.cells(), cells);
        let row = Row::new("RSS", Figure::Bytes(5_120_000)).at_most(Figure::Bytes(5_120_000));
        assert_eq!(row.cells(), ["RSS", "5.12 MB", "", "", "≤ 5.12 MB", "yes"]);
    }

    #[test]
    fn times_have_the_unit_that_suits_them() {
        let shown = |micros| Figure::Time(Duration::from_micros(micros)).to_string();
        assert_eq!(shown(12), "12.0 µs");
        assert_eq!(shown(1_234), "1.23 ms");
        assert_eq!(shown(61_250_000), "61.2 s");
    }

    #[test]
    fn a_section_is_a_markdown_table() {
        let section = Section {
            title: "Helper",
            method: "Runs.".to_owned(),
            load: "Idle.".to_owned(),
            rows: vec![Row::new("runs", Figure::Count(1_500))],
        };
        assert_eq!(
            section.to_string(),
            "## Helper\n\nRuns.\n\nIdle.\n\n\
             |      | measured | floor | ratio | budget | met |\n\
             | ---- | -------- | ----- | ----- | ------ | --- |\n\
             | runs | 1,500    |       |       |        |     |\n"
        );
    }
}
