//! Chains of plugins, and the messages that they are asked about.

use std::sync::Arc;

use hookwire_hooks::{Chain, Defaults, NoHost, Plugin, Publication};
use hookwire_plugin_host::{HostLimits, PluginHost, PluginSource, PluginSpec};
use hookwire_protocol::QoS;
use hookwire_tests::guest;

use crate::clients::message;

/// Messages that the broker judges in one go under load; at the most it is twice as many.
pub const RUN: usize = 128;

/// A plugin host that plugins are loaded into.
pub struct Policies {
    host: PluginHost,
}

impl Policies {
    /// The engine, and no plugin yet.
    pub fn start() -> Self {
        let host = PluginHost::new(HostLimits::default(), Arc::new(NoHost)).expect("the engine starts");
        Self { host }
    }

    /// So many plugins of one guest.
    pub fn chain(&self, name: &str, plugins: usize, change: impl Fn(&mut PluginSpec)) -> Chain {
        let plugins = (0..plugins)
            .map(|index| {
                let mut spec = PluginSpec::new(format!("{name}-{index}"), PluginSource::Path(guest(name)));
                change(&mut spec);
                self.host.load(&spec).expect("it loads") as Arc<dyn Plugin>
            })
            .collect();
        Chain::new(1, plugins, Defaults::default())
    }
}

/// A run of messages as they come to the chain.
pub fn run(length: usize, payload: usize) -> Vec<Publication> {
    let message = message(QoS::AtMostOnce, payload);
    (0..length).map(|_| Publication::new(message.clone())).collect()
}
