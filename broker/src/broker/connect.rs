//! Admitting a client: authentication, rights, terms, and the session it gets.

use std::sync::Arc;
use std::time::Instant;

use bytestring::ByteString;
use hookwire_hooks::{
    Access, AccessDecision, Action, AuthenticationOutcome, ClientFacts, ClientKey, Credentials, Denial,
    EventKind, Grant, Hook, WillCause,
};
use hookwire_protocol::{Connect, ConnectReason, DisconnectReason, SharedFilter, Version};
use tokio::task::spawn_blocking;

use super::access::{self, AccessMemo};
use super::client::{Client, Standing};
use super::registry::ById;
use super::{Broker, Rights};
use crate::clock;
use crate::router::Subscriber;
use crate::session::{Admission, Closure, Ending, Identity, KeepAlive, Link, Refusal, Session};

/// Where a client came in.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Remote address and port.
    pub address: String,
    /// Name of the listener.
    pub listener: String,
    /// Whether the listener admits clients about whom no plugin decides, where none authenticates and where
    /// one does.
    pub admits_anonymous: Admits,
}

/// A listener's rule for clients about whom no plugin decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admits {
    /// While no plugin authenticates.
    pub without_authenticator: bool,
    /// While one does.
    pub with_authenticator: bool,
}

/// A connection that has begun.
#[derive(Debug)]
pub struct Connected {
    /// The connection.
    pub key: ClientKey,
    /// Its session.
    pub client: Arc<Client>,
    /// How the session reaches the connection's task.
    pub link: Arc<Link>,
    /// What it may do.
    pub rights: Arc<Rights>,
    /// Its keep alive.
    pub keep_alive: KeepAlive,
    /// When its admission ends.
    pub expires_at: Option<Instant>,
    /// Largest packet accepted from it.
    pub packet_bytes_max: usize,
    /// Bytes that may wait to be written to it.
    pub outbox_bytes_max: usize,
}

impl Broker {
    /// Admits a client or refuses it. Waits for the authenticating plugins, and for the end of a fight.
    ///
    /// # Errors
    /// What the CONNACK has to say.
    pub async fn connect(&self, connect: Connect, arrival: Arrival) -> Result<Connected, Denial> {
        self.connect_by(clock::now, connect, arrival).await
    }

    /// The same on a clock of the caller's: it is looked at once there is nothing left to wait for.
    ///
    /// # Errors
    /// What the CONNACK has to say.
    pub async fn connect_by(
        &self,
        clock: impl Fn() -> Instant,
        connect: Connect,
        arrival: Arrival,
    ) -> Result<Connected, Denial> {
        let settings = self.settings().clone();
        let assign = || {
            ByteString::from(format!(
                "hookwire-{:016x}{:08x}",
                fastrand_u64(),
                self.fresh_key().0
            ))
        };
        let identity = Identity::of(&connect, settings.limits.client_id_bytes_max, assign)?;
        let grant = self.authenticate(&connect, &arrival).await?;
        let identity = match &grant.client_id {
            Some(client_id) => Identity {
                client_id: client_id.clone(),
                is_assigned: true,
            },
            None => identity,
        };
        let key = self.fresh_key();
        let mut admission = Admission::settle(
            key,
            &connect,
            &identity,
            &grant,
            &settings.limits,
            &settings.session,
        )?;
        let username = grant.username.clone().or_else(|| connect.username.clone());
        let rights = Rights::of(&grant, &identity.client_id, username.as_deref()).map_err(|filter| {
            tracing::warn!(%filter, "a plugin granted a rule whose topic filter is not valid");
            Denial::new(ConnectReason::ImplementationSpecific)
        })?;
        let standing = Standing {
            rights: Arc::new(rights),
            facts: Arc::new(ClientFacts {
                key,
                client_id: identity.client_id.clone(),
                username,
                address: arrival.address,
                listener: arrival.listener,
                version: connect.version,
                connected_at_ms: clock::unix_ms(),
                attributes: grant.attributes.clone(),
            }),
        };
        self.wait_out_fight(&identity.client_id).await;
        let now = clock();
        let expires_at = grant.expires_in.map(|left| now + left);
        let keep_alive_secs = admission.keep_alive_secs;
        let packet_bytes_max = grant
            .max_packet_size
            .map_or(settings.limits.decode.packet_bytes_max, |max| {
                usize::try_from(max).unwrap_or(usize::MAX)
            });
        let (client, link) = self.open(now, &connect, &standing, &mut admission)?;
        self.emit(key, &identity.client_id, || EventKind::Connected {
            username: standing.facts.username.clone(),
            address: standing.facts.address.clone(),
            version: connect.version,
            clean_start: connect.clean_start,
            keep_alive_secs,
        });
        Ok(Connected {
            key,
            client,
            link,
            rights: standing.rights,
            keep_alive: KeepAlive::new(keep_alive_secs, now),
            expires_at,
            packet_bytes_max,
            outbox_bytes_max: settings.limits.outbox_bytes_max,
        })
    }

