//! The table of operations and faults: printed, kept in the documentation, and held against it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::cases::{Case, GROUPS, rows};

const BEGIN: &str = "<!-- fault matrix: begin -->";
const END: &str = "<!-- fault matrix: end -->";

/// Cases, and those that are well, by row and group.
#[derive(Default)]
pub struct Table(BTreeMap<(String, &'static str), (usize, usize)>);

impl Table {
    /// Of cases that are all well.
    pub fn expected(cases: &[Case]) -> Self {
        let mut table = Self::default();
        cases.iter().for_each(|case| table.count(case, true));
        table
    }

    pub fn count(&mut self, case: &Case, well: bool) {
        let cell = self.0.entry((case.row.name(), case.group())).or_default();
        cell.0 += 1;
        cell.1 += usize::from(well);
    }

    fn cell(&self, row: &str, group: &'static str) -> String {
        match self.0.get(&(row.to_owned(), group)) {
            None => String::new(),
            Some((cases, well)) if cases == well => cases.to_string(),
            Some((cases, well)) => format!("{well} of {cases}"),
        }
    }

    fn total(&self, wanted: impl Fn(&str, &str) -> bool) -> (usize, usize) {
        let cells = self.0.iter();
        let wanted = cells.filter(|((row, group), _)| wanted(row, group));
        wanted.fold((0, 0), |sum, (_, cell)| (sum.0 + cell.0, sum.1 + cell.1))
    }

    pub fn markdown(&self) -> String {
        let (cases, well) = self.total(|_, _| true);
        let failed = match cases - well {
            0 => String::new(),
            failed => format!(", {failed} of them failed"),
        };
        let mut text = format!("{cases} cases{failed}.\n\n| |");
        for group in GROUPS {
            let _ = write!(text, " {group} |");
        }
        let _ = writeln!(text, " all |\n|---|{}", "---:|".repeat(GROUPS.len() + 1));
        for row in rows() {
            let name = row.name();
            let _ = write!(text, "| {name} |");
            for group in GROUPS {
                let _ = write!(text, " {} |", self.cell(&name, group));
            }
            let (cases, _) = self.total(|row, _| row == name);
            let _ = writeln!(text, " {cases} |");
        }
        text
    }
}

fn documentation() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reliability.md")
}

/// The table in the documentation.
pub fn documented() -> String {
    let text = std::fs::read_to_string(documentation()).expect("docs/reliability.md");
    let (_, rest) = text.split_once(BEGIN).expect("the begin of the table");
    let (table, _) = rest.split_once(END).expect("the end of the table");
    table.trim().to_owned()
}

/// Puts the table into the documentation.
pub fn write_documentation(table: &str) {
    let text = std::fs::read_to_string(documentation()).expect("docs/reliability.md");
    let (before, rest) = text.split_once(BEGIN).expect("the begin of the table");
    let (_, after) = rest.split_once(END).expect("the end of the table");
    let text = format!("{before}{BEGIN}\n{}\n{END}{after}", table.trim());
    std::fs::write(documentation(), text).expect("docs/reliability.md");
}

/// Keeps what a run has found.
pub fn write_result(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).expect("the result");
    println!("written to {}", path.display());
}
