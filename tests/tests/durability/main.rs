//! What was acknowledged survives, whatever is killed.

mod crash;
mod kept;
mod store;

use hookwire_protocol::Connect;
use hookwire_tests::v5;

/// A broker with a store.
const DURABLE: &str = "data_dir = \"data\"\n[store]\nfree_bytes_min = \"1MiB\"\n";

/// A client whose session outlives its connection.
fn lasting(client_id: &str) -> Connect {
    let mut connect = v5(client_id);
    connect.clean_start = false;
    connect.properties.session_expiry_interval = Some(3600);
    connect
}
