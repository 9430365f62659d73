//! What the server answers.
//!
//! A success without a body allows. One with a body has to say what it means: `{"result": "allow"}`. What is not
//! understood is no decision, least of all a good one.

use hookwire_plugin::authenticate::{ConnectReason, Denial};
use hookwire_plugin::authorize::{Answer, Decision};
use hookwire_plugin::http::Response;
use serde::Deserialize;

use crate::grant::{GrantBody, reason};

/// A decision about one kind of question.
pub(crate) trait FromResponse: Sized {
    /// Of a status of 200 to 299.
    fn from_success(response: &Response) -> Result<Self, String>;
    /// Of a status that stands for a refusal.
    fn denied(response: &Response) -> Self;
    /// Of a status that leaves it to others.
    fn next() -> Self;
}

/// A decision about a client that wants to connect.
pub(crate) enum Reply<A, D> {
    Allow(A),
    Deny(D),
    Next,
}

pub(crate) type LoginReply = Reply<Box<Admission>, Refusal>;

/// An allowed log-in.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    pub(crate) grant: GrantBody,
    /// How long the answer holds, if the server says so.
    pub(crate) cache_secs: Option<u32>,
}

/// A refused log-in.
pub(crate) struct Refusal {
    pub(crate) denial: Denial,
}

/// The word that every body needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ruling {
    Allow,
    Deny,
    Next,
    Disconnect,
}

#[derive(Deserialize)]
struct LoginBody {
    result: Ruling,
    cache_secs: Option<u32>,
    reason: Option<String>,
    text: Option<String>,
    server_reference: Option<String>,
    #[serde(flatten)]
    grant: GrantBody,
}

impl FromResponse for LoginReply {
    fn from_success(response: &Response) -> Result<Self, String> {
        if response.body.is_empty() {
            return Ok(Self::Allow(Box::default()));
        }
        let body: LoginBody = response.json().map_err(|error| error.to_string())?;
        match body.result {
            Ruling::Allow => {
                body.grant.check()?;
                Ok(Self::Allow(Box::new(Admission {
                    grant: body.grant,
                    cache_secs: body.cache_secs,
                })))
            }
            Ruling::Deny => body.refusal().map(Self::Deny),
            Ruling::Next => Ok(Self::Next),
            Ruling::Disconnect => Err("`disconnect` is no answer to a log-in".to_owned()),
        }
    }

    fn denied(response: &Response) -> Self {
        let reason = match response.status {
            403 => ConnectReason::NotAuthorized,
            429 => ConnectReason::ConnectionRateExceeded,
            _ => ConnectReason::BadUserNameOrPassword,
        };
        let told = response.json::<LoginBody>().ok();
        let told = told.filter(|body| body.result == Ruling::Deny);
        let refusal = told.and_then(|body| body.refusal().ok());
        Self::Deny(refusal.unwrap_or_else(|| Refusal {
            denial: reason.into(),
        }))
    }

    fn next() -> Self {
        Self::Next
    }
}

impl LoginBody {
    fn refusal(&self) -> Result<Refusal, String> {
        let reason = match self.reason.as_deref() {
            None => ConnectReason::BadUserNameOrPassword,
            Some(name) => reason(name).ok_or_else(|| format!("unknown reason `{name}`"))?,
        };
        Ok(Refusal {
            denial: Denial {
                text: self.text.clone(),
                server_reference: self.server_reference.clone(),
                user_properties: self.grant.user_properties(),
                ..reason.into()
            },
        })
    }
}

/// A decision about an access.
#[derive(Deserialize)]
pub(crate) struct AccessReply {
    result: Ruling,
    text: Option<String>,
    /// How long the answer holds, if the server says so.
    cache_secs: Option<u32>,
}

impl AccessReply {
    fn of(result: Ruling) -> Self {
        Self {
            result,
            text: None,
            cache_secs: None,
        }
    }

    /// `cache_ms`: how long it holds if the server does not say.
    pub(crate) fn answer(self, cache_ms: u32) -> Answer {
        let decision = match self.result {
            Ruling::Allow => Decision::Allow,
            Ruling::Deny => Decision::Deny(self.text),
            Ruling::Next => Decision::Next,
            Ruling::Disconnect => Decision::Disconnect(self.text),
        };
        let told = self.cache_secs.map(|secs| secs.saturating_mul(1000));
        Answer::from(decision).cached_for_ms(told.unwrap_or(cache_ms))
    }
}

impl FromResponse for AccessReply {
    fn from_success(response: &Response) -> Result<Self, String> {
        if response.body.is_empty() {
            return Ok(Self::of(Ruling::Allow));
        }
        response.json().map_err(|error| error.to_string())
    }

    fn denied(response: &Response) -> Self {
        let told = response.json::<Self>().ok();
        told.filter(|reply| matches!(reply.result, Ruling::Deny | Ruling::Disconnect))
            .unwrap_or_else(|| Self::of(Ruling::Deny))
    }

    fn next() -> Self {
        Self::of(Ruling::Next)
    }
}
