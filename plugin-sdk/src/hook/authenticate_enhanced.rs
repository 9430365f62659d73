//! Asked in the place of [`authenticate`](crate::authenticate) when the client names an authentication method of MQTT 5.

use crate::authenticate::{Credentials, Denial, Grant};
use crate::bindings::authenticate_enhanced::exports::hookwire::plugin::authenticate_enhanced as binding;
use crate::component::{Component, with_plugin};
use crate::plugin::Plugin;

/// The hook `authenticate-enhanced`: challenges and answers, at CONNECT and again on a live connection.
///
/// Any instance of the plugin may be asked to proceed. What it has to remember goes into the state, which the broker
/// keeps and the client never sees.
pub trait AuthenticateEnhanced: Plugin {
    /// The first step of an exchange. A plugin that does not know the method answers [`Step::Next`].
    fn begin(&self, method: &str, data: Option<&[u8]>, who: &Credentials) -> Step;

    /// The client's answer to the last challenge, and the state that went with that.
    fn proceed(&self, method: &str, data: Option<&[u8]>, state: &[u8]) -> Step;
}

/// What comes next in an exchange.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Not my method: the next plugin is asked.
    Next,
    /// The client has to answer this.
    Challenge {
        /// For the client.
        data: Vec<u8>,
        /// For [`AuthenticateEnhanced::proceed`].
        state: Vec<u8>,
    },
    /// Admitted.
    Allow {
        /// What it may be and do.
        grant: Grant,
        /// For the client, with the good news.
        data: Option<Vec<u8>>,
    },
    /// Refused.
    Deny(Denial),
}

impl Step {
    /// Refused; with a reason alone, or with a text for a person: `Denial::new(..)`.
    pub fn deny(denial: impl Into<Denial>) -> Self {
        Self::Deny(denial.into())
    }
}

impl From<Step> for (binding::Step, Vec<u8>) {
    fn from(step: Step) -> Self {
        match step {
            Step::Next => (binding::Step::Next, Vec::new()),
            Step::Challenge { data, state } => (binding::Step::Challenge(data), state),
            Step::Allow { grant, data } => (binding::Step::Allow((grant, data)), Vec::new()),
            Step::Deny(denial) => (binding::Step::Deny(denial), Vec::new()),
        }
    }
}

impl<C: Component<Plugin: AuthenticateEnhanced>> binding::Guest for C {
    fn begin(method: String, data: Option<Vec<u8>>, who: Credentials) -> (binding::Step, Vec<u8>) {
        with_plugin::<C, _>(|plugin| plugin.begin(&method, data.as_deref(), &who)).into()
    }

    fn proceed(method: String, data: Option<Vec<u8>>, state: Vec<u8>) -> (binding::Step, Vec<u8>) {
        with_plugin::<C, _>(|plugin| plugin.proceed(&method, data.as_deref(), &state)).into()
    }
}
