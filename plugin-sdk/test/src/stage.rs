//! Where a component is put to the test: the broker's own host, and a broker that is none.

use std::path::Path;
use std::sync::Arc;

use hookwire_hooks::{Host, Plugin};
use hookwire_plugin_host::recording::{Exchange, NotAQuestion};
use hookwire_plugin_host::{
    EngineError, Grants, HostSettings, LoadError, LoadedPlugin, Mode, PluginHost, PluginSource, PluginSpec,
};

use crate::{Question, TestBroker};

/// The host with its limits, and the broker that plugins see.
#[derive(Debug)]
pub struct Stage {
    host: PluginHost,
    broker: Arc<TestBroker>,
}

impl Stage {
    /// An empty stage with the limits that a broker has. Components are compiled by a thread of this process.
    ///
    /// # Errors
    /// The WebAssembly engine cannot be set up on this machine.
    pub fn new() -> Result<Self, EngineError> {
        Self::with(HostSettings::default())
    }

    /// An empty stage.
    ///
    /// # Errors
    /// The WebAssembly engine cannot be set up on this machine.
    pub fn with(settings: HostSettings) -> Result<Self, EngineError> {
        let broker = Arc::new(TestBroker::default());
        let host = PluginHost::with(settings, Arc::clone(&broker) as Arc<dyn Host>)?;
        Ok(Self { host, broker })
    }

    /// What plugins take for the broker.
    pub fn broker(&self) -> &TestBroker {
        &self.broker
    }

    /// Loads a component as a broker with this entry in its configuration would.
    ///
    /// # Errors
    /// What the broker would say.
    pub fn load(&self, spec: &PluginSpec) -> Result<Actor, LoadError> {
        let mut spec = spec.clone();
        // A case that is meant to fail must not take the plugin away from the next, and an answer has to count.
        spec.breaker.failures = 0;
        spec.mode = Mode::Enforce;
        self.host.load(&spec).map(Actor)
    }

    /// Loads a component with a configuration, every grant, and all else at its default.
    ///
    /// # Errors
    /// What the broker would say.
    pub fn load_file(&self, file: &Path, config: serde_json::Value) -> Result<Actor, LoadError> {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let mut spec = PluginSpec::new(name, PluginSource::Path(file.to_owned()));
        spec.grants = Grants::everything();
        spec.config = config;
        self.load(&spec)
    }
}

/// A plugin on a stage.
#[derive(Debug)]
pub struct Actor(Arc<LoadedPlugin>);

impl Actor {
    /// Puts a question; the answer in the exchange is not looked at. The exchange returned has the answer given now.
    ///
    /// # Errors
    /// No broker could ask this.
    pub fn ask(&self, exchange: &Exchange) -> Result<Exchange, NotAQuestion> {
        self.put(exchange, true)
    }

    /// The same, without what a recording leaves out when nobody asked for secrets.
    pub(crate) fn ask_redacted(&self, exchange: &Exchange) -> Result<Exchange, NotAQuestion> {
        self.put(exchange, false)
    }

    fn put(&self, exchange: &Exchange, with_secrets: bool) -> Result<Exchange, NotAQuestion> {
        let question = Question::of(exchange)?;
        Ok(question.put(&self.0, |call| Exchange::new(&call, with_secrets)))
    }

    /// Takes its instances away, as the broker may do at any moment: the next question is put to a new one.
    pub fn renew(&self) {
        self.0.renew();
    }

    /// The plugin itself, for what is not a question.
    pub fn plugin(&self) -> &Arc<LoadedPlugin> {
        &self.0
    }

    /// Whether it has the hook that a question is for.
    pub fn has_hook_of(&self, exchange: &Exchange) -> bool {
        self.0.hooks().contains(exchange.hook())
    }
}
