//! Client properties, checked and turned into librdkafka's own configuration object.

use super::{rd, text};
use crate::login::{self, Login, Refusal};
use rd::rd_kafka_conf_res_t as Outcome;
use std::{
    ffi::{CString, c_char},
    ptr::{self, NonNull},
};

/// Room for librdkafka's explanations.
pub(super) const REASON_BYTES: usize = 512;

/// What a client does. Some properties belong to one kind only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It sends.
    Producer,
    /// It receives.
    Consumer,
}

/// A property that librdkafka refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("client property {key} was refused: {reason}")]
pub(crate) struct PropertyError {
    /// The property; empty if the refusal is about several of them together.
    pub(crate) key: String,
    /// librdkafka's reason, secrets removed.
    pub(crate) reason: String,
}

/// A configuration under construction.
pub(crate) struct Config {
    conf: NonNull<rd::rd_kafka_conf_t>,
    secrets: Vec<String>,
    /// How it logs in; holds the files that the properties name.
    login: Option<Login>,
}

impl From<Refusal> for PropertyError {
    fn from(Refusal { key, reason }: Refusal) -> Self {
        Self { key, reason }
    }
}

impl Config {
    /// librdkafka's defaults.
    pub(crate) fn new() -> Self {
        // SAFETY: allocates; librdkafka aborts rather than return null.
        let conf = unsafe { rd::rd_kafka_conf_new() };
        Self {
            conf: NonNull::new(conf).expect("librdkafka allocates"),
            secrets: Vec::new(),
            login: None,
        }
    }

    /// Defaults with these properties over them, in order.
    pub(crate) fn with<'a>(
        properties: impl IntoIterator<Item = &'a (String, String)>,
    ) -> Result<Self, PropertyError> {
        let mut config = Self::new();
        let login = Login::of(properties)?;
        for (key, value) in login.properties() {
            config.set(key, value)?;
        }
        config.login = Some(login);
        Ok(config)
    }

    /// Tries one property on its own.
    pub(crate) fn accepts(key: &str, value: &str) -> Result<(), PropertyError> {
        if login::understands(key)? { Ok(()) } else { Self::new().set(key, value) }
    }

    /// How the client logs in.
    pub(super) fn take_login(&mut self) -> Option<Login> {
        self.login.take()
    }

    /// Sets one property.
    pub(crate) fn set(&mut self, key: &str, value: &str) -> Result<(), PropertyError> {
        if is_secret(key) && !value.is_empty() {
            self.secrets.push(value.to_owned());
        }
        let refused = |reason: &str| PropertyError {
            key: key.to_owned(),
            reason: if is_secret(key) { redact(reason, [value]) } else { reason.to_owned() },
        };
        let (Ok(name), Ok(setting)) = (CString::new(key), CString::new(value)) else {
            return Err(refused("it contains a zero byte"));
        };
        let mut reason = [0 as c_char; REASON_BYTES];
        // SAFETY: both strings end with a zero byte, and the buffer's true size is given.
        let outcome = unsafe {
            rd::rd_kafka_conf_set(
                self.conf.as_ptr(),
                name.as_ptr(),
                setting.as_ptr(),
                reason.as_mut_ptr(),
                reason.len(),
            )
        };
        match outcome {
            Outcome::RD_KAFKA_CONF_OK => Ok(()),
            _ => Err(refused(&text(reason.as_ptr()))),
        }
    }

    /// A property's value as librdkafka will use it.
    pub(crate) fn get(&self, key: &str) -> Option<String> {
        // SAFETY: the configuration is valid.
        unsafe { property(self.conf.as_ptr(), key) }
    }

    pub(super) fn as_ptr(&self) -> *mut rd::rd_kafka_conf_t {
        self.conf.as_ptr()
    }

    /// Makes a client. librdkafka takes the configuration over if it succeeds.
    pub(super) fn create(self, kind: Kind) -> Result<NonNull<rd::rd_kafka_t>, PropertyError> {
        let raw_kind = match kind {
            Kind::Producer => rd::rd_kafka_type_t::RD_KAFKA_PRODUCER,
            Kind::Consumer => rd::rd_kafka_type_t::RD_KAFKA_CONSUMER,
        };
        let mut reason = [0 as c_char; REASON_BYTES];
        // SAFETY: the configuration is valid, and the buffer's true size is given.
        let client = unsafe {
            rd::rd_kafka_new(raw_kind, self.conf.as_ptr(), reason.as_mut_ptr(), reason.len())
        };
        match NonNull::new(client) {
            Some(client) => {
                let mut taken = self;
                taken.secrets.clear();
                std::mem::forget(taken);
                Ok(client)
            }
            None => {
                let reason =
                    redact(&text(reason.as_ptr()), self.secrets.iter().map(String::as_str));
                Err(PropertyError { key: String::new(), reason })
            }
        }
    }
}

