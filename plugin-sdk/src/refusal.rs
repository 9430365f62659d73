//! From what went wrong in a plugin to what the client is told.

use std::fmt;

use crate::authenticate::{ConnectReason, Denial};
use crate::bindings::types::{PublishReason as Reason, Rejection};

/// `?` on other people's errors in a function that returns `Result<Verdict, Rejection>`.
///
/// ```
/// use hookwire_plugin::prelude::*;
///
/// #[derive(Deserialize)]
/// struct Reading {
///     celsius: f64,
/// }
///
/// fn judge(message: &Message<'_>) -> Result<Verdict, Rejection> {
///     let reading: Reading = message.json().or_reject(Reason::PayloadFormatInvalid)?;
///     if reading.celsius < -273.15 {
///         return Err(Rejection::new(Reason::PayloadFormatInvalid, "colder than cold"));
///     }
///     Ok(Verdict::pass())
/// }
///
/// let verdict = judge(&Message::new("a", r#"{ "celsius": "warm" }"#)).into();
/// assert!(matches!(verdict, Verdict::Reject(_)));
/// ```
pub trait OrReject<T> {
    /// The value, or a rejection with this reason and the error's text, which the publisher is shown.
    fn or_reject(self, reason: Reason) -> Result<T, Rejection>;
}

impl<T, E: fmt::Display> OrReject<T> for Result<T, E> {
    fn or_reject(self, reason: Reason) -> Result<T, Rejection> {
        self.map_err(|error| Rejection::new(reason, error.to_string()))
    }
}

/// Nothing there: a rejection without a text.
impl<T> OrReject<T> for Option<T> {
    fn or_reject(self, reason: Reason) -> Result<T, Rejection> {
        self.ok_or_else(|| reason.into())
    }
}

/// `?` on other people's errors in a function that returns `Result<Grant, Denial>`.
pub trait OrDeny<T> {
    /// The value, or a denial with this reason. The error's text goes to the log: who is refused learns no more than that.
    fn or_deny(self, reason: ConnectReason) -> Result<T, Denial>;
}

impl<T, E: fmt::Display> OrDeny<T> for Result<T, E> {
    fn or_deny(self, reason: ConnectReason) -> Result<T, Denial> {
        self.map_err(|error| {
            crate::log::info!("refused: {error}");
            reason.into()
        })
    }
}

/// Nothing there: a denial without a text.
impl<T> OrDeny<T> for Option<T> {
    fn or_deny(self, reason: ConnectReason) -> Result<T, Denial> {
        self.ok_or_else(|| reason.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock::Mock;

    #[test]
    fn a_publisher_is_told_what_is_wrong() {
        let number = "x".parse::<u8>().or_reject(Reason::PayloadFormatInvalid);
        let expected = Rejection::new(Reason::PayloadFormatInvalid, "invalid digit found in string");
        assert_eq!(number, Err(expected));
        assert_eq!(
            None::<u8>.or_reject(Reason::Unspecified),
            Err(Reason::Unspecified.into())
        );
        assert_eq!(Some(1).or_reject(Reason::Unspecified), Ok(1));
    }

    #[test]
    fn who_is_refused_is_not() {
        let host = Mock::new();
        let number = "x".parse::<u8>().or_deny(ConnectReason::NotAuthorized);
        assert_eq!(number, Err(ConnectReason::NotAuthorized.into()));
        assert_eq!(host.log_lines(), ["info: refused: invalid digit found in string"]);
    }
}
