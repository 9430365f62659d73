//! The interfaces that plugins import, one module each.
//!
//! Who may import which is decided when a component is loaded ([`check`](crate::check)); what needs a grant with a
//! parameter looks at it again in each call.

mod clients;
mod clock;
mod kv;
mod log;
pub(crate) mod metrics;
mod publish;
mod random;
mod topics;

use wasmtime::component::{HasSelf, Linker};

use crate::bindings::imports;
use crate::guest::Guest;

/// Offers every interface of the contract to components.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    fn guest(guest: &mut Guest) -> &mut Guest {
        guest
    }
    imports::log::add_to_linker::<_, HasSelf<_>>(linker, guest)?;
    imports::clients::add_to_linker::<_, HasSelf<_>>(linker, guest)?;
    imports::publish::add_to_linker::<_, HasSelf<_>>(linker, guest)?;
    imports::kv::add_to_linker::<_, HasSelf<_>>(linker, guest)?;
    imports::metrics::add_to_linker::<_, HasSelf<_>>(linker, guest)?;
    imports::clock::add_to_linker::<_, HasSelf<_>>(linker, guest)?;
    imports::random::add_to_linker::<_, HasSelf<_>>(linker, guest)?;
    imports::topics::add_to_linker::<_, HasSelf<_>>(linker, guest)
}
