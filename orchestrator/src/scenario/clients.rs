//! Client properties that Mallard sets itself.

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
