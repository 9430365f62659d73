//! Admitting a client: authentication, rights, terms, and the session it gets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use bytestring::ByteString;
use hookwire_hooks::{
    Access, AccessDecision, Action, AuthenticationOutcome, ClientFacts, ClientKey, Credentials, Denial,
    EventKind, Grant, Hook, WillCause,
};
use hookwire_protocol::{Connect, ConnectReason, SharedFilter, Version};

use super::access;
use super::authentication::{Dialogue, Enrolment, Proof};
use super::client::{Client, Standing};
use super::registry::ById;
use super::{Broker, NOBODY, Rights, Settings};
use crate::clock;
use crate::config::RateSettings;
use crate::metrics::Limit;
use crate::router::Subscriber;
use crate::session::{
    Admission, Closure, Delivered, Ending, Identity, KeepAlive, Link, Refusal, Session, fit_connack,
};

/// Where a client came in.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Remote address and port.
    pub address: SocketAddr,
    /// Name of the listener.
    pub listener: Arc<str>,
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
    /// Its CONNACK, until the connection's task has taken over from the session what is to be written: whoever takes the session over
    /// before that is not the first to speak. [MQTT-3.2.0-1]
    pub greeting: Option<Box<[u8]>>,
    /// Who it is, and what it may do.
    pub standing: Standing,
    /// Its keep alive.
    pub keep_alive: KeepAlive,
    /// When its admission ends.
    pub expires_at: Option<Instant>,
    /// Largest packet accepted from it.
    pub packet_bytes_max: usize,
    /// Largest packet that it takes.
    pub client_packet_bytes_max: usize,
    /// The settings that it was accepted with.
    pub settings: Arc<Settings>,
    /// MQTT version.
    pub version: Version,
    /// How much it may send; `None` where that is not limited.
    pub rate: Option<Box<RateSettings>>,
    /// How it authenticates again; `None` where its CONNECT named no method.
    pub enrolment: Option<Box<Enrolment>>,
}

/// A client that may come in, and has not yet.
#[derive(Debug)]
pub struct Candidate {
    connect: Connect,
    standing: Standing,
    admission: Admission,
    packet_bytes_max: usize,
    expires_in: Option<Duration>,
    rate: Option<Box<RateSettings>>,
    enrolment: Option<Box<Enrolment>>,
    settings: Arc<Settings>,
}

impl Broker {
    /// Admits a client or refuses it. Waits for the authenticating plugins, for the end of a fight, and for the client's last
    /// connection to come to its end.
    ///
    /// # Errors
    /// What the CONNACK has to say.
    pub async fn connect(
        &self,
        connect: Connect,
        arrival: Arrival,
        dialogue: &mut impl Dialogue,
    ) -> Result<Connected, Denial> {
        let candidate = self.admit(connect, arrival, dialogue).await?;
        self.wait_out_fight(&candidate.standing.facts.client_id).await;
        self.let_predecessor_finish(&candidate.standing).await;
        self.enter(clock::now(), candidate)
    }

    /// The first half of [`Broker::connect`]: who the client is, and what it may have.
    ///
    /// # Errors
    /// What the CONNACK has to say.
    pub async fn admit(
        &self,
        connect: Connect,
        arrival: Arrival,
        dialogue: &mut impl Dialogue,
    ) -> Result<Candidate, Denial> {
        let settings = self.settings().clone();
        let identity = Identity::of(&connect, &settings.limits, || self.unused_client_id())
            .map_err(|refusal| self.refused(refusal))?;
        let address = arrival.address.ip();
        self.check_ban(&identity.client_id, connect.username.as_deref(), address)?;
        let proof = self.authenticate(&connect, &arrival, dialogue).await?;
        let grant = &proof.grant;
        let identity = match &grant.client_id {
            Some(client_id) => Identity {
                client_id: client_id.clone(),
                is_assigned: true,
            },
            None => identity,
        };
        let username = grant.username.clone().or_else(|| connect.username.clone());
        self.check_ban(&identity.client_id, username.as_deref(), address)?;
        self.check_flapping(&identity.client_id, clock::now())?;
        let key = self.fresh_key();
        let mut admission = self.settle(key, &connect, &identity, grant, &settings)?;
        proof.announce(&mut admission.connack.properties);
        if !fit_connack(
            &mut admission.connack,
            connect.version,
            admission.terms.packet_bytes_max,
        ) {
            return Err(Denial::new(ConnectReason::PacketTooLarge));
        }
        let rights = Rights::of(grant, &identity.client_id, username.as_deref()).map_err(|filter| {
            tracing::warn!(%filter, "a plugin granted a rule whose topic filter is not valid");
            Denial::new(ConnectReason::ImplementationSpecific)
        })?;
        let standing = Standing {
            rights: rights.into_shared(),
            facts: Arc::new(ClientFacts {
                key,
                client_id: identity.client_id.clone(),
                username,
                address: arrival.address.to_string().into(),
                listener: Arc::clone(&arrival.listener),
                version: connect.version,
                connected_at_ms: clock::unix_ms(),
                attributes: grant.attributes.clone(),
            }),
        };
        self.authorize_will(&standing, &admission).await?;
        let enrolment = proof.enrolment(|| Credentials {
            client_id: identity.client_id,
            password: None,
            ..credentials(&connect, &arrival)
        });
        Ok(Candidate {
            connect,
            standing,
            admission,
            packet_bytes_max: packet_bytes_max(grant, &settings),
            expires_in: grant.expires_in,
            rate: rate(grant, settings.limits.rate),
            enrolment,
            settings,
        })
    }

