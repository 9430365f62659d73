//! The same as `publish`, where policies may wait: the questions are put first, in tasks of their own, and what is left is
//! done at once.
//!
//! Whoever has published something waits, so that its messages stay in order; nobody else does.

use std::future::Future;
use std::mem;
use std::time::Duration;

use bytestring::ByteString;
use hookwire_hooks::{Action, Chain, Fate, Hook, Message, PluginPublish, Publication};
use hookwire_protocol::{DisconnectReason, Publish, PublishReason};

use super::access;
use super::publish::{
    Author, Published, Round, Stop, asked_of, is_reserved, judge_format, obey, recipients_of, refused, take,
};
use super::publisher::Publisher;
use super::{Broker, Connected, emission};
use crate::clock;
use crate::router::Subscriber;

/// A run of messages that policies had to be waited for.
#[derive(Debug)]
pub struct PublishedRun {
    /// The publisher's buffers and memory, given back.
    pub publisher: Publisher,
    /// As of [`Broker::publish_run`].
    pub outcome: Result<Duration, Stop>,
}

impl Broker {
    /// Whether policies may wait when they are asked about messages of this client.
    pub fn waits_to_publish(&self, connected: &Connected) -> bool {
        let chain = self.chain();
        chain.waits_for_messages()
            || (chain.waits_for_access(Action::Publish)
                && !access::is_free(&chain, &connected.standing.rights, Action::Publish))
    }

    /// As [`Broker::publish_run`], in a task of its own: a client that leaves does not take back what it has published.
    pub fn publish_run_waiting(
        &self,
        connected: &Connected,
        publisher: Publisher,
        packets: Vec<Publish>,
    ) -> impl Future<Output = PublishedRun> + Send + use<> {
        let (broker, author) = (self.clone(), Author::of(connected));
        let task = tokio::spawn(async move {
            emission::behind_waiting(broker.publish_for(&author, publisher, packets)).await
        });
        async move {
            task.await.unwrap_or_else(|_| PublishedRun {
                publisher: Publisher::default(),
                outcome: Err(BROKEN_OFF),
            })
        }
    }

    async fn publish_for(
        &self,
        author: &Author,
        mut publisher: Publisher,
        mut packets: Vec<Publish>,
    ) -> PublishedRun {
        let (chain, settings) = (self.0.chain.load_full(), self.0.settings.load_full());
        let taken = take(author, &mut publisher, &mut packets);
        self.tell_run(&publisher);
        let round = Round::new(&chain, &settings, clock::now());
        publisher.remember_author(&round, author);
        judge_format(&round, &mut publisher);
        publisher.keep_up(author.client.answers_epoch());
        self.authorize_run_waiting(&round, author, &mut publisher).await;
        if chain.has(Hook::OnPublish) {
            publisher.note_interests(&chain);
            chain.on_publish_waiting(&mut publisher.run).await;
        }
        self.ask_for_routes(&chain, author, &mut publisher).await;
        let round = Round::new(&chain, &settings, clock::now());
        let outcome = self.settle_run(&round, author, &mut publisher, taken);
        PublishedRun { publisher, outcome }
    }

    async fn authorize_run_waiting(&self, round: &Round<'_>, author: &Author, publisher: &mut Publisher) {
        let is_free = access::is_free(round.chain, &author.standing.rights, Action::Publish);
        let Publisher {
            run, access: memo, ..
        } = publisher;
        for Publication { message, fate, .. } in run {
            if is_reserved(message) {
                *fate = refused(None);
            } else if !is_free && let Some(asked) = asked_of(message) {
                let (decision, basis) =
                    access::decide_waiting(round.chain, &author.standing.rights, memo, &asked).await;
                self.tell_decided(&asked, basis, &decision, round.chain.generation());
                obey(fate, decision);
            }
        }
    }

    async fn ask_for_routes(&self, chain: &Chain, author: &Author, publisher: &mut Publisher) {
        let mut run = mem::take(&mut publisher.run);
        for publication in &mut run {
            self.ask_for_route(chain, publisher, publication, Some(author.client.id()))
                .await;
        }
        publisher.run = run;
    }

    /// Asks those who route a message before it is routed.
    async fn ask_for_route(
        &self,
        chain: &Chain,
        publisher: &mut Publisher,
        publication: &mut Publication,
        from: Option<u64>,
    ) {
        let Publication { message, fate, .. } = publication;
        if *fate == Fate::Pass && chain.wants_route(&message.topic) {
            let matches = self.matching(publisher, &message.topic, from);
            let recipients = recipients_of(&matches);
            publication.routing = Some(Box::new(chain.route_waiting(message, &recipients).await));
        }
    }

    /// As for a message of a plugin, or the like, that has no client to wait.
    pub(super) async fn publish_of_plugin_waiting(&self, publisher: &mut Publisher, publish: PluginPublish) {
        let publication = Publication {
            origin: Some(publish.plugin),
            ..Publication::new(publish.message)
        };
        self.tell_arrived(&publication.message);
        if publish.is_only_kept {
            emission::behind_waiting(self.keep_waiting(publication)).await;
        } else {
            self.publish_unsolicited_waiting(publisher, publication).await;
        }
    }

    /// As [`Broker::publish_as_admin`].
    pub async fn publish_as_admin_waiting(&self, message: Message) -> Published {
        if let Some(refusal) = self.refuse_reserved(&message) {
            return refusal;
        }
        let mut publisher = Publisher::default();
        let publication = Publication::new(message);
        let answer = emission::behind_waiting(self.publish_one_waiting(&mut publisher, publication)).await;
        publisher.wake_recipients();
        answer
    }

    /// Judges a message that nobody waits for, and routes it. What plugins publish meanwhile comes after it.
    pub(super) async fn publish_unsolicited_waiting(
        &self,
        publisher: &mut Publisher,
        publication: Publication,
    ) {
        let _ = emission::behind_waiting(self.publish_one_waiting(publisher, publication)).await;
    }

    async fn keep_waiting(&self, publication: Publication) {
        let (chain, settings) = (self.0.chain.load_full(), self.0.settings.load_full());
        let mut run = [publication];
        chain.on_publish_waiting(&mut run).await;
        let [publication] = run;
        let round = Round::new(&chain, &settings, clock::now());
        self.keep_judged(&round, publication);
    }

    async fn publish_one_waiting(&self, publisher: &mut Publisher, publication: Publication) -> Published {
        let chain = self.0.chain.load_full();
        let mut run = [publication];
        chain.on_publish_waiting(&mut run).await;
        let [mut publication] = run;
        self.ask_for_route(&chain, publisher, &mut publication, None)
            .await;
        let fate = mem::replace(&mut publication.fate, Fate::Pass);
        self.tell_fate(&publication.message, &fate);
        let reason = match fate {
            Fate::Pass => {
                let settings = self.0.settings.load_full();
                let round = Round::new(&chain, &settings, clock::now());
                self.route_judged(&round, publisher, publication, None)
            }
            Fate::Drop => PublishReason::Success,
            Fate::Reject(rejection) | Fate::Disconnect(rejection) => return (*rejection).into(),
        };
        Published { reason, text: None }
    }
}

/// The task that published has panicked.
const BROKEN_OFF: Stop = Stop::Policy {
    reason: DisconnectReason::ImplementationSpecific,
    text: Some(ByteString::from_static("publishing was broken off")),
};
