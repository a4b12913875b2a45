//! Words of an expectation with their places.

use super::ParseError;
use std::ops::Range;

/// A word or an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    pub(crate) span: Range<usize>,
}

/// Reads tokens from the left.
#[derive(Clone, Debug)]
pub(crate) struct Tokens<'a> {
    source: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(source: &'a str) -> Self {
        Self { source, at: 0 }
    }

    /// The place after the last character.
    pub(crate) fn end(&self) -> Range<usize> {
        self.source.len()..self.source.len()
    }

    /// The next token, left where it is.
    pub(crate) fn peek(&self) -> Option<Token<'a>> {
        self.clone().next()
    }

    /// The next token if it is this word.
    pub(crate) fn take(&mut self, word: &str) -> Option<Token<'a>> {
        let token = self.peek().filter(|token| token.text == word)?;
        self.at = token.span.end;
        Some(token)
    }

    /// Takes this word, or says what stands in its place; `form` is how the whole is written.
    pub(crate) fn require(&mut self, word: &str, form: &str) -> Result<(), ParseError> {
        if self.take(word).is_some() {
            return Ok(());
        }
        let (span, found) = match self.peek() {
            Some(Token { text, span }) => (span, format!("found `{text}`")),
            None => (self.end(), "found nothing".to_owned()),
        };
        Err(ParseError::new(span, format!("expected `{word}`, {found}"), form.to_owned()))
    }

    /// The next token: a run of operator characters, or of anything else but space.
    pub(crate) fn next(&mut self) -> Option<Token<'a>> {
        self.skip_space();
        let rest = &self.source[self.at..];
        let operator = is_operator(rest.chars().next()?);
        let length = rest
            .find(|c: char| c.is_whitespace() || is_operator(c) != operator)
            .unwrap_or(rest.len());
        Some(self.cut(length))
    }

    /// The next token as a number with its unit, which may stand apart: `250 ms`.
    pub(crate) fn next_quantity(&mut self) -> Option<Token<'a>> {
        let first = self.next()?;
        let number_only = first.text.chars().all(|c| c.is_ascii_digit() || "._+-".contains(c));
        let unit = self.peek().filter(|unit| number_only && unit.text != "in");
        let end = unit.map_or(first.span.end, |unit| unit.span.end);
        self.at = end;
        Some(Token { text: &self.source[first.span.start..end], span: first.span.start..end })
    }

    fn skip_space(&mut self) {
        let rest = &self.source[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn cut(&mut self, length: usize) -> Token<'a> {
        let span = self.at..self.at + length;
        self.at = span.end;
        Token { text: &self.source[span.clone()], span }
    }
}

fn is_operator(c: char) -> bool {
    matches!(c, '<' | '>' | '=' | '!')
}
