//! The interfaces that plugins import, one module each.
//!
//! Who may import which is decided when a component is loaded ([`check`](crate::check)); what needs a grant with a
//! parameter looks at it again in each call.

mod clients;
mod clock;
mod http;
mod kv;
mod log;
pub(crate) mod metrics;
mod password;
mod publish;
mod random;
mod rate_limit;
mod retained;
mod secrets;
mod signatures;
mod topics;

use wasmtime::component::{HasSelf, Linker};

use crate::bindings::imports;
use crate::guest::Guest;

fn guest(guest: &mut Guest) -> &mut Guest {
    guest
}

/// The interfaces whose functions wait, as they are where nobody may.
pub(crate) fn add_refusing(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    http::add_refusing(linker)
}

/// The interfaces whose functions wait.
pub(crate) fn add_waiting(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    imports::http::add_to_linker::<_, HasSelf<_>>(linker, guest)
}

/// Offers every other interface of the contract to components.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    imports::log::add_to_linker::<_, HasSelf<_>>(linker, guest)?;
    imports::clients::add_to_linker::<_, HasSelf<_>>(linker, guest)?;
    imports::publish::add_to_linker::<_, HasSelf<_>>(linker, guest)?;
    imports::kv::add_to_linker::<_, HasSelf<_>>(linker, guest)?;
    imports::metrics::add_to_linker::<_, HasSelf<_>>(linker, guest)?;
    imports::rate_limit::add_to_linker::<_, HasSelf<_>>(linker, guest)?;
    imports::retained::add_to_linker::<_, HasSelf<_>>(linker, guest)?;
    imports::secrets::add_to_linker::<_, HasSelf<_>>(linker, guest)?;
    imports::password::add_to_linker::<_, HasSelf<_>>(linker, guest)?;
    imports::signatures::add_to_linker::<_, HasSelf<_>>(linker, guest)?;
    imports::clock::add_to_linker::<_, HasSelf<_>>(linker, guest)?;
    imports::random::add_to_linker::<_, HasSelf<_>>(linker, guest)?;
    imports::topics::add_to_linker::<_, HasSelf<_>>(linker, guest)
}
