//! Values that are the same in every payload.

/// What a payload says of its origin in every sample.
pub(super) const SOURCE_BUNDLE: &[u8] = b"com.apple.health";

/// The version of the app that sent a payload.
pub(crate) const APP_VERSION: &[u8] = b"1.0.0";

/// In the place of a time that is none.
pub(super) const NO_TIME: &[u8] = b"yesterday";
