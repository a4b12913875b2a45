//! Payloads from a minijinja template.

use super::{
    numbers::Numbers,
    random::{Random, below, random},
};
use mallard_protocol::{ids::InstanceId, mark::Mark, template};
use minijinja::{Environment, Error, ErrorKind, Value, context};
use rand::{Rng, RngExt};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

/// Name under which the template is kept; it stands in front of error messages.
const NAME: &str = "payload";

/// Renders a template, once for every record.
pub(crate) struct Renderer {
    environment: Environment<'static>,
    instance: InstanceId,
    /// The sequence number of the record in the making, for `mark()`: marks are matched by the instance's
    /// own count.
    marked: Arc<AtomicU64>,
}

/// The generator that the template's functions share. They run on one thread; the lock is never
/// contended.
type Shared = Arc<Mutex<Random>>;

impl Renderer {
    /// Compiles a template and renders it once, so that mistakes show before the load.
    pub(crate) fn new(
        source: &str,
        (run, instance): (u32, InstanceId),
        seed: u64,
    ) -> Result<Self, String> {
        let mut environment = Environment::new();
        environment.set_fuel(Some(template::STEPS_LIMIT));
        let random: Shared = Arc::new(Mutex::new(random(seed, 4)));
        add_functions(&mut environment, &random);
        let marked = Arc::<AtomicU64>::default();
        add_mark(&mut environment, run, instance, &marked);
        environment
            .add_template_owned(NAME, source.to_owned())
            .map_err(|error| describe(&error))?;
        let renderer = Self { environment, instance, marked };
        renderer.render(Numbers { sequence: 0, number: 0 }, &mut Vec::new())?;
        *lock(&random) = super::random::random(seed, 4);
        Ok(renderer)
    }

    /// Appends the payload of a record.
    pub(crate) fn render(&self, numbers: Numbers, into: &mut Vec<u8>) -> Result<(), String> {
        self.marked.store(numbers.sequence, Ordering::Relaxed);
        let template = self.environment.get_template(NAME).map_err(|error| describe(&error))?;
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis());
        let values = context! {
            sequence => numbers.number,
            instance => self.instance.0,
            now_ms => u64::try_from(now_ms).unwrap_or(u64::MAX),
        };
        let into = template::Limited::new(into);
        template.render_captured_to(values, into).map(drop).map_err(|error| describe(&error))
    }
}

/// `mark()` and `mark(part)`: what tells this record, or a piece of it, behind a pipeline that drops
/// headers.
fn add_mark(
    environment: &mut Environment<'static>,
    run: u32,
    instance: InstanceId,
    marked: &Arc<AtomicU64>,
) {
    let marked = Arc::clone(marked);
    environment.add_function("mark", move |part: Option<u16>| {
        let sequence = marked.load(Ordering::Relaxed);
        let mark = Mark { run, instance, sequence, part: part.unwrap_or(0) };
        if part.is_some() { mark.to_string() } else { mark.whole() }
    });
}

fn add_functions(environment: &mut Environment<'static>, random: &Shared) {
    let shared = Arc::clone(random);
    environment.add_function("int", move |low: i64, high: i64| {
        let width = high.abs_diff(low).checked_add(1).filter(|_| low <= high).ok_or_else(|| {
            Error::new(ErrorKind::InvalidOperation, "int(low, high) needs low <= high")
        })?;
        Ok::<_, Error>(low.wrapping_add_unsigned(below(&mut lock(&shared), width)))
    });
    let shared = Arc::clone(random);
    environment.add_function("float", move |low: f64, high: f64| {
        low + (high - low) * lock(&shared).random::<f64>()
    });
    let shared = Arc::clone(random);
    environment.add_function("choice", move |list: Value| {
        let items: Vec<Value> = list.try_iter()?.collect();
        let index = below(&mut lock(&shared), items.len() as u64);
        let index = usize::try_from(index).unwrap_or(0);
        items.into_iter().nth(index).ok_or_else(|| {
            Error::new(ErrorKind::InvalidOperation, "choice(list) needs at least one item")
        })
    });
    let shared = Arc::clone(random);
    environment.add_function("uuid", move || {
        let mut bytes = [0; 16];
        lock(&shared).fill_bytes(&mut bytes);
        // Version 4, variant 1 (RFC 9562, 5.4).
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
        parts.join("-")
    });
}

fn lock(random: &Shared) -> std::sync::MutexGuard<'_, Random> {
    random.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The whole chain of an error, which minijinja spreads over sources.
fn describe(error: &Error) -> String {
    if error.kind() == ErrorKind::OutOfFuel {
        return format!("the payload template: {}", template::TOO_MANY_STEPS);
    }
    let mut text = format!("the payload template: {error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(source: &str, sequence: u64) -> Result<String, String> {
        let renderer = Renderer::new(source, (7, InstanceId(3)), 1)?;
        let mut bytes = Vec::new();
        // Record `sequence` of one of four instances.
        let numbers = Numbers { sequence, number: 4 * sequence + 3 };
        renderer.render(numbers, &mut bytes)?;
        Ok(String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn a_template_knows_its_record() {
        assert_eq!(render("{{ instance }}/{{ sequence }}", 17).unwrap(), "3/71");
    }

    #[test]
    fn a_mark_names_the_record_and_its_pieces() {
        let text = render("{{ mark() }} {{ mark(2) }}", 26).unwrap();
        assert_eq!(text, "00000007-0003-00000000001a 00000007-0003-00000000001a-0002");
    }

    #[test]
    fn its_functions_stay_in_range_and_repeat_with_the_seed() {
        let source = "{{ int(-2, 2) }} {{ float(0.5, 1) }} {{ choice(['a', 'b']) }} {{ uuid() }}";
        let text = render(source, 0).unwrap();
        let parts: Vec<_> = text.split(' ').collect();
        assert!((-2..=2).contains(&parts[0].parse::<i64>().unwrap()));
        assert!((0.5..1.0).contains(&parts[1].parse::<f64>().unwrap()));
        assert!(["a", "b"].contains(&parts[2]));
        assert_eq!(parts[3].len(), 36);
        assert_eq!(render(source, 0).unwrap(), text);
    }

    #[test]
    fn mistakes_show_at_once() {
        assert!(render("{{ sequence", 0).is_err());
        assert!(render("{{ choice([]) }}", 0).is_err());
        assert!(render("{{ int(2, 1) }}", 0).is_err());
    }

    #[test]
    fn a_record_has_an_end() {
        let forever =
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
        let told = render(forever, 0).unwrap_err();
        assert_eq!(told, format!("the payload template: {}", template::TOO_MANY_STEPS));
        let mebibyte = "x".repeat(1 << 20);
        let long = format!("{{% for a in range(65) %}}{mebibyte}{{% endfor %}}");
        let told = render(&long, 0).unwrap_err();
        assert!(told.contains(template::TOO_LONG), "{told}");
    }
}
