//! On a real Kafka, beside its own tools: figures, fates of records, logins, systems of others.

mod figures;
mod foreign;
mod integrity;
mod logins;
mod loss;
mod ready;
mod registry;
mod slow_brokers;
