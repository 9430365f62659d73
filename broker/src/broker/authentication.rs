//! Enhanced authentication: an exchange of challenges and answers in the place of a password, at CONNECT and
//! again on a live connection. [MQTT-4.12.0]

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use bytestring::ByteString;
use hookwire_hooks::{Credentials, Denial, EnhancedOutcome, Exchange, Grant};
use hookwire_protocol::{ConnackProperties, ConnectReason, DisconnectReason};

use super::client::Standing;
use super::{Broker, Connected, Rights, Stop};
use crate::metrics::Limit;

/// The client's side of an exchange before its CONNACK.
pub trait Dialogue: Send {
    /// Sends a challenge and waits for the answer.
    ///
    /// # Errors
    /// There is none, or not the one that had to come.
    fn challenge(
        &mut self,
        method: &ByteString,
        data: Bytes,
    ) -> impl Future<Output = Result<Option<Bytes>, Denial>> + Send;
}

/// How a client was found to be who it says, if not by its word at CONNECT.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// The method of the whole connection. [MQTT-4.12.0-5]
    pub method: ByteString,
    /// What it said of itself.
    pub credentials: Arc<Credentials>,
}

/// A client that was let in by an exchange.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) grant: Box<Grant>,
    data: Option<Bytes>,
    method: Option<ByteString>,
}

impl Proof {
    /// Of a client that named no method.
    pub(super) fn plain(grant: Box<Grant>) -> Self {
        Self {
            grant,
            data: None,
            method: None,
        }
    }

    /// The CONNACK repeats the method, and carries the last data. [MQTT-4.12.0-5], [MQTT-4.12.0-6]
    pub(super) fn announce(&self, properties: &mut ConnackProperties) {
        properties.authentication_method.clone_from(&self.method);
        properties.authentication_data.clone_from(&self.data);
    }

    pub(super) fn enrolment(&self, credentials: impl FnOnce() -> Credentials) -> Option<Box<Enrolment>> {
        let method = self.method.clone()?;
        Some(Box::new(Enrolment {
            method,
            credentials: Arc::new(credentials()),
        }))
    }
}

impl Broker {
    /// Sees an exchange through, from the CONNECT to its end.
    pub(super) async fn prove(
        &self,
        method: ByteString,
        data: Option<Bytes>,
        credentials: Credentials,
        dialogue: &mut impl Dialogue,
    ) -> Result<Proof, Denial> {
        let rounds_max = self.settings().limits.authentication_rounds_max;
        let enrolment = Enrolment {
            method: method.clone(),
            credentials: Arc::new(credentials),
        };
        let mut outcome = self.begin_authentication(&enrolment, data).await;
        let mut rounds = 0;
        loop {
            outcome = match outcome {
                EnhancedOutcome::Allow(grant, data) => {
                    return Ok(Proof {
                        grant,
                        data,
                        method: Some(method),
                    });
                }
                EnhancedOutcome::Deny(denial) => return Err(denial),
                EnhancedOutcome::Challenge(..) if rounds >= rounds_max => {
                    return Err(self.too_many_rounds());
                }
                EnhancedOutcome::Challenge(challenge, exchange) => {
                    rounds += 1;
                    let answer = dialogue.challenge(&method, challenge).await?;
                    self.continue_authentication(exchange, answer).await
                }
            };
        }
    }

    /// Puts the first data of an exchange to the plugins.
    pub fn begin_authentication(
        &self,
        enrolment: &Enrolment,
        data: Option<Bytes>,
    ) -> impl Future<Output = EnhancedOutcome> + Send + use<> {
        let Enrolment { method, credentials } = enrolment.clone();
        let chain = self.0.chain.load_full();
        self.ask(async move { chain.begin_authentication(&method, data, &credentials).await })
    }

    /// Puts an answer of the client to the plugin that asked.
    pub fn continue_authentication(
        &self,
        exchange: Exchange,
        data: Option<Bytes>,
    ) -> impl Future<Output = EnhancedOutcome> + Send + use<> {
        self.ask(exchange.proceed(data))
    }

