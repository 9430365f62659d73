//! What all instances of one plugin have in common.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use hookwire_hooks::{Host, PluginPublish};

use crate::executor::Executor;
use crate::host::metrics::Metrics;
use crate::http::Http;
use crate::journal::Journal;
use crate::kv::Kv;
use crate::rate_limit::Buckets;
use crate::spectator::Spectator;
use crate::stats::Counters;
use crate::ticker::Ticker;
use crate::{Grants, HostLimits, LoadError, Powers, clock, random};

/// The part of a [`PluginHost`](crate::PluginHost) that its plugins keep alive.
pub(crate) struct Foundation {
    pub(crate) limits: HostLimits,
    pub(crate) broker: Arc<dyn Host>,
    pub(crate) ticker: Arc<Ticker>,
    pub(crate) executor: Arc<Executor>,
}

impl Foundation {
    /// The same for shadows: what they do has no effect on the broker.
    pub(crate) fn for_shadows(&self) -> Self {
        Self {
            limits: self.limits.clone(),
            broker: Arc::new(Spectator(self.broker.clone())),
            ticker: self.ticker.clone(),
            executor: self.executor.clone(),
        }
    }
}

/// What a plugin has by its name alone: a reload does not touch it.
#[derive(Default)]
pub(crate) struct Lasting {
    pub(crate) kv: Kv,
    pub(crate) metrics: Metrics,
    pub(crate) buckets: Buckets,
}

/// What the host interfaces of one plugin work with.
pub(crate) struct Services {
    pub(crate) name: Arc<str>,
    pub(crate) grants: Grants,
    /// What its answers may do.
    pub(crate) may: Powers,
    /// What the plugin says.
    pub(crate) journal: Journal,
    /// What the broker says about it; the plugin cannot drown it.
    pub(crate) incidents: Journal,
    pub(crate) counters: Counters,
    pub(crate) lasting: Arc<Lasting>,
    /// Where it is granted.
    pub(crate) http: Option<Arc<Http>>,
    pub(crate) foundation: Arc<Foundation>,
}

impl Services {
    pub(crate) fn new(
        name: &str,
        grants: Grants,
        lasting: Arc<Lasting>,
        foundation: Arc<Foundation>,
    ) -> Result<Self, LoadError> {
        let name: Arc<str> = name.into();
        if grants.kv_durable {
            let kept = lasting.kv.keep_with(&name, &foundation.broker);
            kept.map_err(|unread| LoadError::KvUnread {
                reason: unread.to_string(),
            })?;
        }
        Ok(Self {
            journal: Journal::of_plugin(name.clone(), &foundation.limits),
            incidents: Journal::of_incidents(name.clone(), &foundation.limits),
            name,
            grants,
            may: Powers::ALL,
            counters: Counters::default(),
            lasting,
            http: None,
            foundation,
        })
    }

    pub(crate) fn with_may(self, may: Powers) -> Self {
        Self { may, ..self }
    }

    pub(crate) fn with_http(self, http: Option<Arc<Http>>) -> Self {
        Self { http, ..self }
    }

    pub(crate) fn limits(&self) -> &HostLimits {
        &self.foundation.limits
    }

    /// Time since 1970-01-01 UTC, as plugins see it.
    pub(crate) fn unix(&self) -> Duration {
        let around = self.foundation.broker.surroundings();
        around.map_or_else(clock::unix, |around| around.unix())
    }

    /// Time since some moment, as plugins see it.
    pub(crate) fn monotonic(&self) -> Duration {
        let around = self.foundation.broker.surroundings();
        around.map_or_else(clock::monotonic, |around| around.monotonic())
    }

    /// The moment by which the end of stored values is reckoned.
    pub(crate) fn now(&self) -> Instant {
        let around = self.foundation.broker.surroundings();
        around.map_or_else(clock::now, |around| clock::start() + around.monotonic())
    }

    /// Random bytes for the plugin.
    pub(crate) fn random_bytes(&self, length: usize) -> wasmtime::Result<Vec<u8>> {
        let Some(around) = self.foundation.broker.surroundings() else {
            return random::bytes(length);
        };
        let mut bytes = vec![0; length];
        around.random(&mut bytes);
        Ok(bytes)
    }

    /// A random number for the plugin.
    pub(crate) fn random_number(&self) -> wasmtime::Result<u64> {
        let Some(around) = self.foundation.broker.surroundings() else {
            return random::number();
        };
        let mut bytes = [0; 8];
        around.random(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    /// Hands over what a call published, now that its answer is known to be good.
    pub(crate) fn publish(&self, messages: Vec<PluginPublish>) {
        if messages.is_empty() {
            return;
        }
        let count = messages.len() as u64;
        let queued = self.foundation.broker.publish(messages);
        let counter = if queued {
            &self.counters.publishes
        } else {
            &self.counters.publishes_dropped
        };
        counter.fetch_add(count, Relaxed);
    }
}
