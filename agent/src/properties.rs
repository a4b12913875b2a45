//! Checks client properties with the librdkafka of this build, for `mallard validate`.

use crate::{
    admin::Secrets,
    engine::{Kind, check_properties},
    host,
};
use mallard_protocol::properties::{Client, ClientKind, Refusal, Report, Request};

/// Answers a request in JSON with a report in JSON.
///
/// # Errors
/// The request is not what it should be.
pub fn check(request: &str) -> serde_json::Result<String> {
    let request: Request = serde_json::from_str(request)?;
    let refused = request.clients.iter().flat_map(|client| refusals(&request.connection, client));
    let report = Report { librdkafka: host::librdkafka_version(), refused: refused.collect() };
    serde_json::to_string(&report)
}

fn refusals(connection: &Vec<(String, String)>, client: &Client) -> Vec<Refusal> {
    let kind = match client.kind {
        ClientKind::Producer => Kind::Producer,
        ClientKind::Consumer => Kind::Consumer,
    };
    // librdkafka quotes the value that it refuses.
    let secrets = Secrets::of(connection.iter().chain(&client.properties));
    let refused = check_properties(connection, kind, &client.properties).err().unwrap_or_default();
    let refusal = |(key, reason): (String, String)| Refusal {
        client: client.name.clone(),
        key,
        reason: secrets.mask(&reason),
    };
    refused.into_iter().map(refusal).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_is_refused_with_its_client() {
        let request = r#"{"connection": [["bootstrap.servers", "x:1"]], "clients": [
            {"kind": "producer", "name": "gateway", "properties": [["linger.msx", "10"]]},
            {"kind": "consumer", "name": "flink", "properties": [["fetch.min.bytes", "10"]]}]}"#;
        let report: serde_json::Value = serde_json::from_str(&check(request).unwrap()).unwrap();
        let refused = report["refused"].as_array().unwrap();
        assert_eq!(refused.len(), 1, "{report}");
        assert_eq!(
            (&refused[0]["client"], &refused[0]["key"]),
            (&"gateway".into(), &"linger.msx".into())
        );
        assert!(refused[0]["reason"].as_str().unwrap().contains("linger.msx"), "{report}");
    }

    #[test]
    fn a_request_that_is_none_is_an_error() {
        assert!(check("{}").is_err());
        assert!(check(r#"{"clients": [{"kind": "broker", "name": "x"}]}"#).is_err());
    }
}
