//! Handing OAUTHBEARER tokens to clients of librdkafka, our own and those of the crate rdkafka.

use super::{Code, rd, text};
use crate::login::{Login, Registration, Taker, Token};
use rdkafka::{
    ClientContext,
    admin::AdminClient,
    producer::{Producer, ProducerContext, ThreadedProducer},
};
use std::{
    ffi::{CString, c_char},
    ops::Deref,
};

/// A client's place among those that are given tokens; nothing where it logs in by other means.
pub(super) type Tokens = Option<Registration>;

/// Has a client given tokens: the first one now.
///
/// # Safety
///
/// The handle must be valid until the tokens are dropped.
pub(super) unsafe fn give(login: &Login, handle: *mut rd::rd_kafka_t) -> Result<Tokens, String> {
    let Some(keeper) = login.keeper() else { return Ok(None) };
    keeper.register(Box::new(Handle(handle))).map(Some)
}

struct Handle(*mut rd::rd_kafka_t);

// SAFETY: librdkafka's handles are documented to be thread safe.
unsafe impl Send for Handle {}

impl Taker for Handle {
    fn take(&self, token: &Token) -> Result<(), String> {
        let zero = |_| "the token has a zero byte".to_owned();
        let value = CString::new(token.value.as_str()).map_err(zero)?;
        let principal = CString::new(token.principal.as_str()).map_err(zero)?;
        let texts =
            token.extensions.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
        let texts = texts.map(CString::new).collect::<Result<Vec<_>, _>>().map_err(zero)?;
        let mut extensions: Vec<*const c_char> = texts.iter().map(|text| text.as_ptr()).collect();
        let mut reason = [0 as c_char; super::config::REASON_BYTES];
        // SAFETY: the handle is valid as long as its registration lives; all texts end with a zero byte and
        // are copied; the sizes of both buffers are true.
        let code = unsafe {
            rd::rd_kafka_oauthbearer_set_token(
                self.0,
                value.as_ptr(),
                i64::try_from(token.expires_ms).unwrap_or(i64::MAX / 1_000),
                principal.as_ptr(),
                extensions.as_mut_ptr(),
                extensions.len(),
                reason.as_mut_ptr(),
                reason.len(),
            )
        };
        if Code(code).is_ok() {
            return Ok(());
        }
        Err(format!(
            "the token was refused: {}",
            text(reason.as_ptr()).replace(&token.value, "***")
        ))
    }

    fn fail(&self, reason: &str) {
        let Ok(reason) = CString::new(reason) else { return };
        // SAFETY: the handle is valid as long as its registration lives; the text is copied.
        unsafe { rd::rd_kafka_oauthbearer_set_token_failure(self.0, reason.as_ptr()) };
    }
}

/// A client of the crate rdkafka.
///
/// # Safety
///
/// The handle must be valid for as long as the client lives, wherever it is moved to.
pub(crate) unsafe trait Native {
    /// librdkafka's handle.
    fn native(&self) -> *mut rd::rd_kafka_t;
}

// SAFETY: the client owns its handle, which librdkafka allocates.
unsafe impl<C: ClientContext> Native for AdminClient<C> {
    fn native(&self) -> *mut rd::rd_kafka_t {
        self.inner().native_ptr()
    }
}

// SAFETY: as above; the producer and its thread share the owner.
unsafe impl<C: ProducerContext + 'static> Native for ThreadedProducer<C> {
    fn native(&self) -> *mut rd::rd_kafka_t {
        self.client().native_ptr()
    }
}

/// A client of the crate rdkafka with the tokens that it is given.
pub(crate) struct LoggedIn<C> {
    // Dropped first: fields go in their order.
    _tokens: Tokens,
    client: C,
}

impl<C: Native> LoggedIn<C> {
    /// Has a client given tokens, where it needs some.
    pub(crate) fn new(login: &Login, client: C) -> Result<Self, String> {
        // SAFETY: the client belongs to this value and lives until its tokens are gone.
        let tokens = unsafe { give(login, client.native()) }?;
        Ok(Self { _tokens: tokens, client })
    }
}

impl<C> Deref for LoggedIn<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.client
    }
}