    /// Asks the authenticating plugins, on a thread that may wait, so many at a time.
    async fn authenticate(&self, connect: &Connect, arrival: &Arrival) -> Result<Box<Grant>, Denial> {
        let chain = self.0.chain.load_full();
        if !chain.has(Hook::Authenticate) {
            return anonymous(arrival.admits_anonymous.without_authenticator);
        }
        let credentials = Credentials {
            client_id: connect.client_id.clone(),
            username: connect.username.clone(),
            password: connect.password.clone(),
            address: arrival.address.clone(),
            listener: arrival.listener.clone(),
            version: connect.version,
            clean_start: connect.clean_start,
            user_properties: connect.properties.user_properties.clone(),
        };
        let unavailable = || Denial::new(ConnectReason::ServerUnavailable);
        let asking = async {
            let _permit = self
                .0
                .authentications
                .acquire()
                .await
                .map_err(|_| unavailable())?;
            spawn_blocking(move || chain.authenticate(&credentials))
                .await
                .map_err(|_| unavailable())
        };
        let limit = self.settings().limits.connect_timeout;
        let outcome = tokio::time::timeout(limit, asking).await;
        match outcome.map_err(|_| Denial::new(ConnectReason::ServerBusy))?? {
            AuthenticationOutcome::Allow(grant) => Ok(grant),
            AuthenticationOutcome::Deny(denial) => Err(denial),
            AuthenticationOutcome::Undecided => anonymous(arrival.admits_anonymous.with_authenticator),
        }
    }

    /// Slows a client down that is about to throw out another for the n-th time.
    async fn wait_out_fight(&self, client_id: &ByteString) {
        let is_taken = self
            .0
            .registry
            .lock()
            .get(client_id)
            .is_some_and(Subscriber::is_online);
        if is_taken {
            let settings = self.settings().clone();
            let wait = self
                .0
                .fights
                .takeover(client_id, clock::now(), &settings.takeover);
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
        }
    }

    /// Gives the connection its session: the kept one, or a new one. Connects with one client id are in order
    /// here; the last one wins.
    fn open(
        &self,
        now: Instant,
        connect: &Connect,
        standing: &Standing,
        admission: &mut Admission,
    ) -> Result<(Arc<Client>, Arc<Link>), Denial> {
        self.authorize_will(now, standing, admission)?;
        let client_id = &standing.facts.client_id;
        let mut by_id = self.0.registry.lock();
        let kept = by_id.get(client_id).cloned();
        let is_foreign = |client: &Arc<Client>| client.standing().facts.username != standing.facts.username;
        if kept.as_ref().is_some_and(is_foreign) && !self.settings().session.shared_client_ids {
            return Err(Denial {
                text: Some(FOREIGN),
                ..Denial::new(ConnectReason::NotAuthorized)
            });
        }
        if kept.is_none() && by_id.len() >= self.settings().session.sessions_max {
            return Err(Denial {
                text: Some(FULL),
                ..Denial::new(ConnectReason::QuotaExceeded)
            });
        }
        let taken_over = kept
            .as_ref()
            .and_then(|client| self.take_over(now, client, connect.clean_start));
        let resumed = kept
            .clone()
            .filter(|_| !connect.clean_start && taken_over.as_ref().is_none_or(|over| over.is_kept));
        if resumed.is_none()
            && let Some(ended) = &kept
        {
            self.end_session(&mut by_id, ended);
        }
        // [MQTT-3.2.2-2], [MQTT-3.2.2-3]
        admission.connack.session_present = resumed.is_some() && connect.version != Version::V3_1;
        let (client, link) = match &resumed {
            Some(client) => (Arc::clone(client), self.resume(now, client, standing, admission)),
            None => self.create(now, &mut by_id, standing, admission),
        };
        drop(by_id);
        self.recall_will(now, client_id, resumed.is_none());
        if let Some(over) = taken_over
            && let Some(will) = over.will
        {
            self.leave_will(now, self.0.registry.lock(), will, over.standing);
        }
        Ok((client, link))
    }

