//! YAML text to a tree of located nodes. The only module that knows the parser.
//!
//! The tree is plain: scalars stay text until a shape says what they should be, aliases are replaced
//! by what they stand for (up to [`NODE_LIMIT`] nodes in all, so that an alias bomb is a mistake with
//! a place and not the end of the machine's memory), merge keys (`<<`) are merged, tags are refused.

use super::{
    Diagnostic, Severity,
    source::{Place, Source},
};
use crate::text::figures::bytes_text;
use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};
use std::{borrow::Cow, collections::HashMap, sync::Arc};

/// Most nodes of a file, aliases expanded. The largest sensible scenario has a few hundred.
pub const NODE_LIMIT: usize = 20_000;

/// Most bytes of text in a file's values, aliases and parameters expanded: a long text that many aliases
/// stand for is few nodes, and much memory.
pub const TEXT_LIMIT_BYTES: usize = 16 << 20;

/// A value with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The value.
    pub kind: Kind,
    /// Where it is written.
    pub at: Place,
    /// The key it is the value of, if it is one. What is missing in a mapping is shown there.
    pub key: Option<Place>,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A scalar.
    Scalar(Scalar),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file, keys unique.
    Map(Vec<Entry>),
    /// A value whose mistake has been noted already: read as if it were right.
    Invalid,
}

/// A scalar as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scalar {
    /// Its text, escapes undone.
    pub text: String,
    /// Whether it is written without quotes, so that `5` is a number and `true` a boolean.
    pub plain: bool,
    /// Whether it comes from the environment, and so must not be written anywhere.
    pub secret: bool,
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key's text.
    pub key: String,
    /// Where the key is written.
    pub at: Place,
    /// The value.
    pub value: Node,
}

impl Node {
    /// Where to show what is wrong with the node as a whole: its key, if it has one.
    #[must_use]
    pub fn anchor(&self) -> &Place {
        self.key.as_ref().unwrap_or(&self.at)
    }

    /// The scalar, if it is one.
    #[must_use]
    pub fn scalar(&self) -> Option<&Scalar> {
        if let Kind::Scalar(scalar) = &self.kind { Some(scalar) } else { None }
    }

    /// The value of a key, if the node is a mapping that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        let Kind::Map(entries) = &self.kind else { return None };
        entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// Whether nothing is written: an empty value, `~` or `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.scalar().is_some_and(|s| s.plain && matches!(&*s.text, "" | "~" | "null"))
    }

    /// How large the tree is, itself included.
    #[must_use]
    pub fn size(&self) -> Size {
        let one = |text: &str| Size { nodes: 1, text_bytes: text.len() };
        match &self.kind {
            Kind::List(items) => items.iter().map(Self::size).fold(one(""), Size::plus),
            Kind::Map(entries) => entries
                .iter()
                .map(|entry| one(&entry.key).plus(entry.value.size()))
                .fold(one(""), Size::plus),
            Kind::Scalar(scalar) => one(&scalar.text),
            Kind::Invalid => one(""),
        }
    }
}

/// How large a tree is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Values and keys.
    pub nodes: usize,
    /// Bytes of their texts.
    pub text_bytes: usize,
}

impl Size {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            nodes: self.nodes.saturating_add(other.nodes),
            text_bytes: self.text_bytes.saturating_add(other.text_bytes),
        }
    }

    /// So many of it.
    #[must_use]
    pub fn times(self, count: usize) -> Self {
        Self {
            nodes: self.nodes.saturating_mul(count),
            text_bytes: self.text_bytes.saturating_mul(count),
        }
    }

    /// Whether it is within [`NODE_LIMIT`] and [`TEXT_LIMIT_BYTES`].
    #[must_use]
    pub fn fits(self) -> bool {
        self.nodes <= NODE_LIMIT && self.text_bytes <= TEXT_LIMIT_BYTES
    }
}

/// Parses a file's text.
///
/// # Errors
///
/// All that [`parse_leniently`] notes.
pub fn parse(source: &Arc<Source>) -> Result<Node, Vec<Diagnostic>> {
    match parse_leniently(source) {
        (Some(root), mistakes) if mistakes.is_empty() => Ok(root),
        (_, mistakes) => Err(mistakes),
    }
}

/// Parses a file's text as far as it can be understood: what is wrong with keys, tags and aliases is
/// noted and passed over, a mistake of syntax ends it without a tree.
#[must_use]
pub fn parse_leniently(source: &Arc<Source>) -> (Option<Node>, Vec<Diagnostic>) {
    let text = hide_variables(&source.text);
    let options = granit_parser::options! { emit_unresolved_aliases: true };
    let parser = Parser::new_from_str_with_options(&text, options);
    let mut builder = Builder {
        parser,
        source,
        anchors: HashMap::new(),
        size: Size::default(),
        mistakes: Vec::new(),
    };
    match builder.document() {
        Ok(root) => (Some(root), builder.mistakes),
        Err(stop) => {
            builder.mistakes.push(*stop);
            (None, builder.mistakes)
        }
    }
}

