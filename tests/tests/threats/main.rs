//! What attackers and accidents do to brokers, with a witness pair that must not notice. `tests/threats/cases.toml` says which
//! test shows which case.

mod exhaustion;
mod framing;
mod identity;
mod oracle;
mod queues;
mod topics;

pub(crate) use oracle::Oracle;
