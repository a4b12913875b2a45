//! How a finding is put.

use crate::model::result::Diagnosis;

pub(crate) fn diagnosis(code: &str, text: String, remedy: String) -> Diagnosis {
    Diagnosis { code: code.to_owned(), text, remedy }
}