    /// A will that its client may not publish is refused at once. It is looked at again when it fires.
    fn authorize_will(&self, now: Instant, standing: &Standing, admission: &Admission) -> Result<(), Denial> {
        let Some(will) = &admission.terms.will else {
            return Ok(());
        };
        let topic = will.topic().as_str();
        let asked = Access {
            client: standing.facts.key,
            action: Action::Will,
            topic,
            qos: will.qos(),
            retain: will.retain(),
        };
        if access::is_reserved(topic) {
            return Err(Denial::new(ConnectReason::NotAuthorized));
        }
        // Policies look the client up by its key, and it has no session yet.
        self.0
            .sessionless
            .write()
            .insert(standing.facts.key, Arc::clone(&standing.facts));
        let decision = access::decide(
            &self.chain(),
            &standing.rights,
            &mut AccessMemo::default(),
            &asked,
            now,
        );
        self.0.sessionless.write().remove(&standing.facts.key);
        match decision {
            AccessDecision::Allow => Ok(()),
            AccessDecision::Next => Err(Denial::new(ConnectReason::NotAuthorized)),
            AccessDecision::Deny(text) | AccessDecision::Disconnect(text) => Err(Denial {
                text,
                ..Denial::new(ConnectReason::NotAuthorized)
            }),
        }
    }

    /// The old connection is closed with 0x8E. [MQTT-3.1.4-3]
    fn take_over(&self, now: Instant, client: &Arc<Client>, clean_start: bool) -> Option<TakenOver> {
        let mut session = client.session();
        let link = Arc::clone(session.link()?);
        let key = session.terms().key;
        link.close(Closure {
            reason: DisconnectReason::SessionTakenOver,
            text: None,
            cause: WillCause::TakenOver,
        });
        let detached = session.detach(
            now,
            &Ending {
                will_cause: Some(WillCause::TakenOver),
                expiry: None,
            },
        );
        client.set_online(false);
        drop(session);
        let standing = client.standing();
        self.emit(key, &standing.facts.client_id, || EventKind::SessionTakenOver);
        // [MQTT-3.1.3-9]: a will with a delay is not sent when the session goes on.
        let is_kept = !detached.expires_in.is_zero();
        let goes_on = is_kept && !clean_start;
        let will = detached.will.filter(|will| !(goes_on && will.due_at > now));
        let will = will.map(|will| crate::session::DueWill { due_at: now, ..will });
        Some(TakenOver {
            will,
            standing,
            is_kept,
        })
    }

    fn resume(
        &self,
        now: Instant,
        client: &Arc<Client>,
        standing: &Standing,
        admission: &Admission,
    ) -> Arc<Link> {
        let old = client.key();
        client.stand(standing.clone());
        self.0.registry.rekey(Some(old), standing.facts.key, client);
        let link = client
            .session()
            .attach(now, admission.terms.clone(), &admission.connack);
        client.set_online(true);
        self.emit(standing.facts.key, &standing.facts.client_id, || {
            EventKind::SessionResumed
        });
        link
    }

    fn create(
        &self,
        now: Instant,
        by_id: &mut ById<'_>,
        standing: &Standing,
        admission: &Admission,
    ) -> (Arc<Client>, Arc<Link>) {
        let client_id = standing.facts.client_id.clone();
        let mut session = Session::new(client_id.clone(), admission.terms.clone());
        let link = session.attach(now, admission.terms.clone(), &admission.connack);
        let id = self
            .0
            .next_session
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let client = Arc::new(Client::new(id, session, standing.clone()));
        client.set_online(true);
        by_id.insert(client_id.clone(), Arc::clone(&client));
        self.0.registry.rekey(None, standing.facts.key, &client);
        self.emit(standing.facts.key, &client_id, || EventKind::SessionCreated);
        (client, link)
    }

    /// Takes a session out of everything that knows it.
    pub(super) fn end_session(&self, by_id: &mut ById<'_>, client: &Arc<Client>) {
        let mut session = client.session();
        let client_id = session.client_id().clone();
        let filters: Vec<ByteString> = session
            .subscriptions()
            .map(|(filter, _)| filter.clone())
            .collect();
        session.end();
        drop(session);
        if by_id
            .get(&client_id)
            .is_some_and(|other| Arc::ptr_eq(other, client))
        {
            by_id.remove(&client_id);
        }
        self.0.registry.forget_key(client.key());
        for filter in filters {
            if let Ok(filter) = SharedFilter::parse(filter) {
                self.0.router.unsubscribe(&filter, client.id());
            }
        }
    }
}

/// What is left of a connection that was taken over.
struct TakenOver {
    will: Option<crate::session::DueWill>,
    standing: Standing,
    is_kept: bool,
}

const FOREIGN: ByteString = ByteString::from_static("the client id belongs to another user");
const FULL: ByteString = ByteString::from_static("too many sessions");

fn anonymous(admitted: bool) -> Result<Box<Grant>, Denial> {
    if admitted {
        Ok(Box::default())
    } else {
        Err(Denial::new(ConnectReason::NotAuthorized))
    }
}

/// Unpredictable enough for a name that must not be guessed.
fn fastrand_u64() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
}

impl From<Refusal> for Denial {
    fn from(refusal: Refusal) -> Self {
        Self {
            text: Some(ByteString::from_static(refusal.text)),
            ..Self::new(refusal.reason)
        }
    }
}
