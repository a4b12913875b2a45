//! Why a login cannot be used.

/// A property that cannot be used, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The property.
    pub(crate) key: String,
    /// Why; without the value of a secret.
    pub(crate) reason: String,
}

impl Refusal {
    pub(super) fn new(key: &str, reason: impl Into<String>) -> Self {
        Self { key: key.to_owned(), reason: reason.into() }
    }
}
