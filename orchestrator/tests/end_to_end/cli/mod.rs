//! What `mallard` is asked to do beside running a load: each verb, and how a run is ended by hand.

mod baselines;
mod calibrate;
mod clean;
mod compare;
mod export;
mod interrupt;
mod pairs;
mod rerun;
pub(crate) mod resume;
mod serve;
mod shards;
mod stop;
