//! What a publishing connection keeps: between its messages, and for one run of them.

use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use hookwire_hooks::{Chain, HookSet, Message, Publication};
use hookwire_protocol::{Delivery, PublishReason, TopicName};

use super::access::AccessMemo;
use super::bundle::Bundle;
use super::client::{Client, Standing};
use super::deliver::Addressee;
use super::publish::{Author, Round, are_of_one_topic};
use crate::router::{Matches, Memo};
use crate::session::{Link, Novelty, Taken};

/// For how long a publisher is not read from after a run that a recipient was too slow for: long enough to write and acknowledge what
/// it has, short enough that a recipient that does not even try costs its publishers little.
const RESPITE: Duration = Duration::from_millis(1);

/// The same while memory is scarce and a message had to be kept: long enough for its recipient to come by.
const SCARCE_RESPITE: Duration = Duration::from_millis(50);

/// What one publishing connection keeps between its messages.
#[derive(Debug, Default)]
pub struct Publisher {
    pub(super) memo: Memo<Arc<Matches<Arc<Client>>>>,
    /// At which hooks policies want messages of a topic.
    pub(super) interests: Memo<HookSet>,
    pub(super) access: AccessMemo,
    /// For how long it is not to be read from, since a recipient takes its messages more slowly than they come.
    pub(super) respite: Duration,
    /// Connections that have output and have not been woken yet.
    pub(super) dirty: Vec<Arc<Link>>,
    /// Who alone was woken for the only message of the last run.
    pub(super) sole_recipient: Option<Arc<Link>>,
    /// Who publishes, where that is to be remembered.
    pub(super) author: Option<Standing>,
    /// What is judged and on its way to the same recipients.
    pub(super) bundle: Bundle,
    /// What it is sent of its own messages, once they are answered.
    pub(super) own: Vec<Own>,
    /// Buffers of one run, kept for the next.
    pub(super) run: Vec<Publication>,
    pub(super) answers: Vec<Answer>,
    /// The batch with which everything is safe that this run has recorded.
    pub(super) commit: u64,
}

/// A message on its way back to its publisher. A client that publishes to itself waits for the acknowledgement first, and takes what
/// else comes then; one that counts packets must not take the message for the answer.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) message: Arc<Message>,
    pub(super) addressee: Addressee,
}

/// What the publisher is owed for one PUBLISH.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) delivery: Delivery,
    /// False for a message that was taken before: it is only answered again.
    pub(super) is_judged: bool,
    pub(super) reason: PublishReason,
    /// In a box: few have one, and many answers are owed at a time.
    pub(super) text: Option<Box<ByteString>>,
    /// Not before this batch is safe.
    pub(super) commit: u64,
}

impl Publisher {
    /// Wakes everybody who was given output, once.
    pub fn wake_recipients(&mut self) {
        for link in self.dirty.drain(..) {
            link.wake();
        }
    }

    /// The same behind a message that came alone. Where one connection only had to be woken, its publisher may let that one go first.
    pub(super) fn wake_recipients_of_one(&mut self) {
        if self.dirty.len() == 1 {
            self.sole_recipient = self.dirty.pop();
            self.sole_recipient.iter().for_each(|link| link.wake());
        } else {
            self.wake_recipients();
        }
    }

    /// Who alone was woken for the only message of the last run; once.
    pub fn take_sole_recipient(&mut self) -> Option<Arc<Link>> {
        self.sole_recipient.take()
    }

    /// At which of [`Hook::OF_MESSAGES`] policies want messages of a topic.
    ///
    /// [`Hook::OF_MESSAGES`]: hookwire_hooks::Hook::OF_MESSAGES
    #[inline]
    pub(super) fn interest(&mut self, chain: &Chain, topic: &TopicName) -> HookSet {
        if !chain.sees_messages() {
            return HookSet::EMPTY;
        }
        let (_, hooks) = self
            .interests
            .recall(chain.generation(), topic, || chain.interest_in(topic));
        *hooks
    }

    /// Takes note of who publishes, for what it has retained: when that is done it may have gone, or be somebody else.
    pub(super) fn remember_author(&mut self, round: &Round<'_>, author: &Author) {
        let is_asked_for = round.settings.session.check_retain_source;
        self.author = is_asked_for.then(|| author.standing.clone());
    }

    /// Takes note of what policies want of the messages that came in.
    pub(super) fn note_interests(&mut self, chain: &Chain) {
        let mut run = std::mem::take(&mut self.run);
        for neighbours in run.chunk_by_mut(are_of_one_topic) {
            self.note_interest(chain, neighbours);
        }
        self.run = run;
    }

    /// The same for some that are of one topic.
    #[inline]
    pub(super) fn note_interest(&mut self, chain: &Chain, neighbours: &mut [Publication]) {
        let interest = neighbours
            .first()
            .map(|publication| self.interest(chain, &publication.message.topic));
        for publication in neighbours {
            publication.interest = interest;
        }
    }

    /// A recipient takes its messages more slowly than they come.
    pub(super) fn wants_respite(&mut self) {
        self.respite = self.respite.max(RESPITE);
    }

    /// The same while memory is scarce.
    pub(super) fn wants_scarce_respite(&mut self) {
        self.respite = self.respite.max(SCARCE_RESPITE);
    }

    /// A connection has something to write.
    pub(super) fn has_output(&mut self, link: &Arc<Link>) {
        self.dirty.push(Arc::clone(link));
    }

    /// Something was recorded, in this batch.
    pub(super) fn has_recorded(&mut self, commit: u64) {
        self.commit = self.commit.max(commit);
    }

    /// Forgets what policies have said of the client, if somebody has wished so: then it has another epoch.
    pub(super) fn keep_up(&mut self, epoch: u64) {
        self.access.keep_up(epoch);
    }

    /// Its own message comes back to it, but not before it is answered.
    pub(super) fn answer_before(&mut self, message: &Arc<Message>, addressee: Addressee) {
        let message = Arc::clone(message);
        self.own.push(Own { message, addressee });
    }

    /// Forgets what policies have said of the client.
    pub fn forget_access(&mut self) {
        self.access.forget();
    }

    pub(super) fn accept(&mut self, taken: Taken) {
        let is_judged = taken.novelty == Novelty::New;
        self.answers.push(Answer {
            delivery: taken.delivery,
            is_judged,
            reason: PublishReason::Success,
            text: None,
            commit: 0,
        });
        if is_judged {
            self.run.push(Publication::new(taken.message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each step goes over a run of up to a thousand of both.
    #[test]
    fn what_a_run_keeps_of_a_message_is_small() {
        let bytes = size_of::<Publication>();
        assert!(bytes <= 56, "{bytes}");
        let bytes = size_of::<Answer>();
        assert!(bytes <= 24, "{bytes}");
    }
}