/// A property of a configuration.
///
/// # Safety
///
/// The configuration must be valid.
pub(super) unsafe fn property(conf: *const rd::rd_kafka_conf_t, key: &str) -> Option<String> {
    let name = CString::new(key).ok()?;
    let mut value = vec![0 as c_char; 4096];
    let mut size = value.len();
    // SAFETY: the name ends with a zero byte, and the buffer's true size is given; the rest is the
    // caller's word.
    let outcome =
        unsafe { rd::rd_kafka_conf_get(conf, name.as_ptr(), value.as_mut_ptr(), &raw mut size) };
    (outcome == Outcome::RD_KAFKA_CONF_OK).then(|| text(value.as_ptr()))
}

/// The default of a property of topics.
pub(super) fn topic_default(key: &str) -> Option<String> {
    let name = CString::new(key).ok()?;
    let mut value = [0 as c_char; REASON_BYTES];
    let mut size = value.len();
    // SAFETY: the configuration lives until it is destroyed here; the name ends with a zero byte, and the
    // buffer's true size is given.
    let outcome = unsafe {
        let defaults = rd::rd_kafka_topic_conf_new();
        let outcome =
            rd::rd_kafka_topic_conf_get(defaults, name.as_ptr(), value.as_mut_ptr(), &raw mut size);
        rd::rd_kafka_topic_conf_destroy(defaults);
        outcome
    };
    (outcome == Outcome::RD_KAFKA_CONF_OK).then(|| text(value.as_ptr()))
}

impl Drop for Config {
    fn drop(&mut self) {
        // SAFETY: owned, and not handed over to a client.
        unsafe { rd::rd_kafka_conf_destroy(self.conf.as_ptr()) }
    }
}

/// Whether a property's value must never be shown.
pub(crate) fn is_secret(key: &str) -> bool {
    // Where tokens come from is no secret, and whoever cannot reach it must know where.
    !key.ends_with("token.endpoint.url")
        && ["password", "secret", "jaas", "key.pem", "oauthbearer.config", "token"]
            .iter()
            .any(|part| key.contains(part))
}

/// A text with every secret in it replaced.
pub(crate) fn redact<'a>(text: &str, secrets: impl IntoIterator<Item = &'a str>) -> String {
    secrets
        .into_iter()
        .filter(|secret| !secret.is_empty())
        .fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
}

/// Tries all properties together, without a network: what contradicts each other shows only here.
pub(crate) fn contradiction(
    kind: Kind,
    properties: &[(String, String)],
) -> Result<(), PropertyError> {
    // Without brokers the client that is made for the trial has nobody to connect to.
    let offline = properties.iter().filter(|(key, _)| {
        !matches!(key.as_str(), "bootstrap.servers" | "metadata.broker.list" | "debug")
    });
    let mut config = Config::with(offline)?;
    config.set("log_level", "0")?;
    if kind == Kind::Consumer && config.get("group.id").is_none_or(|group| group.is_empty()) {
        config.set("group.id", "trial")?;
    }
    let login = config.take_login();
    let client = config.create(kind).map_err(|mut error| {
        if let Some(login) = &login {
            error.reason = login.words(&error.reason);
        }
        error
    })?;
    // SAFETY: just created, and nothing else refers to it.
    unsafe {
        rd::rd_kafka_destroy_flags(client.as_ptr(), rd::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
    Ok(())
}

/// A null pointer to C, by a name that reads well in calls.
pub(super) const fn nothing<T>() -> *mut T {
    ptr::null_mut()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_property_is_refused_by_name() {
        let error = Config::new().set("no.such.thing", "1").unwrap_err();
        assert_eq!(error.key, "no.such.thing");
        assert!(error.reason.contains("no.such.thing"), "{}", error.reason);
    }

    #[test]
    fn a_secret_is_not_repeated() {
        assert!(is_secret("sasl.password") && is_secret("ssl.key.pem") && !is_secret("acks"));
        assert_eq!(redact("bad value hunter2 here", ["hunter2"]), "bad value *** here");
    }

    #[test]
    fn properties_that_contradict_each_other_are_refused_together() {
        let properties =
            [("enable.idempotence", "true"), ("acks", "1")].map(|(k, v)| (k.into(), v.into()));
        let error = contradiction(Kind::Producer, &properties).unwrap_err();
        assert!(error.reason.contains("acks"), "{}", error.reason);
        assert!(contradiction(Kind::Consumer, &[]).is_ok());
    }
}
