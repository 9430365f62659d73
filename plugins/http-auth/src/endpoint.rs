//! One URL of the server: what it is asked, and how its answers are read.

use std::collections::BTreeMap;
use std::time::Duration;

use hookwire_plugin::http::{Request, Response};

use crate::answer::FromResponse;
use crate::facts::Facts;
use crate::template::{Template, percent_encode};

/// How the body of a request is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Encoding {
    Json,
    Form,
}

/// What a status means that is no success.
#[derive(Debug)]
pub(crate) struct Statuses {
    pub(crate) deny: Vec<u16>,
    pub(crate) next: Vec<u16>,
}

#[derive(Debug)]
pub(crate) struct Endpoint {
    /// The key in the configuration.
    pub(crate) name: &'static str,
    pub(crate) method: String,
    pub(crate) url: Template,
    pub(crate) headers: BTreeMap<String, Template>,
    /// Empty: all that is known.
    pub(crate) body: BTreeMap<String, Template>,
    pub(crate) encoding: Encoding,
    pub(crate) timeout: Duration,
    pub(crate) statuses: Statuses,
}

impl Endpoint {
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn request(&self, facts: &Facts<'_>) -> Request {
        let mut request = Request::new(self.method.as_str(), self.url.encoded(facts)).timeout(self.timeout);
        for (name, value) in &self.headers {
            request = request.header(name, value.plain(facts));
        }
        request = request.header("accept", "application/json");
        if matches!(self.method.as_str(), "GET" | "HEAD" | "DELETE") {
            return request;
        }
        match self.encoding {
            Encoding::Json if self.body.is_empty() => request.json(&facts.to_json()),
            Encoding::Json => {
                let body: BTreeMap<_, _> = self
                    .body
                    .iter()
                    .map(|(name, value)| (name, value.plain(facts)))
                    .collect();
                request.json(&body)
            }
            Encoding::Form => request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(self.form(facts)),
        }
    }

    fn form(&self, facts: &Facts<'_>) -> String {
        let mut form = String::new();
        let mut add = |name: &str, value: &str| {
            if !form.is_empty() {
                form.push('&');
            }
            percent_encode(name, &mut form);
            form.push('=');
            percent_encode(value, &mut form);
        };
        if self.body.is_empty() {
            if let serde_json::Value::Object(all) = facts.to_json() {
                for name in all.keys() {
                    add(name, &facts.get(name));
                }
            }
        } else {
            for (name, value) in &self.body {
                add(name, &value.plain(facts));
            }
        }
        form
    }

    /// The decision; an error says why there is none.
    pub(crate) fn read<R: FromResponse>(&self, response: &Response) -> Result<R, String> {
        let status = response.status;
        if response.is_success() {
            R::from_success(response)
        } else if self.statuses.deny.contains(&status) {
            Ok(R::denied(response))
        } else if self.statuses.next.contains(&status) {
            Ok(R::next())
        } else {
            Err(format!("status {status}"))
        }
    }
}