    fn settle(
        &self,
        key: ClientKey,
        connect: &Connect,
        identity: &Identity,
        grant: &Grant,
        settings: &Settings,
    ) -> Result<Admission, Denial> {
        let admission = Admission::settle(key, connect, identity, grant, &settings.limits, &settings.session)
            .map_err(|refusal| self.refused(refusal))?;
        for limit in &admission.reached {
            self.0.metrics.limits.reached(*limit);
        }
        Ok(admission)
    }

    /// The second half of [`Broker::connect`]: the client gets its session.
    ///
    /// # Errors
    /// What the CONNACK has to say.
    pub fn enter(&self, now: Instant, candidate: Candidate) -> Result<Connected, Denial> {
        let Candidate {
            connect,
            standing,
            mut admission,
            settings,
            ..
        } = candidate;
        if !connect.clean_start {
            self.vet_before_resume(&standing, now);
        }
        let (client, link) = self.open(now, &connect, &standing, &mut admission)?;
        let key = standing.facts.key;
        let keep_alive_secs = admission.keep_alive_secs;
        let mut greeting = BytesMut::new();
        admission.connack.encode(connect.version, &mut greeting);
        self.emit(key, &standing.facts.client_id, || EventKind::Connected {
            username: standing.facts.username.clone(),
            address: standing.facts.address.to_string(),
            version: connect.version,
            clean_start: connect.clean_start,
            keep_alive_secs,
        });
        Ok(Connected {
            key,
            client,
            link,
            greeting: Some(greeting[..].into()),
            standing,
            keep_alive: KeepAlive::new(keep_alive_secs, now),
            expires_at: candidate.expires_in.map(|left| now + left),
            packet_bytes_max: candidate.packet_bytes_max,
            client_packet_bytes_max: admission.terms.packet_bytes_max,
            settings,
            version: connect.version,
            rate: candidate.rate,
            enrolment: candidate.enrolment,
        })
    }

    /// Tells plugins of a CONNECT that was refused.
    pub fn report_refused(
        &self,
        client_id: &ByteString,
        username: Option<ByteString>,
        address: SocketAddr,
        version: Version,
        denial: &Denial,
    ) {
        self.emit(NOBODY, client_id, || EventKind::Refused {
            username,
            address: address.to_string(),
            version,
            reason: denial.reason,
            text: denial.text.clone(),
        });
    }

    fn unused_client_id(&self) -> ByteString {
        ByteString::from(format!(
            "hookwire-{:016x}{:08x}",
            fastrand_u64(),
            self.fresh_key().0
        ))
    }

    fn refused(&self, refusal: Refusal) -> Denial {
        if let Some(limit) = refusal.limit {
            self.0.metrics.limits.reached(limit);
        }
        Denial::from(refusal)
    }

    /// Asks the authenticating plugins, so many at a time.
    async fn authenticate(
        &self,
        connect: &Connect,
        arrival: &Arrival,
        dialogue: &mut impl Dialogue,
    ) -> Result<Proof, Denial> {
        if let Some(method) = connect.properties.authentication_method.clone() {
            let data = connect.properties.authentication_data.clone();
            let credentials = credentials(connect, arrival);
            return self.prove(method, data, credentials, dialogue).await;
        }
        // [MQTT-4.12.0-6]: no AUTH for a client that named no method.
        let grant = self.judge(connect, arrival).await?;
        Ok(Proof::plain(grant))
    }

