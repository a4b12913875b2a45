//! Text of others, made fit to be shown: on a terminal, in a file, on a page.
//!
//! What an agent, a broker, a schema registry, a container engine or ssh says passes through here where
//! it enters. Bytes that steer a terminal, characters that turn the direction of a line around and those
//! that XML does not have are written as escapes, and what is very long is cut.

/// Longest text that is kept, in characters. Messages that somebody wrote have a few hundred.
pub const LIMIT: usize = 4_000;

/// Text without anything that is not shown as itself, cut at [`LIMIT`]. Line ends stay.
#[must_use]
pub fn text(said: &str) -> String {
    if is_harmless(said) {
        return said.to_owned();
    }
    let mut clean = String::with_capacity(said.len().min(LIMIT));
    for c in said.chars().take(LIMIT) {
        match c {
            '\n' => clean.push(c),
            // Programs that draw progress end their lines so.
            '\r' => {}
            '\t' => clean.push(' '),
            c if steers(c) => clean.extend(c.escape_unicode()),
            c => clean.push(c),
        }
    }
    let more = said.chars().count().saturating_sub(LIMIT);
    if more > 0 {
        clean.push_str(&format!("… ({more} more characters)"));
    }
    clean
}

/// As [`text`], of bytes that should be UTF-8.
#[must_use]
pub fn bytes(said: &[u8]) -> String {
    // As many bytes as the longest text could have; a character has four at most.
    let enough = &said[..said.len().min(16 * LIMIT)];
    text(&String::from_utf8_lossy(enough))
}

/// As [`text`], in the place of what was there.
pub fn clean(said: &mut String) {
    if !is_harmless(said) {
        *said = text(said);
    }
}

/// As [`text`], on one line.
#[must_use]
pub fn line(said: &str) -> String {
    text(said).replace('\n', " ")
}

fn is_harmless(said: &str) -> bool {
    said.len() <= LIMIT && said.chars().all(|c| c == '\n' || !steers(c))
}

/// Whether a character does something else than to be seen: control characters, those that turn the
/// direction of writing (<https://www.unicode.org/reports/tr9/>), invisible ones, those that end a line
/// where nothing else does, and code points that will never be characters.
#[must_use]
pub fn steers(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fdd0}'..='\u{fdef}'
                | '\u{fff9}'..='\u{fffb}'
        )
        || u32::from(c) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_written_out() {
        assert_eq!(text("a\u{1b}[31mred\u{7}\r\nb\tc"), "a\\u{1b}[31mred\\u{7}\nb c");
        assert_eq!(text("to \u{202e}lmth.exe"), "to \\u{202e}lmth.exe");
        assert_eq!(
            text("\u{85}\u{2028}\u{fffe}\u{10ffff}"),
            "\\u{85}\\u{2028}\\u{fffe}\\u{10ffff}"
        );
    }

    #[test]
    fn languages_stay_as_they_are() {
        for said in ["Größe\nπ", "عربى", "日本語", "👩‍🔬", "… »x«"] {
            assert_eq!(text(said), said);
        }
    }

    #[test]
    fn long_texts_are_cut() {
        let cut = text(&"x".repeat(300_000));
        assert_eq!(cut.chars().count(), LIMIT + "… (296000 more characters)".chars().count());
        assert!(bytes(&vec![b'\x07'; 300_000]).chars().count() < 16 * LIMIT);
        assert_eq!(line("a\nb"), "a b");
    }
}
