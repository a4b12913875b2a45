//! The nearest name to a misspelt one, and lists of names in messages.

/// The candidate that was probably meant: at most a third of its letters away by edits (a swap of
/// neighbours is one edit), or the same but for case and for `-` and `_`.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(name);
    let distance = |candidate: &str| strsim::damerau_levenshtein(&folded, &fold(candidate));
    let limit =
        |candidate: &str| (candidate.chars().count().max(folded.chars().count()) / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(distance, candidate)| *distance <= limit(candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn fold(name: &str) -> String {
    name.to_lowercase().replace(['-', ' '], "_")
}

/// Help for a name that is not one of the candidates: the nearest, and all of them if they are few.
#[must_use]
pub fn suggest(name: &str, candidates: &[&str], what: &str) -> String {
    let all = || format!("{what}: {}", listed(candidates));
    match nearest(name, candidates.iter().copied()) {
        Some(near) if candidates.len() == 1 => format!("did you mean `{near}`?"),
        Some(near) => format!("did you mean `{near}`? {}", all()),
        None if candidates.is_empty() => format!("{what}: none"),
        None => all(),
    }
}

/// Most names that a message lists.
const LISTED: usize = 24;

/// Names in back quotes: `` `a`, `b` `` and how many more.
#[must_use]
pub fn listed(names: &[&str]) -> String {
    let shown = names.iter().take(LISTED).map(|name| format!("`{name}`"));
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if names.len() > LISTED {
        text.push_str(&format!(" and {} more", names.len() - LISTED));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let keys = ["partitions", "replication", "config", "existing"];
        assert_eq!(nearest("partitons", keys), Some("partitions"));
        assert_eq!(nearest("Config", keys), Some("config"));
        assert_eq!(nearest("warm_up", ["hold", "warm-up"]), Some("warm-up"));
        assert_eq!(nearest("retention", keys), None);
        assert_eq!(nearest("rate", ["date", "load"]), Some("date"));
        assert_eq!(nearest("ordres", ["orders", "events"]), Some("orders"));
        assert_eq!(nearest("order", ["orders", "border-events"]), Some("orders"));
        assert_eq!(nearest("x", ["orders"]), None);
    }
}
