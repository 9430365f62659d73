//! Cargo as it is called to make plugins: for the target of components, and such that the same source becomes the same bytes
//! wherever it lies.
//!
//! Build scripts use it and so does `hookwire plugin build`, therefore it depends on nothing.

mod bundle;
mod places;
mod toolchain;

pub use bundle::Bundle;
pub use places::Places;
pub use toolchain::Toolchain;

/// What components are compiled for.
pub const TARGET: &str = "wasm32-wasip2";
