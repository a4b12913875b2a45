//! What a client for administration does with what librdkafka tells it: nothing.

use rdkafka::ClientContext;

/// Context without callbacks: the log is read from the client's queue.
pub(crate) struct Quiet;

impl ClientContext for Quiet {}
