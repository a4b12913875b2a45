//! Ids of schemas: asked of a schema registry before an agent makes any client.
//!
//! The schema of health payloads is registered under its subject. A registry answers with the id that it
//! has there already, or with a new one, so it does not matter which agent asks first.

use mallard_health::encode::avro::SCHEMA;
use mallard_protocol::{
    health::{HealthFormat, RegistrySpec},
    message::{AgentFailure, FailureKind},
    pipeline::DecodeSpec,
    workload::{Assignment, PayloadSpec},
};
use schema_registry_converter::{
    blocking::schema_registry::{SrSettings, post_schema},
    error::SRCError,
    schema_registry_common::{RawError, SchemaType, SuppliedSchema},
};
use std::{collections::HashMap, error::Error, time::Duration};

/// How long a registry may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Puts the ids that registries give in the place of every registry that an assignment names.
pub(crate) fn resolve(assignment: &mut Assignment) -> Result<(), AgentFailure> {
    let subjects: Vec<_> =
        assignment.topics.iter().map(|topic| format!("{}-value", topic.alias)).collect();
    let mut ids = Ids::default();
    for spec in &mut assignment.producers {
        if let PayloadSpec::Health(health) = &mut spec.payload
            && let HealthFormat::Registry(registry) = &health.format
        {
            let schema_id = ids.of(&spec.name, registry, &[&subjects[spec.topic.index()]])?;
            health.format = HealthFormat::Confluent { schema_id };
        }
    }
    for spec in &mut assignment.consumers {
        let Some(process) = &mut spec.process else { continue };
        let topics: Vec<_> = spec.topics.iter().map(|topic| &*subjects[topic.index()]).collect();
        if let DecodeSpec::Registry(registry) = &process.decode {
            let schema_id = Some(ids.of(&spec.name, registry, &topics)?);
            process.decode = DecodeSpec::Confluent { schema_id };
        }
        if let Some(memory) = &mut process.memory
            && let HealthFormat::Registry(registry) = &memory.health.format
        {
            let schema_id = ids.of(&spec.name, registry, &[])?;
            memory.health.format = HealthFormat::Confluent { schema_id };
        }
    }
    Ok(())
}

/// What was asked already, by registry and subject: instances of a workload ask the same.
#[derive(Default)]
struct Ids(HashMap<(String, String), u32>);

impl Ids {
    /// The id for an instance whose topics have these subjects, unless its registry names one.
    fn of(
        &mut self,
        instance: &str,
        registry: &RegistrySpec,
        subjects: &[&str],
    ) -> Result<u32, AgentFailure> {
        let failed = |reason: String| AgentFailure {
            kind: FailureKind::Registry,
            text: format!("{instance}: schema registry {}: {reason}", registry.url),
        };
        let named = registry.subject.as_deref();
        let subjects = named.as_ref().map_or(subjects, std::slice::from_ref);
        let mut found: Option<(&str, u32)> = None;
        for subject in subjects {
            let id = self.of_subject(registry, subject).map_err(failed)?;
            match found {
                // A record's id says nothing of its topic, so that one id has to do for all of them.
                Some((other, known)) if known != id => {
                    return Err(failed(format!(
                        "the schema has id {known} as {other} and id {id} as {subject}: name one of \
                         them as `subject`"
                    )));
                }
                _ => found = Some((subject, id)),
            }
        }
        found.map(|(_, id)| id).ok_or_else(|| failed("there is no subject to ask for".to_owned()))
    }

    fn of_subject(&mut self, registry: &RegistrySpec, subject: &str) -> Result<u32, String> {
        let key = (registry.url.clone(), subject.to_owned());
        if let Some(id) = self.0.get(&key) {
            return Ok(*id);
        }
        let id = ask(registry, subject).map_err(|error| {
            format!("subject {subject}: {}", told(&error).unwrap_or_else(|| chain(&error)))
        })?;
        self.0.insert(key, id);
        Ok(id)
    }
}

fn ask(registry: &RegistrySpec, subject: &str) -> Result<u32, SRCError> {
    let mut settings = SrSettings::new_builder(registry.url.clone());
    settings.set_timeout(ANSWER_WITHIN);
    if let Some(user) = &registry.user {
        settings.set_basic_authorization(user, registry.password.as_deref());
    }
    let schema = SuppliedSchema::new(None, SchemaType::Avro, SCHEMA.to_owned());
    Ok(post_schema(&settings.build()?, subject.to_owned(), schema)?.id)
}

/// What the registry itself said, if it is that which failed.
fn told(error: &SRCError) -> Option<String> {
    let raw = error.source()?.downcast_ref::<RawError>()?;
    Some(match raw.error_code {
        // Not a registry's answer: a proxy's, say.
        0 => error.error.clone(),
        code => format!("{} (error code {code})", raw.message),
    })
}

/// An error with all of its causes.
fn chain(error: &SRCError) -> String {
    let mut text = error.error.clone();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
