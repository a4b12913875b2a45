//! The peers: how they are built, called and understood.

pub(crate) mod franz_go;
pub(crate) mod java;
pub(crate) mod java_loop;
mod peer;
pub(crate) mod rdkafka;

pub(crate) use peer::{Done, Order, Paced};

#[cfg(test)]
mod tests {
    use super::peer::number_before;

    #[test]
    fn a_number_is_found_by_the_word_after_it() {
        assert_eq!(number_before("in 5435ms: 367972 msgs/s and", " msgs/s"), Some(367_972.0));
        assert_eq!(number_before("702.00 ms max latency", " ms max"), Some(702.0));
        assert_eq!(number_before("none here", " msgs/s"), None);
    }
}