    async fn judge(&self, connect: &Connect, arrival: &Arrival) -> Result<Box<Grant>, Denial> {
        let chain = self.0.chain.load_full();
        let anonymous_rule = if chain.authenticates() {
            arrival.admits_anonymous.with_authenticator
        } else {
            arrival.admits_anonymous.without_authenticator
        };
        if !chain.has(Hook::Authenticate) {
            return anonymous(anonymous_rule);
        }
        let credentials = Arc::new(credentials(connect, arrival));
        let question = chain.authenticate(&credentials);
        match self.with_authentication_permit(question).await? {
            AuthenticationOutcome::Allow(grant) => Ok(grant),
            AuthenticationOutcome::Deny(denial) => Err(denial),
            AuthenticationOutcome::Undecided => anonymous(anonymous_rule),
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
                self.0.metrics.limits.reached(Limit::TakeoverFight);
                tokio::time::sleep(wait).await;
            }
        }
    }

    /// What a client has sent on its last connection before it opened this one still counts, its DISCONNECT above all: the
    /// task of that connection is asked to read to the end. Whoever does not come to an end in time is cut off.
    async fn let_predecessor_finish(&self, standing: &Standing) {
        let predecessor = self.0.registry.lock().get(&standing.facts.client_id).cloned();
        let Some(client) = predecessor.filter(|client| !self.is_foreign(client, standing)) else {
            return;
        };
        let mut departed = std::pin::pin!(client.departed().notified());
        departed.as_mut().enable();
        let link = client.session().link().cloned();
        if let Some(link) = link {
            link.announce_successor();
            let _ = tokio::time::timeout(LAST_WORDS_TIMEOUT, departed).await;
        }
    }

    /// Whether a session is that of another user.
    pub(super) fn is_foreign(&self, client: &Client, standing: &Standing) -> bool {
        !self.settings().session.shared_client_ids
            && client.standing().facts.username != standing.facts.username
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
        let client_id = &standing.facts.client_id;
        let mut by_id = self.0.registry.lock();
        let kept = by_id.get(client_id).cloned();
        if kept
            .as_ref()
            .is_some_and(|client| self.is_foreign(client, standing))
        {
            return Err(Denial {
                text: Some(FOREIGN),
                ..Denial::new(ConnectReason::NotAuthorized)
            });
        }
        if kept.is_none() {
            self.check_room_for_session(by_id.len())?;
        }
        if kept.is_none() || connect.clean_start {
            self.check_store_for_session(admission)?;
        }
        let taken_over = kept
            .as_ref()
            .and_then(|client| self.take_over(now, client, connect.clean_start));
        let resumed = kept
            .clone()
            .filter(|_| !connect.clean_start && taken_over.as_ref().is_none_or(|over| over.is_kept));
        let bequeathed = match &kept {
            Some(ended) if resumed.is_none() => self.end_session(&mut by_id, ended),
            _ => Vec::new(),
        };
        // [MQTT-3.2.2-2], [MQTT-3.2.2-3]
        admission.connack.session_present = resumed.is_some() && connect.version != Version::V3_1;
        let (client, link) = match &resumed {
            Some(client) => (Arc::clone(client), self.resume(now, client, standing, admission)),
            None => self.create(now, &mut by_id, standing, admission),
        };
        drop(by_id);
        self.redeliver(now, bequeathed);
        if resumed.is_some() {
            let shared = client.session().shared_filters();
            self.relieve_absent(now, &shared);
        }
        self.recall_will(now, client_id, resumed.is_none());
        if let Some(over) = taken_over
            && let Some(will) = over.will
        {
            self.leave_will(now, self.0.registry.lock(), will, over.standing);
        }
        Ok((client, link))
    }

    fn check_room_for_session(&self, sessions: usize) -> Result<(), Denial> {
        let limit = if sessions >= self.settings().session.sessions_max {
            Limit::SessionsMax
        } else if self.0.memory.is_full() {
            Limit::MemoryMax
        } else {
            return Ok(());
        };
        self.0.metrics.limits.reached(limit);
        Err(self.no_room(ConnectReason::QuotaExceeded, Some(FULL)))
    }

    /// A session that is to be kept needs a store that has room.
    fn check_store_for_session(&self, admission: &Admission) -> Result<(), Denial> {
        if admission.terms.expiry.is_zero() || self.store_has_room() {
            return Ok(());
        }
        self.0.metrics.limits.reached(Limit::StoreBytesMax);
        Err(self.no_room(ConnectReason::QuotaExceeded, Some(STORE_FULL)))
    }

    /// A will that its client may not publish is refused at once. It is looked at again when it fires.
    async fn authorize_will(&self, standing: &Standing, admission: &Admission) -> Result<(), Denial> {
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
        let chain = self.0.chain.load_full();
        let known = self.make_known(standing);
        let decision = access::decide_once(&chain, &standing.rights, &asked).await;
        drop(known);
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
        link.close(Closure::taken_over());
        let detached = session.detach(
            now,
            &Ending {
                will_cause: Some(WillCause::TakenOver),
                expiry: None,
            },
        );
        self.set_online(client, false);
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
        let mut session = client.session();
        let link = session.attach(now, admission.terms.clone(), &admission.connack);
        self.record_session(&session, standing, None);
        drop(session);
        self.set_online(client, true);
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
        let id = self
            .0
            .next_session
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut session = Session::new(admission.terms.clone());
        if let Some(durable) = self.durable() {
            session = session.with_ledger(Arc::clone(durable.ledger()));
            if !admission.terms.expiry.is_zero() {
                session = session.with_journal(id);
            }
        }
        let link = session.attach(now, admission.terms.clone(), &admission.connack);
        let commit = self.record_session(&session, standing, None);
        session.hold_output(commit);
        let client = Arc::new(Client::new(id, session, standing.clone()));
        self.set_online(&client, true);
        by_id.insert(Arc::clone(&client));
        self.0.registry.rekey(None, standing.facts.key, &client);
        self.emit(standing.facts.key, &standing.facts.client_id, || {
            EventKind::SessionCreated
        });
        (client, link)
    }

    /// Takes a session out of everything that knows it; what is left are messages for other members of its shared
    /// subscriptions.
    pub(super) fn end_session(&self, by_id: &mut ById<'_>, client: &Arc<Client>) -> Vec<Delivered> {
        let mut session = client.session();
        let filters: Vec<ByteString> = session
            .subscriptions()
            .map(|(filter, _)| filter.clone())
            .collect();
        let bequeathed = session.transfer(|_| true);
        session.end();
        drop(session);
        by_id.remove(client);
        self.0.registry.forget_key(client.key());
        for filter in filters {
            if let Ok(filter) = SharedFilter::parse(filter) {
                self.0.router.unsubscribe(&filter, client.id());
            }
        }
        bequeathed
    }
}

