//! A tree as YAML again, for the archive: parameters in their places, secrets masked.

use super::yaml::{Kind, Node, Scalar};

/// What stands in the place of a secret.
pub const MASK: &str = "***";

/// Writes a tree as YAML that reads back to the same tree, but for secrets.
#[must_use]
pub fn emit(node: &Node) -> String {
    let mut out = String::new();
    block(&mut out, node, 0, false);
    out
}

/// A value on one line, for names and tables.
#[must_use]
pub fn one_line(node: &Node) -> String {
    match &node.kind {
        Kind::Scalar(scalar) if scalar.secret => MASK.to_owned(),
        Kind::Scalar(scalar) => scalar.text.replace('\n', " "),
        Kind::List(items) => {
            format!("[{}]", items.iter().map(one_line).collect::<Vec<_>>().join(", "))
        }
        Kind::Map(entries) => {
            let pair =
                |entry: &super::yaml::Entry| format!("{}: {}", entry.key, one_line(&entry.value));
            format!("{{{}}}", entries.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
        Kind::Invalid => String::new(),
    }
}

/// Whether a property's value must never be shown, whatever its source.
#[must_use]
pub fn is_secret_key(key: &str) -> bool {
    // Where tokens come from is no secret, and whoever cannot reach it must know where.
    !key.ends_with("token.endpoint.url")
        && ["password", "secret", "jaas", "key.pem", "oauthbearer.config", "token"]
            .iter()
            .any(|part| key.contains(part))
}

fn block(out: &mut String, node: &Node, indent: usize, secret: bool) {
    let pad = " ".repeat(indent);
    match &node.kind {
        Kind::Map(entries) if !entries.is_empty() => {
            for entry in entries {
                out.push_str(&pad);
                out.push_str(&scalar(
                    &Scalar { text: entry.key.clone(), plain: true, secret: false },
                    true,
                ));
                out.push(':');
                let secret = secret || is_secret_key(&entry.key) && entry.value.scalar().is_some();
                value(out, &entry.value, indent + 2, secret);
            }
        }
        Kind::List(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&pad);
                out.push('-');
                value(out, item, indent + 2, secret);
            }
        }
        _ => {
            out.push_str(&pad);
            out.push_str(&leaf(node, secret));
            out.push('\n');
        }
    }
}

fn value(out: &mut String, node: &Node, indent: usize, secret: bool) {
    let nested = match &node.kind {
        Kind::Map(entries) => !entries.is_empty(),
        Kind::List(items) => !items.is_empty(),
        _ => false,
    };
    if nested {
        out.push('\n');
        block(out, node, indent, secret);
    } else {
        out.push(' ');
        out.push_str(&leaf(node, secret));
        out.push('\n');
    }
}

fn leaf(node: &Node, secret: bool) -> String {
    match &node.kind {
        Kind::Scalar(text) if secret || text.secret => format!("\"{MASK}\""),
        Kind::Scalar(text) => scalar(text, false),
        Kind::Map(_) => "{}".to_owned(),
        Kind::List(_) => "[]".to_owned(),
        Kind::Invalid => "null".to_owned(),
    }
}

/// A scalar with quotes where it needs them, and with `$` escaped where it would mean a parameter.
fn scalar(scalar: &Scalar, is_key: bool) -> String {
    let text = if is_key { scalar.text.clone() } else { scalar.text.replace('$', "$$") };
    let plain_char = |c: char| c.is_ascii_alphanumeric() || "._-/%+$ ".contains(c);
    let bare = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '$' || c == '/')
        && text.chars().all(plain_char)
        && !text.ends_with(' ');
    let resolves = looks_typed(&text);
    if scalar.plain && (bare || text.is_empty()) || bare && !resolves {
        return text;
    }
    quoted(&text)
}

/// Whether a plain scalar of this text would be read as something else than text.
fn looks_typed(text: &str) -> bool {
    text.is_empty()
        || matches!(text, "true" | "false" | "null" | "~" | "yes" | "no")
        || text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
