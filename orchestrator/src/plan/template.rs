//! A trial of a payload template: its syntax, the names it uses, and about how long what it makes is.

use mallard_protocol::{ids::InstanceId, mark::Mark};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value, context};

/// A template's mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TemplateError {
    /// What is wrong.
    pub(super) message: String,
    /// Line of the template, from 1, if known.
    pub(super) line: Option<usize>,
}

/// Renders a template once, with middling values in the place of random ones.
pub(super) fn trial(source: &str) -> Result<String, TemplateError> {
    let describe = |error: Error| TemplateError {
        message: error.detail().map_or_else(|| error.kind().to_string(), str::to_owned),
        line: error.line(),
    };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_function("int", |low: i64, high: i64| {
        let invalid =
            || Error::new(ErrorKind::InvalidOperation, "int(low, high) needs low <= high");
        (low <= high).then(|| low / 2 + high / 2).ok_or_else(invalid)
    });
    environment.add_function("float", |low: f64, high: f64| f64::midpoint(low, high));
    environment.add_function("choice", |list: Value| {
        let invalid =
            || Error::new(ErrorKind::InvalidOperation, "choice(list) needs at least one item");
        list.try_iter()?.next().ok_or_else(invalid)
    });
    environment.add_function("uuid", || "00000000-0000-4000-8000-000000000000");
    environment.add_function("mark", |part: Option<u16>| {
        let mark = Mark { run: 0, instance: InstanceId(0), sequence: 0, part: part.unwrap_or(0) };
        if part.is_some() { mark.to_string() } else { mark.whole() }
    });
    environment.add_template("payload", source).map_err(describe)?;
    let template = environment.get_template("payload").map_err(describe)?;
    // A time of this century, so that its digits are as many as in a run.
    let values = context! { sequence => 100_000, instance => 0, now_ms => 1_767_225_600_000_u64 };
    template.render(values).map_err(describe)
}
