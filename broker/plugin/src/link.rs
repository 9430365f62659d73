//! Components and the functions of the host that they import.

use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use crate::blueprint::Linked;
use crate::check::Surface;
use crate::guest::Guest;
use crate::instance::ExportIndices;
use crate::{LoadError, host, wasi};

/// Everything that any component may import, in two kinds that differ in the functions that wait. Which component may
/// import what was checked before it gets here.
pub(crate) struct Linkers {
    /// In it they fail at once, so that a call needs no stack of its own.
    quick: Linker<Guest>,
    slow: Linker<Guest>,
}

impl Linkers {
    pub(crate) fn new(engine: &Engine) -> wasmtime::Result<Self> {
        let mut quick = Linker::new(engine);
        host::add_to_linker(&mut quick)?;
        wasi::add_to_linker(&mut quick)?;
        let mut slow = quick.clone();
        host::add_refusing(&mut quick)?;
        host::add_waiting(&mut slow)?;
        Ok(Self { quick, slow })
    }

    /// For calls that keep their thread.
    pub(crate) fn link_quick(&self, component: &Component, surface: &Surface) -> Result<Linked, LoadError> {
        link(&self.quick, false, component, surface)
    }

    /// For calls that may wait.
    pub(crate) fn link_slow(&self, component: &Component, surface: &Surface) -> Result<Linked, LoadError> {
        link(&self.slow, surface.waits(), component, surface)
    }
}

fn link(
    linker: &Linker<Guest>,
    needs_fiber: bool,
    component: &Component,
    surface: &Surface,
) -> Result<Linked, LoadError> {
    let pre = linker.instantiate_pre(component).map_err(|error| {
        let reason = format!("{error:#}");
        // All imports are known by name, so what is left is a difference in type.
        let interface = surface.imports.iter().find(|name| reason.contains(name.as_str()));
        LoadError::WrongType {
            interface: interface.map_or("an import", String::as_str).into(),
            reason,
        }
    })?;
    Ok(Linked {
        exports: ExportIndices::new(&pre, |interface| surface.has(interface))?,
        pre,
        needs_fiber,
    })
}
