//! Capture: a coordinator, and an agent beside each service.
//!
//! Hidden here: how a closure is walked and a cut is made without anybody but the agents seeing a value. The coordinator
//! routes keys that are sealed to the agent that will ask them, counts, pins parts in the order effects before causes, and
//! signs what the agents sealed. Every message is serialisable, so an agent can be a task or stand behind a pipe.

mod agent;
mod approved;
mod coordinator;
mod equality;
mod local;
mod pipe;
mod residue;
mod scout;
mod sealed;

pub use agent::{Agent, Collected, Described, Estimated, Found, RootSetup, Scouted, Searched, Setup, Step, What};
pub use approved::Reviewed;
pub use coordinator::{Captured, Captures, Planned, capture, plan, policy_file, schemas};
pub use local::LocalAgent;
pub use pipe::{PipeAgent, serve};
pub use residue::Residue;
pub use sealed::{AgentKey, SealedBox};

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}
