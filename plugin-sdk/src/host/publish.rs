//! Messages of the plugin's own. Grant: `publish = ["topic/filter", …]`.

#[cfg(target_family = "wasm")]
use crate::bindings::publish as host;
use crate::bindings::types::Message as MessageBuf;
#[cfg(not(target_family = "wasm"))]
use crate::mock::host::publish as host;

pub use crate::bindings::publish::Error;

/// Publishes to all subscribers: sent after the hook has answered, forgotten when the hook fails.
///
/// ```
/// use hookwire_plugin::{MessageBuf, Qos, publish};
/// publish::publish(&MessageBuf { qos: Qos::AtLeastOnce, ..MessageBuf::new("alerts/1", "hot") })?;
/// # Ok::<(), publish::Error>(())
/// ```
pub fn publish(message: &MessageBuf) -> Result<(), Error> {
    host::publish(message)
}
