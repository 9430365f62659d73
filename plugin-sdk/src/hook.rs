//! The hooks: a trait for each. A plugin implements those that it wants.

pub mod authenticate;
pub mod authenticate_enhanced;
pub mod authorize;
pub mod control;
pub mod deliver;
pub mod events;
pub mod on_publish;
pub mod on_subscribe;
pub mod on_unsubscribe;
pub mod on_will;
pub mod route;
