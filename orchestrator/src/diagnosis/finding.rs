//! How a finding is put.

use crate::model::result::Diagnosis;

pub(crate) fn diagnosis(code: &str, text: String, remedy: String) -> Diagnosis {
    Diagnosis { code: code.to_owned(), text, remedy }
}

/// A text as a sentence begins.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
