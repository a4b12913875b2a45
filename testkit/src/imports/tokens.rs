//! Rust's text as names and marks; comments, strings and numbers are left out.

/// A piece of code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// An identifier or a keyword.
    Name(String),
    /// `::`
    Path,
    /// Any other character.
    Mark(char),
    /// `#[cfg(test)]`: the item after it belongs to tests.
    Test,
}

impl Token {
    pub(super) fn is(&self, mark: char) -> bool {
        *self == Self::Mark(mark)
    }

    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            _ => None,
        }
    }
}

/// Reads a file's text.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let next = chars.get(at + 1).copied();
        at = match c {
            '/' if next == Some('/') => line_end(&chars, at),
            '/' if next == Some('*') => comment_end(&chars, at),
            '"' => string_end(&chars, at),
            '\'' => quote_end(&chars, at),
            c if c.is_alphabetic() || c == '_' => word(&chars, at, &mut tokens),
            c if c.is_numeric() => name_end(&chars, at),
            ':' if next == Some(':') => {
                tokens.push(Token::Path);
                at + 2
            }
            c => {
                if !c.is_whitespace() {
                    tokens.push(Token::Mark(c));
                }
                at + 1
            }
        };
        mark_tests(&mut tokens);
    }
    tokens
}

/// Puts [`Token::Test`] in the place of `#[cfg(test)]`.
fn mark_tests(tokens: &mut Vec<Token>) {
    let mark = Token::Mark;
    let name = |text: &str| Token::Name(text.to_owned());
    let tail = [mark('#'), mark('['), name("cfg"), mark('('), name("test"), mark(')'), mark(']')];
    if tokens.ends_with(&tail) {
        tokens.truncate(tokens.len() - tail.len());
        tokens.push(Token::Test);
    }
}

fn word(chars: &[char], at: usize, tokens: &mut Vec<Token>) -> usize {
    let end = name_end(chars, at);
    let text: String = chars[at..end].iter().collect();
    let raw = matches!(text.as_str(), "r" | "br" | "cr");
    match chars.get(end) {
        Some('"') if raw => raw_end(chars, end),
        Some('#') if raw => raw_end(chars, end),
        Some('"') if matches!(text.as_str(), "b" | "c") => string_end(chars, end),
        Some('\'') if text == "b" => quote_end(chars, end),
        _ => {
            tokens.push(Token::Name(text));
            end
        }
    }
}

fn name_end(chars: &[char], at: usize) -> usize {
    let is_part = |c: &char| c.is_alphanumeric() || *c == '_';
    at + chars[at..].iter().take_while(|c| is_part(c)).count()
}

fn line_end(chars: &[char], at: usize) -> usize {
    at + chars[at..].iter().take_while(|c| **c != '\n').count()
}

fn comment_end(chars: &[char], at: usize) -> usize {
    let mut depth = 0_usize;
    let mut i = at;
    while i + 1 < chars.len() {
        match (chars[i], chars[i + 1]) {
            ('/', '*') => (depth, i) = (depth + 1, i + 2),
            ('*', '/') => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            return i;
        }
    }
    chars.len()
}

fn string_end(chars: &[char], at: usize) -> usize {
    let mut i = at + 1;
    while let Some(c) = chars.get(i) {
        match c {
            '\\' => i += 2,
            '"' => return i + 1,
            _ => i += 1,
        }
    }
    chars.len()
}

/// After a raw string, whose hashes begin here; or after the `#` of a raw name.
fn raw_end(chars: &[char], at: usize) -> usize {
    let hashes = chars[at..].iter().take_while(|c| **c == '#').count();
    if chars.get(at + hashes) != Some(&'"') {
        return at + hashes;
    }
    let mut i = at + hashes + 1;
    while i < chars.len() {
        let closes =
            chars[i] == '"' && chars[i + 1..].iter().take_while(|c| **c == '#').count() >= hashes;
        if closes {
            return i + 1 + hashes;
        }
        i += 1;
    }
    chars.len()
}

/// After a character in quotes, or after the quote of a lifetime.
fn quote_end(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => {
            let close = chars[at + 3..].iter().position(|c| *c == '\'');
            close.map_or(chars.len(), |close| at + 4 + close)
        }
        (Some(_), Some('\'')) => at + 3,
        _ => at + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_strings_and_tests_are_no_code() {
        let text = "use a::b; // use c::d;\n/* /* e */ f */ let g = \"h::i\"; r#\"j\"k\"# 'l' '\\'' &'m n; #[cfg(test)] mod o;";
        let names: Vec<_> =
            tokens(text).iter().filter_map(Token::name).map(str::to_owned).collect();
        assert_eq!(names, ["use", "a", "b", "let", "g", "m", "n", "mod", "o"]);
        assert!(tokens(text).contains(&Token::Test));
    }
}
