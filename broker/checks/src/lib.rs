//! What must hold for the broker whatever comes in. Each check is a plain function from bytes to nothing that
//! panics when something is wrong: the targets of `broker/fuzz` call them, and so do this crate's tests, with
//! seeded random input.

pub mod random;
pub mod sessions;
pub mod topics;
pub mod two_party;

pub use sessions::session_model;
pub use topics::topic_match;