    /// Asks, so many at a time. Only the call counts: a client that is slow to answer keeps nobody else from being asked
    /// about.
    fn ask<Q>(&self, question: Q) -> impl Future<Output = EnhancedOutcome> + Send + use<Q>
    where
        Q: Future<Output = EnhancedOutcome> + Send,
    {
        let broker = self.clone();
        async move {
            broker
                .with_authentication_permit(question)
                .await
                .unwrap_or_else(EnhancedOutcome::Deny)
        }
    }

    /// Waits for a place among those that plugins are deciding about, and then for their decision.
    ///
    /// # Errors
    /// It takes longer than a client is given to connect.
    pub(super) async fn with_authentication_permit<F: Future>(
        &self,
        question: F,
    ) -> Result<F::Output, Denial> {
        let limit = self.settings().limits.connect_timeout;
        let asking = async {
            let unavailable = |_| Denial::new(ConnectReason::ServerUnavailable);
            let _permit = self.0.authentications.acquire().await.map_err(unavailable)?;
            Ok(question.await)
        };
        tokio::time::timeout(limit, asking)
            .await
            .unwrap_or_else(|_| Err(Denial::new(ConnectReason::ServerBusy)))
    }

    /// A client has authenticated again: the rights and the end of its admission are those of the new grant. What was
    /// settled with its CONNACK, and what plugins know of it, stays.
    ///
    /// # Errors
    /// The grant is for somebody else: a session does not change hands on a live connection.
    pub fn renew(&self, connected: &mut Connected, grant: &Grant, now: Instant) -> Result<(), Stop> {
        let facts = Arc::clone(&connected.standing.facts);
        if grant.username.is_some() && grant.username != facts.username {
            return Err(refused(Denial {
                text: Some(ANOTHER_USER),
                ..Denial::new(ConnectReason::NotAuthorized)
            }));
        }
        let rights = Rights::of(grant, &facts.client_id, facts.username.as_deref()).map_err(|filter| {
            tracing::warn!(%filter, "a plugin granted a rule whose topic filter is not valid");
            refused(Denial::new(ConnectReason::ImplementationSpecific))
        })?;
        let standing = Standing {
            rights: rights.into_shared(),
            facts,
        };
        // Under the lock that a takeover holds: after one, the rights are another's to set.
        let by_id = self.0.registry.lock();
        if connected.client.key() == connected.key {
            connected.client.stand(standing.clone());
        }
        drop(by_id);
        connected.standing = standing;
        connected.expires_at = grant.expires_in.map(|left| now + left);
        Ok(())
    }
}

const ANOTHER_USER: ByteString = ByteString::from_static("re-authenticated as another user");
const TOO_MANY_ROUNDS: ByteString = ByteString::from_static("too many rounds of authentication");

impl Broker {
    /// The client answers and answers.
    pub fn too_many_rounds(&self) -> Denial {
        self.metrics().limits.reached(Limit::AuthenticationRoundsMax);
        Denial {
            text: Some(TOO_MANY_ROUNDS),
            ..Denial::new(ConnectReason::QuotaExceeded)
        }
    }
}

/// A refusal on a live connection closes it. [MQTT-4.12.1-2]
pub fn refused(denial: Denial) -> Stop {
    Stop::Policy {
        reason: disconnect_reason(denial.reason),
        text: denial.text,
    }
}

/// The nearest reason that a DISCONNECT has.
fn disconnect_reason(reason: ConnectReason) -> DisconnectReason {
    match reason {
        ConnectReason::Unspecified => DisconnectReason::Unspecified,
        ConnectReason::ProtocolError => DisconnectReason::ProtocolError,
        ConnectReason::ImplementationSpecific => DisconnectReason::ImplementationSpecific,
        ConnectReason::ServerBusy => DisconnectReason::ServerBusy,
        ConnectReason::BadAuthenticationMethod => DisconnectReason::BadAuthenticationMethod,
        ConnectReason::QuotaExceeded => DisconnectReason::QuotaExceeded,
        ConnectReason::UseAnotherServer => DisconnectReason::UseAnotherServer,
        ConnectReason::ServerMoved => DisconnectReason::ServerMoved,
        ConnectReason::ConnectionRateExceeded => DisconnectReason::ConnectionRateExceeded,
        _ => DisconnectReason::NotAuthorized,
    }
}
