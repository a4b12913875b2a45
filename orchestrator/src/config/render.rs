//! Diagnostics as text, in the way of rustc: what, where, the line, a caret, what to do.

use super::{Diagnostic, Location, Severity};
use crate::text::untrusted::steers;
use std::fmt::Write as _;
use unicode_width::UnicodeWidthChar as _;

/// Longest stretch of a line that is shown, in characters; minified files have very long ones.
const LINE_LIMIT: usize = 160;

/// Diagnostics as text with a closing count; empty if there are none.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], colour: bool) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics {
        render_one(&mut text, diagnostic, Paint(colour));
        text.push('\n');
    }
    let errors = diagnostics.iter().filter(|d| d.is_error()).count();
    if errors > 1 {
        let _ = writeln!(text, "{errors} errors");
    }
    text
}

fn render_one(out: &mut String, diagnostic: &Diagnostic, paint: Paint) {
    let (word, style) = match diagnostic.severity {
        Severity::Error => ("error", RED),
        Severity::Warning => ("warning", YELLOW),
    };
    let file = printable(&diagnostic.file.display().to_string());
    let message = printable(&diagnostic.message);
    // Writing to a String cannot fail.
    let Some(location) = &diagnostic.location else {
        let subject = if file.is_empty() { String::new() } else { format!("{file} ") };
        let _ = writeln!(out, "{}: {subject}{message}", paint.with(style, word));
        if let Some(help) = &diagnostic.help {
            let _ = writeln!(out, "  {} help: {}", paint.with(BLUE, "="), printable(help));
        }
        return;
    };
    let number = location.line.to_string();
    let gutter = " ".repeat(number.len());
    let bar = paint.with(BLUE, "|");
    let arrow = paint.with(BLUE, "-->");
    let _ = writeln!(out, "{}: {message}", paint.with(style, word));
    let _ = writeln!(out, "{gutter}{arrow} {file}:{}:{}", location.line, location.column);
    let (line, indent, width) = excerpt(location);
    let _ = writeln!(out, "{gutter} {bar}");
    let _ = writeln!(out, "{} {bar} {line}", paint.with(BLUE, &number));
    let _ = writeln!(out, "{gutter} {bar} {indent}{}", paint.with(style, &"^".repeat(width)));
    if let Some(help) = &diagnostic.help {
        let _ = writeln!(out, "{gutter} {} help: {}", paint.with(BLUE, "="), printable(help));
    }
}

/// The line (or, of a very long one, the stretch around the column), what stands before the caret, and
/// the caret's width on a terminal.
fn excerpt(location: &Location) -> (String, String, usize) {
    let column = location.column - 1;
    let length = location.text.chars().count();
    let long = length > LINE_LIMIT && column > LINE_LIMIT / 2;
    let skip = if long { column - LINE_LIMIT / 4 } else { 0 };
    let mut shown: Vec<char> = location.text.chars().skip(skip).take(LINE_LIMIT).collect();
    if let Some(first) = shown.first_mut().filter(|_| skip > 0) {
        *first = '…';
    }
    if let Some(last) = shown.last_mut().filter(|_| skip + LINE_LIMIT < length) {
        *last = '…';
    }
    let line = printable(&shown.iter().collect::<String>());
    let (before, after) = shown.split_at((column - skip).min(shown.len()));
    let width = |c: &char| c.width().unwrap_or(1);
    let indent = " ".repeat(before.iter().map(width).sum());
    let caret = after.iter().take(location.width).map(width).sum::<usize>().max(1);
    (line, indent, caret)
}

/// Text without control characters, so that a file cannot steer the terminal. A tab takes one column.
fn printable(text: &str) -> String {
    let safe = |c: char| match c {
        '\t' => ' ',
        c if steers(c) => '\u{fffd}',
        c => c,
    };
    text.chars().map(safe).collect()
}

const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[1;33m";
const BLUE: &str = "\x1b[1;34m";

#[derive(Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn with(self, style: &str, text: &str) -> String {
        if self.0 { format!("{style}{text}\x1b[0m") } else { text.to_owned() }
    }
}
