//! Client properties, with the content of files in the place of their names.

use super::pem::{self, Holds};
use crate::config::{
    regular,
    shape::{Property, Reader, Shape, Takes, properties},
    yaml::Node,
};
use mallard_protocol::private_file;
use serde_json::Value as Json;
use std::path::Path;

/// Most bytes of such a file. A bundle of every public authority has a quarter of it.
const LIMIT_BYTES: u64 = 1 << 20;

/// Properties that name a file, and what must be in it.
const FILES: [(&str, Holds); 6] = [
    ("ssl.ca.location", Holds::Authorities),
    ("https.ca.location", Holds::Authorities),
    ("ssl.certificate.location", Holds::Certificate),
    ("ssl.key.location", Holds::Key),
    ("ssl.keystore.location", Holds::Store),
    ("ssl.crl.location", Holds::Revoked),
];

/// What stands for the places where operating systems keep authorities.
const PROBE: &str = "probe";

/// Properties of clients, as librdkafka spells them. Files that they name are meant from the folder of the file that
/// is read, and become what is in them.
pub(in crate::scenario) fn client_properties() -> ClientProperties<impl Shape<Value = Vec<Property>>>
{
    ClientProperties(properties("client properties"))
}

/// See [`client_properties`].
pub(in crate::scenario) struct ClientProperties<S>(S);

impl<S: Shape<Value = Vec<Property>>> Shape for ClientProperties<S> {
    type Value = Vec<Property>;

    fn read(&self, node: &Node, reader: &mut Reader) -> Option<Vec<Property>> {
        let mut read = self.0.read(node, reader)?;
        let folder = node.at.source.path.parent().unwrap_or(Path::new(""));
        read.iter_mut().for_each(|property| bring(property, folder, reader));
        Some(read)
    }

    fn schema(&self) -> Json {
        self.0.schema()
    }

    fn takes(&self) -> Takes {
        self.0.takes()
    }

    fn expected(&self) -> String {
        self.0.expected()
    }
}

/// Puts a file's content in the place of its name.
fn bring(property: &mut Property, folder: &Path, reader: &mut Reader) {
    let key = property.key.value.as_str();
    let Some((_, holds)) = FILES.iter().find(|(name, _)| *name == key) else { return };
    let (name, at) = (property.value.value.as_str(), &property.value.at);
    if name.is_empty() || name == PROBE {
        return;
    }
    let path = folder.join(name);
    // What the environment gives is a secret, and this goes to terminals.
    let secret = at.text().contains("${");
    let shown = if secret { "the file".to_owned() } else { path.display().to_string() };
    let name = if secret { "FILE" } else { name };
    let note = |reader: &mut Reader, what: &str, help: String| {
        reader.error(at, format!("`{key}`: {shown} {what}"), help);
    };
    match regular::read(&path, LIMIT_BYTES) {
        Err(cause) => {
            let help = "the file is read here, from the folder of the file that names it, and goes to agents with the run";
            note(reader, &cause.to_string(), help.to_owned());
        }
        Ok(content) => match pem::mistake(*holds, &content, name) {
            Some((what, help)) => note(reader, &what, help),
            None => property.value.value = private_file::encode(name, &content),
        },
    }
}
