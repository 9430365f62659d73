//! What the benches measure on: packets, sessions, subscriptions and policies that are alike in each of them.

pub mod clients;
pub mod packets;
pub mod policies;
pub mod subscriptions;
