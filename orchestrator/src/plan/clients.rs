//! Client properties with their places, so that what librdkafka refuses is shown where it is written.
//!
//! The agent's binary knows librdkafka; `mallard-agent properties` reads [`Plan::property_request`] and
//! answers with a report, which [`Plan::property_mistakes`] turns into diagnostics.

use super::{CasePlan, Plan};
use crate::{
    config::{Diagnostic, Severity, source::Place, tidy},
    scenario::cluster::Cluster,
};
use mallard_protocol::properties::{Client, ClientKind, Refusal, Report, Request};
use std::collections::HashSet;

/// What the agent's binary is asked about a cluster file by itself, in JSON: a client of each kind without
/// properties of its own.
///
/// # Errors
///
/// Never in practice: all of it is text.
pub fn cluster_property_request(cluster: &Cluster) -> serde_json::Result<String> {
    let client = |kind| Client { kind, name: String::new(), properties: Vec::new() };
    let clients = [ClientKind::Producer, ClientKind::Consumer].map(client).into();
    let connection = cluster.kafka.client_properties().to_vec();
    serde_json::to_string(&Request { connection, clients })
}

/// What it answered, as diagnostics.
///
/// # Errors
///
/// When the answer is not a report.
pub fn cluster_property_mistakes(
    cluster: &Cluster,
    report: &str,
) -> serde_json::Result<Vec<Diagnostic>> {
    let report: Report = serde_json::from_str(report)?;
    let whole = cluster.source.whole();
    let places = &cluster.connection_places;
    let mistake = |refusal: &Refusal| {
        let at = places.iter().find(|(key, _)| *key == refusal.key).map_or(&whole, |(_, at)| at);
        diagnostic(refusal, at)
    };
    let mut diagnostics: Vec<_> = report.refused.iter().map(mistake).collect();
    tidy(&mut diagnostics);
    Ok(diagnostics)
}

/// What is refused, at the place where it is written.
fn diagnostic(refusal: &Refusal, at: &Place) -> Diagnostic {
    let reason = refusal.reason.trim_end_matches('.');
    let message = match refusal.key.as_str() {
        "" => format!("librdkafka refuses these client properties together: {reason}"),
        key => format!("librdkafka refuses `{key}`: {reason}"),
    };
    let help = "properties are spelt as in librdkafka's CONFIGURATION.md".to_owned();
    at.diagnostic(Severity::Error, message, Some(help))
}

impl Plan {
    /// What the agent's binary is asked, in JSON.
    ///
    /// # Errors
    ///
    /// Never in practice: all of it is text.
    pub fn property_request(&self) -> serde_json::Result<String> {
        let first = self.cases.first();
        let connection = first.map(|case| case.kafka.client_properties().to_vec());
        let connection = connection.unwrap_or_default();
        let mut clients = Vec::new();
        let mut asked = HashSet::new();
        for (index, case) in self.cases.iter().enumerate() {
            // Most cases of a matrix have the same clients; one of each is enough.
            let new =
                case.clients.iter().filter(|c| asked.insert((c.kind, &c.name, &c.properties)));
            clients.extend(new.map(|client| Client {
                kind: client.kind,
                name: format!("{index}/{}", client.name),
                properties: client.properties.clone(),
            }));
        }
        serde_json::to_string(&Request { connection, clients })
    }

    /// What the agent's binary answered, as diagnostics.
    ///
    /// # Errors
    ///
    /// When the answer is not a report.
    pub fn property_mistakes(&self, report: &str) -> serde_json::Result<Vec<Diagnostic>> {
        let report: Report = serde_json::from_str(report)?;
        let mut diagnostics: Vec<_> =
            report.refused.iter().filter_map(|refusal| self.mistake(refusal)).collect();
        tidy(&mut diagnostics);
        Ok(diagnostics)
    }

    fn mistake(&self, refusal: &Refusal) -> Option<Diagnostic> {
        let (index, name) = refusal.client.split_once('/')?;
        let case: &CasePlan = self.cases.get(index.parse::<usize>().ok()?)?;
        let client = case.clients.iter().find(|client| client.name == name)?;
        let own = client.places.iter().find(|(key, _)| *key == refusal.key);
        let shared = || case.connection_places.iter().find(|(key, _)| *key == refusal.key);
        let at = own.or_else(shared).map_or(&client.at, |(_, at)| at);
        Some(diagnostic(refusal, at))
    }
}