struct Builder<'a> {
    parser: Parser<'a, StrInput<'a>>,
    source: &'a Arc<Source>,
    anchors: HashMap<usize, Node>,
    size: Size,
    mistakes: Vec<Diagnostic>,
}

/// A mistake after which the rest of the file cannot be understood.
type Stop = Box<Diagnostic>;

impl<'a> Builder<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Stop> {
        match self.parser.next() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(Box::new(self.syntax(&error))),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn document(&mut self) -> Result<Node, Stop> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(..) if root.is_some() => {
                    let help = "put each scenario into a file of its own";
                    return Err(self.stop(span, "a second document begins here", help));
                }
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                event => root = Some(self.node(event, span)?),
            }
        }
        root.ok_or_else(|| {
            Box::new(Diagnostic::error(&self.source.path, "holds nothing but comments"))
        })
    }

    fn node(&mut self, event: Event<'a>, span: Span) -> Result<Node, Stop> {
        self.size.nodes += 1;
        if !self.size.fits() {
            return Err(self.too_many(span));
        }
        if let Some(tag) = event.tag() {
            let message = format!("the tag `{}` is not understood here", tag.original());
            let at = self.place(span.tag_span().unwrap_or(span));
            self.note(at, message, "remove it; types follow from the key".into());
        }
        let anchor = event.anchor_id();
        let (kind, at) = match event {
            Event::Scalar(text, style, ..) => {
                let at = self.place(span);
                let plain = matches!(style, ScalarStyle::Plain);
                let text = show_variables(text, at.text());
                (Kind::Scalar(Scalar { text, plain, secret: false }), at)
            }
            Event::SequenceStart(..) => self.list(span)?,
            Event::MappingStart(..) => self.map(span)?,
            Event::Alias(id) => return self.alias(id, span),
            Event::UnresolvedAlias(name) => {
                let help = "an anchor (`&name`) stands before its aliases (`*name`)".to_owned();
                self.note(self.place(span), format!("there is no anchor `{name}`"), help);
                (Kind::Invalid, self.place(span))
            }
            _ => return Err(self.stop(span, "a value is missing here", "")),
        };
        let node = Node { kind, at, key: None };
        if let Some(id) = anchor {
            self.anchors.insert(id, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<Node, Stop> {
        let Some(node) = self.anchors.get(&id) else {
            return Err(self.stop(span, "this alias stands inside of what it stands for", ""));
        };
        self.size = self.size.plus(node.size());
        if !self.size.fits() {
            return Err(self.too_many(span));
        }
        Ok(node.clone())
    }

    fn list(&mut self, start: Span) -> Result<(Kind, Place), Stop> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                let last = items.last().map(|item: &Node| item.at.end);
                return Ok((Kind::List(items), self.across(start, span, last)));
            }
            items.push(self.node(event, span)?);
        }
    }

    fn map(&mut self, start: Span) -> Result<(Kind, Place), Stop> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                let last = entries.last().map(|entry| entry.value.at.end);
                self.merge(&mut entries, merged);
                return Ok((Kind::Map(entries), self.across(start, span, last)));
            }
            let key = self.node(event, span)?;
            let (event, span) = self.next()?;
            let mut value = self.node(event, span)?;
            let Some(scalar) = key.scalar() else {
                self.note(key.at, "this key is not text".into(), "keys are single words".into());
                continue;
            };
            if scalar.plain && scalar.text == "<<" {
                merged.push((key.at, value));
                continue;
            }
            value.key = Some(key.at.clone());
            if value.is_null() && value.at.start == value.at.end {
                value.at = key.at.clone();
            }
            let entry = Entry { key: scalar.text.clone(), at: key.at.clone(), value };
            if let Some(first) = entries.iter().find(|other| other.key == entry.key) {
                let message = format!("the key `{}` is written twice", entry.key);
                let help = format!("it is first on line {}; keep one of them", first.at.line());
                self.note(entry.at, message, help);
                continue;
            }
            entries.push(entry);
        }
    }

    /// Adds what `<<: *base` or `<<: [*a, *b]` brings. What the mapping says itself wins, then what
    /// stands first.
    fn merge(&mut self, entries: &mut Vec<Entry>, merged: Vec<(Place, Node)>) {
        let one_by_one = merged.into_iter().flat_map(|(at, node)| match node.kind {
            Kind::List(items) => items.into_iter().map(|item| (at.clone(), item)).collect(),
            _ => vec![(at, node)],
        });
        for (at, node) in one_by_one {
            match node.kind {
                Kind::Map(more) => {
                    let known = |entries: &[Entry], key: &str| entries.iter().any(|e| e.key == key);
                    for entry in more {
                        if !known(entries, &entry.key) {
                            entries.push(entry);
                        }
                    }
                }
                Kind::Invalid => {}
                _ => {
                    let help = "write `<<: *name`, with `name` the anchor of a mapping".to_owned();
                    self.note(at, "`<<` merges mappings only".into(), help);
                }
            }
        }
    }

    fn place(&self, span: Span) -> Place {
        let start = span.start.byte_offset().unwrap_or_default();
        let end = span.end.byte_offset().unwrap_or(start);
        Place { source: Arc::clone(self.source), start, end: end.max(start), via: None }
    }

    /// The place of a collection: to its closing bracket, or to the end of its last item.
    fn across(&self, start: Span, end: Span, last: Option<usize>) -> Place {
        let place = self.place(start);
        let closed = self.place(end);
        let end = if closed.end > closed.start { closed.end } else { last.unwrap_or(place.end) };
        Place { end: end.max(place.start), ..place }
    }

    fn note(&mut self, at: Place, message: String, help: String) {
        self.mistakes.push(at.diagnostic(Severity::Error, message, Some(help)));
    }

    fn stop(&self, span: Span, message: &str, help: &str) -> Stop {
        let help = (!help.is_empty()).then(|| help.to_owned());
        Box::new(self.place(span).diagnostic(Severity::Error, message.to_owned(), help))
    }

    fn too_many(&self, span: Span) -> Stop {
        let message = if self.size.nodes > NODE_LIMIT {
            format!("the file has more than {NODE_LIMIT} values, aliases expanded")
        } else {
            let limit = bytes_text(TEXT_LIMIT_BYTES as u64);
            format!("the file has more than {limit} of text, aliases expanded")
        };
        self.stop(span, &message, "aliases of aliases multiply; write out what is meant")
    }

    fn syntax(&self, error: &ScanError) -> Diagnostic {
        let start = error.marker().byte_offset().unwrap_or(self.source.text.len());
        let place = Place { source: Arc::clone(self.source), start, end: start, via: None };
        let message = format!("not valid YAML: {}", error.info().trim_end_matches('.'));
        {
            let help = syntax_help(&message, &place);
            place.diagnostic(Severity::Error, message, help)
        }
    }
}

