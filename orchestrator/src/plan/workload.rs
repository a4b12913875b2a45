//! Workloads by the names of their instances.

/// The name of the scenario's producer or consumer that an instance belongs to: its own name without
/// the number, `gateway` for `gateway-2`.
#[must_use]
pub fn workload_of(instance: &str) -> &str {
    match instance.rsplit_once('-') {
        Some((name, number))
            if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) =>
        {
            name
        }
        _ => instance,
    }
}
