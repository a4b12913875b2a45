//! Tables for a terminal, a README or an issue.

use super::{Head, Table};

/// The whole page.
pub(crate) fn page(head: &Head, tables: &[Table]) -> String {
    let mut text = format!("# Mallard and its peers\n\n{}\n", head.sentences().join(" "));
    for table in tables {
        text += &format!("\n## {}\n\n{}", table.title, rows(table));
        text += &table.notes.iter().map(|note| format!("\n- {note}")).collect::<String>();
        text += if table.notes.is_empty() { "" } else { "\n" };
    }
    text
}

fn rows(table: &Table) -> String {
    let width = |place: usize| {
        let cells = table.rows.iter().map(|row| &row[place]).chain([&table.columns[place]]);
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..table.columns.len()).map(width).collect();
    let line = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).enumerate().map(|(place, (cell, width))| {
            // Names to the left, figures to the right.
            if place == 0 { format!(" {cell:<width$} ") } else { format!(" {cell:>width$} ") }
        });
        format!("|{}|\n", padded.collect::<Vec<_>>().join("|"))
    };
    // The colon stands below the last figure: figures to the right, for those who render it.
    let rule = widths.iter().enumerate().map(|(place, width)| {
        format!("{}{}", "-".repeat(width + 1), if place == 0 { "-" } else { ":" })
    });
    let rule = format!("|{}|\n", rule.collect::<Vec<_>>().join("|"));
    line(&table.columns) + &rule + &table.rows.iter().map(|row| line(row)).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let table = Table {
            title: "Speed".to_owned(),
            columns: ["tool", "records/s"].map(str::to_owned).into(),
            rows: vec![
                ["mallard", "9"].map(str::to_owned).into(),
                ["a", "10 (9–11)"].map(str::to_owned).into(),
            ],
            notes: Vec::new(),
        };
        let lines = "\
| tool    | records/s |
|---------|----------:|
| mallard |         9 |
| a       | 10 (9–11) |
";
        assert_eq!(rows(&table), lines);
    }
}
