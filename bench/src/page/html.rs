//! A page in one file, with everything inside.

use super::{Head, Table};

const STYLE: &str = "\
:root { color-scheme: light dark; --line: #8884; --bar: #2a78d622; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; padding: 0 1rem; max-width: 70rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; min-width: 40rem; }
th, td { padding: .35rem .8rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th { font-weight: 600; } th:first-child, td:first-child { text-align: left; }
tbody tr:has(td[data-own]) { background: var(--bar); font-weight: 600; }
small { display: block; font-weight: 400; opacity: .7; }
li { margin: .2rem 0; }
@media print { body { margin: 0; max-width: none; } }
";

/// The whole page.
pub(crate) fn page(head: &Head, tables: &[Table]) -> String {
    let intro: String =
        head.sentences().iter().map(|text| format!("<p>{}</p>\n", escape(text))).collect();
    let sections: String = tables.iter().map(section).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width\">\n<title>Mallard and its peers</title>\n<style>\n{STYLE}</style>\n\
         <h1>Mallard and its peers</h1>\n{intro}{sections}</html>\n"
    )
}

fn section(table: &Table) -> String {
    let heads: String =
        table.columns.iter().map(|head| format!("<th>{}</th>", escape(head))).collect();
    let rows: String = table.rows.iter().map(|row| row_of(row)).collect();
    let notes: String =
        table.notes.iter().map(|note| format!("<li>{}</li>\n", escape(note))).collect();
    format!(
        "<h2>{}</h2>\n<div class=\"wide\"><table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n\
         </table></div>\n<ul>\n{notes}</ul>\n",
        escape(&table.title)
    )
}

fn row_of(row: &[String]) -> String {
    let cells = row.iter().enumerate().map(|(place, cell)| {
        let own = place == 0 && cell.starts_with("mallard");
        format!("<td{}>{}</td>", if own { " data-own" } else { "" }, figure(cell))
    });
    format!("<tr>{}</tr>\n", cells.collect::<String>())
}

/// A median with its spread in a line below.
fn figure(cell: &str) -> String {
    match cell.strip_suffix(')').and_then(|cell| cell.split_once(" (")) {
        Some((median, spread)) => format!("{}<small>{}</small>", escape(median), escape(spread)),
        None => escape(cell),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_is_escaped() {
        let table = Table {
            title: "<b>".to_owned(),
            columns: vec!["a & b".to_owned()],
            rows: vec![vec!["9 (8–10)".to_owned()]],
            notes: vec!["\"quoted\"".to_owned()],
        };
        let text = section(&table);
        assert!(
            text.contains("<h2>&lt;b&gt;</h2>") && text.contains("<th>a &amp; b</th>"),
            "{text}"
        );
        assert!(
            text.contains("9<small>8–10</small>") && text.contains("&quot;quoted&quot;"),
            "{text}"
        );
    }
}