/// How long a new connection waits for what its predecessor still has to read.
const LAST_WORDS_TIMEOUT: Duration = Duration::from_millis(500);

/// What is left of a connection that was taken over.
struct TakenOver {
    will: Option<crate::session::DueWill>,
    standing: Standing,
    is_kept: bool,
}

const FOREIGN: ByteString = ByteString::from_static("the client id belongs to another user");
const FULL: ByteString = ByteString::from_static("no room for another session");
const STORE_FULL: ByteString = ByteString::from_static("no room for another session that is to be kept");

/// Largest packet that is accepted from a client.
fn packet_bytes_max(grant: &Grant, settings: &Settings) -> usize {
    grant
        .max_packet_size
        .map_or(settings.limits.decode.packet_bytes_max, |max| {
            usize::try_from(max).unwrap_or(usize::MAX)
        })
}

/// How fast a client may send: of two limits the lower one, and 0 is none.
fn rate(grant: &Grant, configured: RateSettings) -> Option<Box<RateSettings>> {
    let bytes = grant
        .max_bytes_per_second
        .map(|max| usize::try_from(max).unwrap_or(usize::MAX));
    let rate = RateSettings {
        messages_per_second_max: lower(configured.messages_per_second_max, grant.max_messages_per_second),
        bytes_per_second_max: lower(configured.bytes_per_second_max, bytes),
        ..configured
    };
    let is_limited = rate.messages_per_second_max > 0 || rate.bytes_per_second_max > 0;
    is_limited.then(|| Box::new(rate))
}

fn lower<N: Ord + Default + Copy>(configured: N, granted: Option<N>) -> N {
    match granted {
        Some(granted) if configured == N::default() => granted,
        Some(granted) => granted.min(configured),
        None => configured,
    }
}

fn credentials(connect: &Connect, arrival: &Arrival) -> Credentials {
    Credentials {
        client_id: connect.client_id.clone(),
        username: connect.username.clone(),
        password: connect.password.clone(),
        address: arrival.address.to_string(),
        listener: arrival.listener.to_string(),
        version: connect.version,
        clean_start: connect.clean_start,
        user_properties: connect.properties.user_properties.clone(),
    }
}

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
