//! Schema registries.

use crate::config::shape::{Fields, Shape, either, name, record, scalar, text, units::Wrong};
use mallard_protocol::health::RegistrySpec;
use serde_json::json;

/// Longest subject, as long as a topic's name with what is put behind it.
const SUBJECT_LENGTH: usize = 256;

/// The shape of `registry`: its address, or more about it.
pub(super) fn shape() -> impl Shape<Value = RegistrySpec> {
    let alone = |url| RegistrySpec { url, user: None, password: None, subject: None };
    either(url().map(alone), record("a schema registry", registry))
}

fn registry(fields: &mut Fields<'_>) -> Option<RegistrySpec> {
    let url = fields.required("url", "Where it answers: `http://registry:8081`.", url());
    let user = fields.optional("user", "The user of basic authentication.", text());
    let password = fields.optional("password", "The user's password, such as `${NAME}`.", text());
    let subject = fields.optional(
        "subject",
        "The subject of the schema. The topic's name, followed by `-value`, if not given.",
        name(SUBJECT_LENGTH),
    );
    if let (Some(at), None) = (fields.place_of("password"), fields.place_of("user")) {
        fields.error(&at, "a `password` without a `user`", "say whose password it is");
    }
    Some(RegistrySpec { url: url?, user: user?, password: password?, subject: subject? })
}

fn url() -> impl Shape<Value = String> {
    let schema = json!({"type": "string", "pattern": "^https?://"});
    scalar("an address such as `http://registry:8081`", schema, |s| {
        let address = s.text.strip_prefix("http://").or_else(|| s.text.strip_prefix("https://"));
        let host = address.map(|address| address.split('/').next().unwrap_or_default());
        let help = "it begins with `http://` or `https://`, and goes on with a host: `http://registry:8081`";
        match host {
            // The text may be a secret's: nothing of it is repeated.
            Some(host) if host.contains('@') => Err(Wrong::new(
                "an address has no user in it",
                "write `registry: {url: …, user: …, password: …}`",
            )),
            Some(host)
                if !host.is_empty()
                    && !s.text.contains(|c: char| c.is_whitespace() || c == '?') =>
            {
                Ok(s.text.trim_end_matches('/').to_owned())
            }
            _ => Err(Wrong::new("this is not the address of a schema registry", help)),
        }
    })
}
