//! An error with its causes, in one line.

pub(crate) fn chain(cause: &dyn std::error::Error) -> String {
    let mut text = cause.to_string();
    let mut source = cause.source();
    while let Some(inner) = source {
        text.push_str(&format!(": {inner}"));
        source = inner.source();
    }
    text
}

/// An error with all its sources, as it is printed.
pub(crate) fn error_text(cause: &dyn std::error::Error) -> String {
    format!("error: {}\n", chain(cause))
}
