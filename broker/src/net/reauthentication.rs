//! Authenticating again on a live connection, beside its traffic. [MQTT-4.12.1-1]

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use hookwire_hooks::{EnhancedOutcome, Exchange};
use hookwire_protocol::{Auth, AuthReason};

use crate::broker::{Broker, Enrolment, Stop, refused};
use crate::session::Violation;

/// How far a client has got with authenticating again.
#[derive(Default)]
pub(super) struct Reauthentication {
    stage: Stage,
    rounds: usize,
    /// When it has to be over.
    deadline: Option<Instant>,
}

#[derive(Default)]
enum Stage {
    #[default]
    Idle,
    /// A plugin is being asked, on a thread of its own.
    Asking(Pin<Box<dyn Future<Output = EnhancedOutcome> + Send>>),
    /// The client has to answer.
    Waiting(Exchange),
}

impl Reauthentication {
    /// An AUTH of the client: the first of an exchange, or an answer.
    pub(super) fn handle_auth(
        &mut self,
        broker: &Broker,
        enrolment: Option<&Enrolment>,
        now: Instant,
        auth: Auth,
    ) -> Result<(), Stop> {
        // [MQTT-4.12.0-6]
        let enrolment = enrolment.ok_or(Stop::Violation(Violation::UnexpectedAuth))?;
        // [MQTT-4.12.1-1]
        if auth.properties.authentication_method.as_ref() != Some(&enrolment.method) {
            return Err(Stop::Violation(Violation::AuthenticationMethodChanged));
        }
        let data = auth.properties.authentication_data;
        let limits = &broker.settings().limits;
        self.stage = match (auth.reason, std::mem::take(&mut self.stage)) {
            (AuthReason::ReAuthenticate, Stage::Idle) => {
                self.rounds = 0;
                self.deadline = Some(now + limits.connect_timeout);
                Stage::Asking(Box::pin(broker.begin_authentication(enrolment, data)))
            }
            (AuthReason::ContinueAuthentication, Stage::Waiting(exchange)) => {
                Stage::Asking(Box::pin(broker.continue_authentication(exchange, data)))
            }
            _ => return Err(Stop::Violation(Violation::AuthOutOfTurn)),
        };
        Ok(())
    }

    /// What a plugin has said.
    pub(super) fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<EnhancedOutcome> {
        let Stage::Asking(asking) = &mut self.stage else {
            return Poll::Pending;
        };
        let outcome = asking.as_mut().poll(cx);
        if outcome.is_ready() {
            self.stage = Stage::Idle;
            self.deadline = self
                .deadline
                .filter(|_| matches!(outcome, Poll::Ready(EnhancedOutcome::Challenge(..))));
        }
        outcome
    }

    /// A challenge has been sent.
    pub(super) fn wait(&mut self, broker: &Broker, exchange: Exchange) -> Result<(), Stop> {
        self.rounds += 1;
        if self.rounds > broker.settings().limits.authentication_rounds_max {
            return Err(refused(broker.too_many_rounds()));
        }
        self.stage = Stage::Waiting(exchange);
        Ok(())
    }

    /// When the connection ends unless the exchange has.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}
