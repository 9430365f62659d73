//! Enhanced authentication: challenges and answers. [MQTT-4.12.0]

use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use hookwire_protocol::ConnectReason;

use crate::{Chain, Credentials, Denial, Failure, Grant, Hook, OnFailure, Plugin};

/// One plugin's answer to a step of an exchange.
#[derive(Debug, Clone)]
pub enum EnhancedStep {
    /// Not its method.
    Next,
    /// The client has to answer this.
    Challenge {
        /// For the client.
        data: Bytes,
        /// For the plugin, with the client's answer. It never leaves the broker: a client that could choose it could
        /// choose what it is asked.
        state: Vec<u8>,
    },
    /// Admitted.
    Allow {
        /// What it may be and do.
        grant: Box<Grant>,
        /// For the client, with the good news.
        data: Option<Bytes>,
    },
    /// Refused.
    Deny(Denial),
}

/// What came of one step of an exchange.
#[derive(Debug)]
pub enum EnhancedOutcome {
    /// The client has to answer this, and then the exchange goes on.
    Challenge(Bytes, Exchange),
    /// Admitted, with data for the client.
    Allow(Box<Grant>, Option<Bytes>),
    /// Refused.
    Deny(Denial),
}

/// An exchange that waits for the client's answer. It belongs to the plugin that began it, in the chain that was then in
/// force: nobody else could make sense of its state, so a reload in between changes nothing for it.
pub struct Exchange {
    plugin: Arc<dyn Plugin>,
    method: ByteString,
    state: Vec<u8>,
}

impl std::fmt::Debug for Exchange {
    /// Without the state, which may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange")
            .field("plugin", &self.plugin.name())
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

impl Exchange {
    /// Puts the client's answer to the plugin.
    pub async fn proceed(self, data: Option<Bytes>) -> EnhancedOutcome {
        let plugin = Arc::clone(&self.plugin);
        let answer = plugin
            .continue_authentication(self.method.clone(), data, self.state)
            .await;
        // Whatever a failure means elsewhere: here nobody else can go on.
        answer.map_or_else(
            |_| unavailable(),
            |step| outcome(step, &self.plugin, &self.method).unwrap_or_else(bad_method),
        )
    }
}

impl Chain {
    /// Begins an exchange with the first plugin that knows the method.
    pub async fn begin_authentication(
        &self,
        method: &ByteString,
        data: Option<Bytes>,
        who: &Arc<Credentials>,
    ) -> EnhancedOutcome {
        for plugin in self.asked(Hook::AuthenticateEnhanced) {
            let step: Result<_, Failure> = Arc::clone(plugin)
                .begin_authentication(method.clone(), data.clone(), Arc::clone(who))
                .await;
            match step {
                Ok(step) => {
                    if let Some(outcome) = outcome(step, plugin, method) {
                        return outcome;
                    }
                }
                Err(_) => match plugin.on_failure(Hook::AuthenticateEnhanced) {
                    OnFailure::Pass => {}
                    OnFailure::Deny | OnFailure::Disconnect => return unavailable(),
                },
            }
        }
        bad_method()
    }
}

/// None: the plugin leaves the method to others.
fn outcome(step: EnhancedStep, plugin: &Arc<dyn Plugin>, method: &ByteString) -> Option<EnhancedOutcome> {
    match step {
        EnhancedStep::Next => None,
        EnhancedStep::Challenge { data, state } => Some(EnhancedOutcome::Challenge(
            data,
            Exchange {
                plugin: Arc::clone(plugin),
                method: method.clone(),
                state,
            },
        )),
        EnhancedStep::Allow { grant, data } => Some(EnhancedOutcome::Allow(grant, data)),
        EnhancedStep::Deny(denial) => Some(EnhancedOutcome::Deny(denial)),
    }
}

/// [MQTT-4.12.0-1]
fn bad_method() -> EnhancedOutcome {
    EnhancedOutcome::Deny(Denial::new(ConnectReason::BadAuthenticationMethod))
}

fn unavailable() -> EnhancedOutcome {
    EnhancedOutcome::Deny(Denial::new(ConnectReason::ServerUnavailable))
}
