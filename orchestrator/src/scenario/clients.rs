//! Client properties by name: those that Mallard sets itself, those that only other clients have.
//!
//! librdkafka itself judges names and values, when the agent's program is asked. Here is noted what needs
//! no program to be known, so that it is reported with all other mistakes of a file.

use super::java;
use crate::text::nearest::nearest;

/// Names of librdkafka's properties, one a line, for what was probably meant.
const NAMES: &str = include_str!("librdkafka_properties.txt");

/// What is wrong with a client property, and what to do; `None` if nothing is known against it.
#[must_use]
pub fn mistake(property: &str) -> Option<(String, String)> {
    if let Some(instead) = clash(property) {
        return Some((format!("`{property}` is set by mallard"), instead.to_owned()));
    }
    if NAMES.lines().any(|name| name == property) {
        return None;
    }
    if let Some(instead) = java::instead(property) {
        let message = format!(
            "`{property}` is a property of Java's client, and librdkafka has none of that name"
        );
        return Some((message, instead.to_owned()));
    }
    let meant = meant(property)?;
    let message = format!("librdkafka has no property `{property}`");
    Some((message, format!("did you mean `{meant}`?")))
}

/// What to do with a client property that stands among a producer's or consumer's own keys.
pub(super) fn as_key(key: &str) -> Option<String> {
    let is_known = NAMES.lines().any(|name| name == key);
    let meant = is_known.then_some(key).or_else(|| NAMES.lines().find(|name| goes_on(name, key)));
    if let Some(meant) = meant {
        return Some(format!("client properties stand under `client`: `client: {{{meant}: …}}`"));
    }
    java::instead(key)
        .map(|instead| format!("of client properties, which stand under `client`: {instead}"))
}

/// The property of librdkafka that was probably meant: one that goes on where this one ends (`linger` for
/// `linger.ms`), or the nearest.
fn meant(property: &str) -> Option<&'static str> {
    NAMES.lines().find(|name| goes_on(name, property)).or_else(|| nearest(property, NAMES.lines()))
}

/// Whether a name is this one and its unit.
fn goes_on(name: &str, begin: &str) -> bool {
    name.strip_prefix(begin).is_some_and(|rest| matches!(rest, ".ms" | ".bytes" | ".type"))
}

/// What to use instead of a client property that Mallard sets itself, or `None` if it is the user's.
#[must_use]
pub fn clash(property: &str) -> Option<&'static str> {
    Some(match property {
        "bootstrap.servers" | "metadata.broker.list" => {
            "use `kafka: {bootstrap: …}` in the cluster file"
        }
        "client.id" => "clients are named by producer or consumer, with a number: rename that",
        "group.id" => "use `group` of the consumer",
        "group.instance.id" => "mallard's consumers are dynamic members; remove it",
        "enable.auto.commit" | "auto.commit.interval.ms" => "use `commit` of the consumer",
        "enable.auto.offset.store" => {
            "use `commit` of the consumer; mallard stores what it has counted"
        }
        "auto.offset.reset" => "use `from` of the consumer",
        "isolation.level" => "use `isolation` of the consumer",
        "transactional.id" => "use `transactions` of the producer",
        "statistics.interval.ms" => "mallard asks for statistics once an interval; remove it",
        "enable.partition.eof"
        | "dr_cb"
        | "dr_msg_cb"
        | "opaque"
        | "log.queue"
        | "log_cb"
        | "stats_cb"
        | "error_cb"
        | "throttle_cb"
        | "rebalance_cb"
        | "offset_commit_cb"
        | "background_event_cb"
        | "socket_cb"
        | "connect_cb"
        | "closesocket_cb"
        | "open_cb"
        | "resolve_cb"
        | "interceptors"
        | "plugin.library.paths"
        | "consume_cb"
        | "delivery.report.only.error" => "mallard needs it for measuring; remove it",
        "test.mock.num.brokers" => "use `kafka: {embedded: {brokers: …}}` in the cluster file",
        "test.mock.broker.rtt" => "use `kafka: {embedded: {round_trip: …}}` in the cluster file",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help(property: &str) -> String {
        mistake(property).map(|(_, help)| help).unwrap_or_default()
    }

    #[test]
    fn what_was_meant_is_named() {
        assert_eq!(help("linger"), "did you mean `linger.ms`?");
        assert_eq!(help("lingerms"), "did you mean `linger.ms`?");
        assert_eq!(help("compression"), "did you mean `compression.type`?");
        assert_eq!(help("fetch.min"), "did you mean `fetch.min.bytes`?");
        assert!(mistake("linger.ms").is_none() && mistake("sasl.username").is_none());
        // Left to librdkafka: it may know what this list does not.
        assert!(mistake("entirely.new.property").is_none());
    }

    #[test]
    fn properties_of_java_are_answered_with_librdkafkas() {
        assert!(help("buffer.memory").contains("`queue.buffering.max.kbytes`"));
        assert!(help("max.request.size").contains("`message.max.bytes`"));
        assert!(help("ssl.truststore.location").contains("`ssl.ca.location`"));
        assert!(help("sasl.jaas.config").contains("`sasl.username`"));
        assert!(help("key.serializer").contains("bytes"));
        assert!(help("client.id").contains("rename"));
    }

    #[test]
    fn no_property_of_librdkafka_is_taken_for_one_of_java_alone() {
        for name in NAMES.lines() {
            assert!(java::instead(name).is_none(), "{name}");
        }
    }
}
