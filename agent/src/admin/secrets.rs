//! Keeps secrets out of texts.

use mallard_protocol::workload::ClientProperties;

/// What stands in a text instead of a secret.
const MASK: &str = "***";

/// Shortest value that is masked. A shorter one would blot out half of every text, and protects nothing.
const SHORTEST: usize = 3;

/// Parts of property names whose values are secret.
const SECRET_NAMES: [&str; 7] =
    ["password", "secret", "key.pem", "jaas", "token", "oauthbearer.config", "username"];

/// The secret values of some client properties.
#[derive(Clone, Debug, Default)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// The secret values among properties.
    #[must_use]
    pub fn of<'a>(properties: impl IntoIterator<Item = &'a (String, String)>) -> Self {
        let secret = |key: &str| {
            let key = key.to_ascii_lowercase();
            // As it stands, so that whoever cannot reach it knows where.
            !key.ends_with("token.endpoint.url")
                && SECRET_NAMES.iter().any(|name| key.contains(name))
        };
        let mut values: Vec<String> = properties
            .into_iter()
            .filter(|(key, value)| secret(key) && value.len() >= SHORTEST)
            .map(|(_, value)| value.clone())
            .collect();
        // Longest first, so that a secret within another does not leave the other's rest behind.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Self(values)
    }

    /// The secret values among a connection's properties.
    #[must_use]
    pub fn of_connection(connection: &ClientProperties) -> Self {
        Self::of(connection)
    }

    /// A text without the secrets.
    #[must_use]
    pub fn mask(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, MASK))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_and_nothing_else() {
        let properties = [
            ("bootstrap.servers", "broker:9092"),
            ("sasl.password", "hunter2"),
            ("ssl.key.password", "hunter2-long"),
            ("ssl.key.pem", "-----BEGIN"),
            ("sasl.oauthbearer.client.secret", "ab"),
        ];
        let properties: Vec<_> =
            properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let secrets = Secrets::of(&properties);
        let text = "broker:9092 said hunter2-long, hunter2 and ab";
        assert_eq!(secrets.mask(text), "broker:9092 said ***, *** and ab");
    }
}
