//! The pages' templates: inside the program, and each of them replaceable by a file of the same name in
//! the folder of `--templates`.

use super::ReportError;
use crate::text::format;
use minijinja::{Environment, Value};
use serde::Serialize;
use std::{fs, path::Path};

/// Every template and asset, with the text that is inside the program.
const EMBEDDED: [(&str, &str); 18] = [
    ("head.html", include_str!("../../../templates/head.html")),
    ("report.html", include_str!("../../../templates/report.html")),
    ("case.html", include_str!("../../../templates/case.html")),
    ("ran.html", include_str!("../../../templates/ran.html")),
    ("index.html", include_str!("../../../templates/index.html")),
    ("comparison.html", include_str!("../../../templates/comparison.html")),
    ("trend.html", include_str!("../../../templates/trend.html")),
    ("comparison.js", include_str!("../../../templates/comparison.js")),
    ("page.css", include_str!("../../../templates/page.css")),
    ("charts.js", include_str!("../../../templates/charts.js")),
    ("report.js", include_str!("../../../templates/report.js")),
    ("tables.js", include_str!("../../../templates/tables.js")),
    ("index.js", include_str!("../../../templates/index.js")),
    ("live.html", include_str!("../../../templates/live.html")),
    ("live.js", include_str!("../../../templates/live.js")),
    ("serve.html", include_str!("../../../templates/serve.html")),
    ("serve_files.html", include_str!("../../../templates/serve_files.html")),
    ("serve_login.html", include_str!("../../../templates/serve_login.html")),
];

/// Templates, ready to render.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
}

impl Templates {
    /// The templates inside the program, with those of a folder laid over them.
    ///
    /// # Errors
    ///
    /// When a file of the folder cannot be read or is no template.
    pub fn load(folder: Option<&Path>) -> Result<Self, ReportError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        add_filters(&mut environment);
        for (name, embedded) in EMBEDDED {
            let text = match folder.map(|folder| folder.join(name)).filter(|path| path.is_file()) {
                Some(path) => fs::read_to_string(&path)
                    .map_err(|source| crate::archive::ArchiveError::read(path, source))?,
                None => embedded.to_owned(),
            };
            if name.ends_with(".html") {
                let failed = |error| template_error(name, &error);
                environment.add_template_owned(name, text).map_err(failed)?;
            } else {
                // Assets go into the page as they are; they come from us, never from a run.
                environment.add_global(name.replace('.', "_"), Value::from_safe_string(text));
            }
        }
        Ok(Self { environment })
    }

    /// Renders a template.
    ///
    /// # Errors
    ///
    /// When the template names what is not there.
    pub fn render<S: Serialize>(&self, name: &str, context: &S) -> Result<Vec<u8>, ReportError> {
        let failed = |error| template_error(name, &error);
        let template = self.environment.get_template(name).map_err(failed)?;
        template.render(minijinja::value::Serde(context)).map(String::into_bytes).map_err(failed)
    }
}

/// JSON that may stand inside a `script` element: no byte in it can end the element or open a comment,
/// and it is JavaScript too.
///
/// # Errors
///
/// When a value has no form in JSON.
pub fn script_json<S: Serialize>(value: &S) -> Result<String, ReportError> {
    let text = serde_json::to_string(value)
        .map_err(|error| ReportError::Format { name: "report.html", what: error.to_string() })?;
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // These stand only inside of strings, where JSON lets them be written as numbers.
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                safe.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            _ => safe.push(c),
        }
    }
    Ok(safe)
}

fn template_error(name: &str, error: &minijinja::Error) -> ReportError {
    let line = error.line().map(|line| format!("line {line}: ")).unwrap_or_default();
    ReportError::Template { name: name.to_owned(), what: format!("{line}{error}") }
}

fn add_filters(environment: &mut Environment<'static>) {
    environment.add_filter("quantity", |value: Option<f64>, unit: &str| {
        value.map_or_else(|| "–".to_owned(), |value| format::quantity(value, unit))
    });
    environment.add_filter("count", |value: Option<u64>| {
        value.map_or_else(|| "–".to_owned(), format::count)
    });
    environment.add_filter("urlencode", encoded);
    environment.add_filter("clock", format::clock);
    environment.add_filter("duration", format::duration);
    environment.add_filter("percent", format::percent);
    environment.add_filter("date", format::date);
}

/// Percent encoding for a path: all but letters, digits, slashes and what never means anything.
#[must_use]
pub fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                encoded.push(char::from(byte));
            }
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_in_a_script_element_cannot_leave_it() {
        let hostile = "</script><!--\u{2028}\u{2029}&\"\\";
        let text = script_json(&[hostile]).unwrap();
        assert!(!text.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{text}");
        let back: Vec<String> = serde_json::from_str(&text).unwrap();
        assert_eq!(back, [hostile]);
    }

    #[test]
    fn a_template_of_ones_own_replaces_the_one_inside() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("index.html"), "own {{ x|quantity('us') }} {{ y }}").unwrap();
        let templates = Templates::load(Some(folder.path())).unwrap();
        let context = serde_json::json!({"x": 12.0, "y": "<b>"});
        let page = templates.render("index.html", &context).unwrap();
        assert_eq!(String::from_utf8(page).unwrap(), "own 12.0\u{a0}µs &lt;b&gt;");
        fs::write(folder.path().join("index.html"), "{% if %}").unwrap();
        let error = Templates::load(Some(folder.path())).unwrap_err().to_string();
        assert!(error.starts_with("render index.html: line 1"), "{error}");
    }
}
