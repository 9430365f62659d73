//! From method and path to an answer.

use std::borrow::Cow;

use hyper::body::Incoming;
use hyper::header::ALLOW;
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use super::dashboard::{self, Asset};
use super::guard::{self, Trust};
use super::query::{self, Query};
use super::reply::{self, Refusal, Reply};
use super::{Admin, clients, health, metrics, plugins, publish, reload, watching};
use crate::config::AdminSettings;

/// What there is, beneath which methods it can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place<'a> {
    Dashboard(Asset),
    Health,
    Ready,
    Metrics,
    Plugins,
    Plugin(&'a str),
    Control(&'a str),
    Record(&'a str),
    Explain,
    Reload,
    Clients,
    Client(&'a str),
    Publish,
}

impl<'a> Place<'a> {
    fn at(segments: &'a [Cow<'a, str>]) -> Option<Self> {
        let segments: Vec<&str> = segments.iter().map(|segment| &**segment).collect();
        Some(match *segments.as_slice() {
            [""] => Self::Dashboard(Asset::Page),
            ["dashboard.css"] => Self::Dashboard(Asset::Style),
            ["dashboard.js"] => Self::Dashboard(Asset::Script),
            ["health"] => Self::Health,
            ["ready"] => Self::Ready,
            ["metrics"] => Self::Metrics,
            ["v1", "plugins"] => Self::Plugins,
            ["v1", "plugins", name] => Self::Plugin(name),
            ["v1", "plugins", name, "control"] => Self::Control(name),
            ["v1", "plugins", name, "record"] => Self::Record(name),
            ["v1", "explain"] => Self::Explain,
            ["v1", "reload"] => Self::Reload,
            ["v1", "clients"] => Self::Clients,
            ["v1", "clients", client_id] => Self::Client(client_id),
            ["v1", "publish"] => Self::Publish,
            _ => return None,
        })
    }

    fn methods(self) -> &'static str {
        match self {
            Self::Control(_) | Self::Reload | Self::Publish => "POST",
            Self::Client(_) => "GET, DELETE",
            _ => "GET",
        }
    }

    fn allows(self, method: &Method) -> bool {
        self.methods()
            .split(", ")
            .any(|allowed| allowed == method.as_str())
    }

    fn has_parameters(self) -> bool {
        matches!(self, Self::Record(_) | Self::Explain | Self::Clients)
    }

    /// Whether a stranger may know: whoever starts and stops brokers, or spreads clients over them, and a browser, before its person has
    /// given it the token.
    fn is_for_strangers(self) -> bool {
        matches!(self, Self::Health | Self::Ready | Self::Dashboard(_))
    }
}

/// Answers a request of somebody who is trusted so far.
pub(super) async fn answer(
    admin: &Admin,
    settings: &AdminSettings,
    trust: Trust,
    head: &Parts,
    body: Incoming,
) -> Reply {
    let segments = query::segments(head.uri.path());
    let place = segments.as_deref().and_then(Place::at);
    if trust != Trust::Full && !place.is_some_and(Place::is_for_strangers) {
        return guard::who_are_you();
    }
    let Some(place) = place else {
        return reply::error(StatusCode::NOT_FOUND, "there is nothing here").into();
    };
    if !place.allows(&head.method) {
        let text = format!("only {} here", place.methods());
        let refusal = reply::error(StatusCode::METHOD_NOT_ALLOWED, text);
        return reply::with_header(refusal.into(), ALLOW, place.methods());
    }
    let reply = found(admin, settings, trust, place, head, body).await;
    let reply = reply.unwrap_or_else(Reply::from);
    if head.method != Method::GET {
        // Who changes something leaves a trace.
        let (method, path, status) = (&head.method, head.uri.path(), reply.status().as_u16());
        tracing::info!(%method, path, status, "admin request");
    }
    reply
}

async fn found(
    admin: &Admin,
    settings: &AdminSettings,
    trust: Trust,
    place: Place<'_>,
    head: &Parts,
    body: Incoming,
) -> Result<Reply, Refusal> {
    let query = Query::of(head);
    // What has no parameters does nothing before it is known that there are none.
    if !place.has_parameters() {
        query.finish()?;
        return act(admin, settings, trust, place, head, body).await;
    }
    match place {
        Place::Record(name) => watching::record(admin, settings, name, query),
        Place::Explain => watching::explain(admin, settings, query),
        _ => clients::list(admin, query).await,
    }
}

async fn act(
    admin: &Admin,
    settings: &AdminSettings,
    trust: Trust,
    place: Place<'_>,
    head: &Parts,
    body: Incoming,
) -> Result<Reply, Refusal> {
    Ok(match place {
        Place::Dashboard(asset) => dashboard::asset(asset),
        Place::Health => health::health(admin, trust),
        Place::Ready => health::ready(admin),
        Place::Metrics => metrics::scrape(admin).await?,
        Place::Plugin(name) => plugins::one(admin, name)?,
        Place::Control(name) => {
            let request = query::json_body(admin, settings, head, body).await?;
            plugins::control(admin, name, request).await?
        }
        Place::Reload => reload::reload(admin).await?,
        Place::Client(client_id) if head.method == Method::DELETE => clients::kick(admin, client_id)?,
        Place::Client(client_id) => clients::one(admin, client_id)?,
        Place::Publish => {
            let request = query::json_body(admin, settings, head, body).await?;
            publish::publish(admin, &request).await?
        }
        _ => plugins::list(admin),
    })
}
