//! Payloads of health data, as a plan says them: everything by its name.

use mallard_health::{Config, ConfigError, DataType, Defect, Encoding, InvalidShares};
use serde::{Deserialize, Serialize};

/// What health payloads are made of. See [`mallard_health::Config`] for what each figure means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthSpec {
    /// Number of users.
    pub users: u32,
    /// Number of devices.
    pub devices: u32,
    /// Samples in a payload.
    pub samples: u32,
    /// Names of types of samples.
    pub types: Vec<String>,
    /// Names of defects, each with its share of all payloads in millionths.
    pub invalid: Vec<(String, u32)>,
    /// How payloads are written.
    pub format: HealthFormat,
    /// Whether each record says in headers what its payload is.
    pub headers: bool,
    /// Its own seed; `None` takes the instance's.
    pub seed: Option<u64>,
    /// The time of the first payload, in milliseconds since 1970; `None` takes the generator's default.
    pub start_ms: Option<i64>,
    /// From one payload's time to the next one's, in microseconds.
    pub step_us: u64,
}

/// How health payloads are written, and read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HealthFormat {
    /// JSON.
    Json,
    /// Avro, without a header.
    Avro,
    /// Avro in Confluent's wire format.
    Confluent {
        /// The schema's id in the registry.
        schema_id: u32,
    },
    /// The same with the id that a schema registry gives; agents ask before the load.
    Registry(RegistrySpec),
}

/// A schema registry, and the subject under which the schema of payloads is registered.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrySpec {
    /// Where it answers: `http://registry:8081`.
    pub url: String,
    /// The user of HTTP's basic authentication; `None` for a registry that asks for none.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<String>,
    /// The subject; `None` is the topic's name in the scenario, followed by `-value`.
    pub subject: Option<String>,
}

impl std::fmt::Debug for RegistrySpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistrySpec")
            .field("url", &self.url)
            .field("user", &self.user)
            .field("password", &self.password.as_ref().map(|_| "***"))
            .field("subject", &self.subject)
            .finish()
    }
}

impl HealthFormat {
    /// The generator's name for it; `None` while the registry has not been asked for the id.
    #[must_use]
    pub fn encoding(&self) -> Option<Encoding> {
        match self {
            Self::Json => Some(Encoding::Json),
            Self::Avro => Some(Encoding::Avro),
            Self::Confluent { schema_id } => Some(Encoding::Confluent { schema_id: *schema_id }),
            Self::Registry(_) => None,
        }
    }
}

/// A specification that cannot be met.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HealthError {
    /// A type that there is not.
    #[error("there is no type `{0}` of samples")]
    Type(String),
    /// A defect that there is not.
    #[error("there is no class `{0}` of invalid payloads")]
    Defect(String),
    /// Shares that do not fit.
    #[error("{0}")]
    Shares(String),
    /// Anything else that does not go together.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl HealthSpec {
    /// The generator's configuration for one producer of a run.
    ///
    /// # Errors
    /// The specification cannot be met.
    pub fn config(&self, run: u32, producer: u32, seed: u64) -> Result<Config, HealthError> {
        let data_type = |name: &String| {
            DataType::from_name(name).ok_or_else(|| HealthError::Type(name.clone()))
        };
        let part = |(name, part): &(String, u32)| {
            let defect = Defect::from_name(name);
            defect.map(|d| (d, *part)).ok_or_else(|| HealthError::Defect(name.clone()))
        };
        let parts = self.invalid.iter().map(part).collect::<Result<Vec<_>, _>>()?;
        let config = Config {
            users: self.users,
            devices: self.devices,
            samples: self.samples,
            types: self.types.iter().map(data_type).collect::<Result<_, _>>()?,
            invalid: InvalidShares::new(parts).map_err(HealthError::Shares)?,
            start_ms: self.start_ms.unwrap_or(Config::default().start_ms),
            step_us: self.step_us,
            seed: self.seed.unwrap_or(seed),
            run,
            producer,
        };
        config.check()?;
        Ok(config)
    }
}
