//! Addressed by an administrator: over the admin endpoint, or with `hookwire plugin control NAME JSON`.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::control::exports::hookwire::plugin::control as binding;
use crate::component::{Component, with_plugin};
use crate::plugin::Plugin;
use crate::problem::read_request;

/// The hook `control`. It may take its time. Any instance of the plugin may be asked: what a request changes for all of
/// them belongs into [`kv`](crate::kv).
///
/// ```
/// # use hookwire_plugin::prelude::*;
/// use hookwire_plugin::kv;
/// # struct Doorman;
/// # impl Plugin for Doorman {
/// #     type Config = NoConfig;
/// #     fn new(_: NoConfig) -> Result<Self, Problems> { Ok(Self) }
/// # }
///
/// #[derive(Deserialize)]
/// #[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
/// enum Request {
///     Open { minutes: u64 },
/// }
///
/// impl Control for Doorman {
///     type Request = Request;
///     type Reply = String;
///
///     fn control(&self, request: Request) -> Result<String, String> {
///         let Request::Open { minutes } = request;
///         kv::put("open", b"", Some(std::time::Duration::from_secs(60 * minutes)))
///             .map_err(|error| format!("{error:?}"))?;
///         Ok(format!("open for {minutes} minutes"))
///     }
/// }
/// # hookwire_plugin::export!(Doorman: Control);
/// # fn main() {}
/// ```
pub trait Control: Plugin {
    /// What may be asked; a request that is not one is answered with what is wrong with it. `serde_json::Value` takes
    /// anything.
    type Request: DeserializeOwned;
    /// What is answered.
    type Reply: Serialize;

    /// Does what is asked. An error is text for a person.
    fn control(&self, request: Self::Request) -> Result<Self::Reply, String>;
}

impl<C: Component<Plugin: Control>> binding::Guest for C {
    fn control(request: String) -> Result<String, String> {
        with_plugin::<C, _>(|plugin| answer(plugin, &request))
    }
}

/// From JSON to JSON.
fn answer<P: Control>(plugin: &P, request: &str) -> Result<String, String> {
    let reply = plugin.control(read_request(request)?)?;
    serde_json::to_string(&reply).map_err(|error| error.to_string())
}

/// Puts a request to a plugin as the broker does, for tests: JSON in, JSON out.
#[cfg(not(target_family = "wasm"))]
pub fn ask<P: Control>(plugin: &P, request: &str) -> Result<String, String> {
    answer(plugin, request)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::plugin::NoConfig;
    use crate::problem::Problems;

    struct Adder;

    impl Plugin for Adder {
        type Config = NoConfig;

        fn new(_: NoConfig) -> Result<Self, Problems> {
            Ok(Self)
        }
    }

    #[derive(Deserialize)]
    struct Request {
        add: Vec<i64>,
    }

    impl Control for Adder {
        type Request = Request;
        type Reply = i64;

        fn control(&self, request: Request) -> Result<i64, String> {
            let sum: i64 = request.add.iter().sum();
            (sum >= 0).then_some(sum).ok_or_else(|| "below zero".to_owned())
        }
    }

    #[test]
    fn json_goes_in_and_comes_out() {
        assert_eq!(ask(&Adder, r#"{"add": [1, 2]}"#), Ok("3".to_owned()));
        assert_eq!(ask(&Adder, r#"{"add": [-1]}"#), Err("below zero".to_owned()));
    }

    #[test]
    fn a_request_that_is_none_is_told_what_is_wrong() {
        let error = ask(&Adder, r#"{"add": [1, "x"]}"#).unwrap_err();
        assert!(error.starts_with("add.1: invalid type: string"), "{error}");
        assert_eq!(ask(&Adder, "nonsense").unwrap_err(), "expected ident");
        assert!(ask(&Adder, r#"{"add": [1]} more"#).is_err());
    }
}
