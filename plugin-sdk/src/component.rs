//! Between the generated bindings and a plugin: one instance of the component holds one plugin.

use std::cell::OnceCell;

use crate::bindings::lifecycle::exports::hookwire::plugin::lifecycle::{Guest, Interests, Problem};
use crate::plugin::Plugin;
use crate::problem::read_config;

/// Where [`export!`](crate::export!) keeps the plugin.
pub trait Component: 'static {
    /// What is kept.
    type Plugin: Plugin;

    /// Lends the place to a function.
    fn with_cell<R>(use_cell: impl FnOnce(&OnceCell<Self::Plugin>) -> R) -> R;
}

/// Lends the plugin to a function.
///
/// # Panics
/// Before `configure` succeeded. The broker calls it on every instance before anything else.
#[inline]
pub(crate) fn with_plugin<C: Component, R>(use_plugin: impl FnOnce(&C::Plugin) -> R) -> R {
    C::with_cell(|cell| use_plugin(cell.get().expect("the broker calls `configure` first")))
}

/// Makes a plugin from its `config` table in JSON.
pub(crate) fn make_plugin<P: Plugin>(config: &str) -> Result<P, Vec<Problem>> {
    let config = read_config(config).map_err(|problem| vec![problem])?;
    P::new(config).map_err(|problems| problems.0)
}

impl<C: Component> Guest for C {
    fn configure(config: String) -> Result<Interests, Vec<Problem>> {
        let plugin = make_plugin::<C::Plugin>(&config)?;
        let interests = plugin.interests();
        C::with_cell(|cell| cell.set(plugin))
            .map_err(|_| vec![Problem::at("", "this instance is configured already")])?;
        Ok(interests)
    }

    fn health() -> Result<(), String> {
        with_plugin::<C, _>(Plugin::health)
    }

    fn tick() {
        with_plugin::<C, _>(Plugin::tick);
    }

    fn stop() {
        with_plugin::<C, _>(Plugin::stop);
    }
}
