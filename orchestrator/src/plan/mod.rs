//! What will be done: a scenario and a cluster file, validated, expanded and placed.
//!
//! Planning is pure: the same files, settings and run id give the same plan, and nothing is touched.
//! Raw YAML types stop at the loader; what stands here has real types and no choice left in it.

mod across;
mod archive_size;
pub(crate) mod assignor;
mod build;
mod case;
pub mod clients;
mod consumers;
mod faults;
pub mod handover;
mod integrity;
mod model;
mod observe;
mod pairs;
mod place;
mod producers;
mod schedule;
mod shard;
pub mod show;
pub mod sizes;
mod template;
mod through;
mod topics;
pub mod workload;

pub(crate) use case::fault_names;
pub use model::{
    AgentIndex, AgentPlan, CasePlan, FaultPlan, Plan, PlanOptions, ShardPlan, WrittenClient,
};

pub use build::{CaseName, case_names, known_parameters, plan};
pub use pairs::interleave;
pub use schedule::{DEFAULT_DRAIN, LONGEST};
