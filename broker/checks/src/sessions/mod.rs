//! Random stories of a few clients, told to the broker and to a model of what should come of them.

mod driver;
mod model;
mod operation;
mod session;
mod story;

pub use operation::{OPERATION_BYTES, Operation};
pub use story::{Story, Wrong};

/// Any bytes are a story, and the broker has to act as the model does.
///
/// # Panics
/// It does not.
pub fn session_model(data: &[u8]) {
    // Longer ones show nothing that shorter ones do not.
    let data = data.get(..400 * OPERATION_BYTES).unwrap_or(data);
    if let Err(wrong) = Story::of(data).tell() {
        panic!("{wrong}");
    }
}
