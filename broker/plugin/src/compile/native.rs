//! The one place where bytes become machine code.
//!
//! wasmtime calls it unsafe, since it cannot tell code that it compiled from code that somebody made up. The type
//! [`Artefact`] is what makes it safe here: there are three ways to one, and each knows where its bytes come from.
#![allow(
    unsafe_code,
    reason = "loading compiled code is unsafe by nature; all of it is in this file"
)]

use wasmtime::Engine;
use wasmtime::component::Component;

/// Code that this broker's own compiler made, for an engine like this one.
pub(crate) struct Artefact(Vec<u8>);

impl Artefact {
    /// Compiles, here and now.
    pub(super) fn compile(engine: &Engine, component: &[u8]) -> wasmtime::Result<Self> {
        engine.precompile_component(component).map(Self)
    }

    /// What a process wrote into a pipe that we opened for it. It runs this very program, and it has said for which
    /// engine and which component it compiled.
    pub(super) fn of_child(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// What came out of our own folder, under our own seal.
    pub(crate) fn of_seal(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Makes a component of it.
pub(super) fn load(engine: &Engine, artefact: Artefact) -> wasmtime::Result<Component> {
    // SAFETY: `deserialize` wants bytes that `precompile_component` made and nobody changed. Every `Artefact` is that: it
    // was made in this process, or read from the pipe of a child of ours that runs the same program, or read from a
    // file whose MAC, under a key that only our user can read, was right. Whether it was made for an engine like this
    // one is checked by wasmtime once more. The bytes are copied, so nobody can change them afterwards.
    unsafe { Component::deserialize(engine, artefact.bytes()) }
}