/// What is usually behind a mistake of syntax.
fn syntax_help(message: &str, place: &Place) -> Option<String> {
    for (what, open, close) in [("flow mapping", '{', '}'), ("flow sequence", '[', ']')] {
        if message.contains(what) {
            return Some(format!("a `{open}` before this place is not closed with `{close}`"));
        }
    }
    let location = place.location();
    let before = location.text.get(..location.text.len() - location.text.trim_start().len())?;
    if before.contains('\t') {
        return Some("indent with spaces; YAML does not allow tabs".to_owned());
    }
    let text = location.text.trim_start();
    if text.matches(": ").count() > 1 && !text.contains(['{', '"', '\'']) {
        return Some("put a value that contains `: ` into quotes".to_owned());
    }
    None
}

/// Makes `${NAME}` a plain scalar also inside of `{…}`, where YAML would take its braces for
/// a mapping's: for the parser's eyes only, and of the same length, so that every place stays right.
fn hide_variables(text: &str) -> String {
    let mut hidden = text.as_bytes().to_vec();
    for (start, end) in variables(text) {
        hidden[start + 1] = b'(';
        hidden[end - 1] = b')';
    }
    String::from_utf8(hidden).unwrap_or_else(|_| text.to_owned())
}

/// Undoes [`hide_variables`] in a scalar, given how the file spells it.
fn show_variables(text: Cow<'_, str>, written: &str) -> String {
    let mut text = text.into_owned();
    for (start, end) in variables(written) {
        let name = &written[start + 2..end - 1];
        text = text.replace(&format!("$({name})"), &format!("${{{name}}}"));
    }
    text
}

/// Where `${NAME}` stands in a text: first byte and first after.
#[must_use]
pub fn variables(text: &str) -> Vec<(usize, usize)> {
    let bytes = text.as_bytes();
    let starts = text.match_indices("${").map(|(at, _)| at);
    starts
        .filter_map(|start| {
            let name = bytes[start + 2..].iter().take_while(|b| is_name_byte(**b)).count();
            let end = start + 2 + name;
            let well_formed = name > 0 && !bytes[start + 2].is_ascii_digit();
            (well_formed && bytes.get(end) == Some(&b'}')).then_some((start, end + 1))
        })
        .collect()
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
