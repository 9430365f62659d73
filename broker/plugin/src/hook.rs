//! The hooks, one module each: the question in the guest's types, the call, the answer checked and in the broker's types.

pub(crate) mod authenticate;
pub(crate) mod authenticate_enhanced;
pub(crate) mod authorize;
pub(crate) mod batch;
pub(crate) mod control;
pub(crate) mod convert;
pub(crate) mod deliver;
pub(crate) mod events;
pub(crate) mod lifecycle;
pub(crate) mod on_publish;
pub(crate) mod on_subscribe;
pub(crate) mod on_unsubscribe;
pub(crate) mod on_will;
pub(crate) mod route;
