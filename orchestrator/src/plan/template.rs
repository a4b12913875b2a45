//! A trial of a payload template: its syntax, the names it uses, and about how long what it makes is.

use mallard_protocol::{ids::InstanceId, mark::Mark, template};
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
    let mut environment = Environment::new();
    environment.set_fuel(Some(template::STEPS_LIMIT));
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
    let mut made = Vec::new();
    template.render_captured_to(values, template::Limited::new(&mut made)).map_err(describe)?;
    // It is made of text alone.
    Ok(String::from_utf8_lossy(&made).into_owned())
}

fn describe(error: Error) -> TemplateError {
    let written = || std::error::Error::source(&error).map(ToString::to_string);
    let message = match error.kind() {
        ErrorKind::OutOfFuel => template::TOO_MANY_STEPS.to_owned(),
        ErrorKind::WriteFailure => written().unwrap_or_else(|| template::TOO_LONG.to_owned()),
        kind => error.detail().map_or_else(|| kind.to_string(), str::to_owned),
    };
    TemplateError { message, line: error.line() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(source: &str) -> String {
        trial(source).unwrap_err().message
    }

    #[test]
    fn a_template_that_does_not_end_is_refused() {
        let forever =
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
        assert_eq!(refused(forever), template::TOO_MANY_STEPS);
    }

    #[test]
    fn a_record_that_gets_too_long_is_refused() {
        let mebibyte = "x".repeat(1 << 20);
        let long = |times: u32| format!("{{% for a in range({times}) %}}{mebibyte}{{% endfor %}}");
        assert_eq!(trial(&long(64)).unwrap().len(), template::BYTES_LIMIT);
        assert_eq!(refused(&long(65)), template::TOO_LONG);
    }
}
