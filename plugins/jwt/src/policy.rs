//! From claims to a grant.

use std::collections::BTreeMap;

use hookwire_plugin::authenticate::{RuleAction, TopicRule};
use hookwire_plugin::prelude::*;

use crate::claims::{self, Claims};
use crate::config::Otherwise;
use crate::rules;

/// What is demanded of claims, and what they are good for.
#[derive(Debug)]
pub(crate) struct Policy {
    /// Empty: any.
    pub(crate) issuers: Vec<String>,
    /// Empty: any.
    pub(crate) audiences: Vec<String>,
    /// Claims that must have this text.
    pub(crate) required: BTreeMap<String, String>,
    /// How far clocks may be apart.
    pub(crate) leeway_secs: u64,
    pub(crate) needs_expiry: bool,
    /// Longest time from now to its expiry.
    pub(crate) lifetime_secs_max: Option<u64>,
    pub(crate) username_claim: String,
    pub(crate) matches_username: bool,
    pub(crate) client_id_claim: Option<String>,
    pub(crate) rules_claim: String,
    pub(crate) superuser_claim: Option<String>,
    /// Attribute to claim.
    pub(crate) attributes: BTreeMap<String, String>,
    /// What holds where no rule of a token matches.
    pub(crate) others: Otherwise,
}

impl Policy {
    /// What the bearer may do; the error says why not, for whoever runs the broker.
    pub(crate) fn grant(&self, claims: &Claims, who: &Credentials, now: u64) -> Result<Grant, String> {
        self.check_origin(claims)?;
        let expires_in_secs = self.check_time(claims, now)?;
        let username = claims::text(claims, &self.username_claim)?
            .filter(|name| !name.is_empty())
            .ok_or_else(|| format!("the token has no claim `{}`", self.username_claim))?;
        if self.matches_username && who.username.as_deref() != Some(username) {
            return Err("the token is of another user".to_owned());
        }
        Ok(Grant {
            username: Some(username.to_owned()),
            client_id: self.client_id(claims, who)?,
            attributes: self.attributes(claims),
            superuser: self.is_superuser(claims),
            expires_in_secs,
            rules: self.rules(claims)?,
            ..Grant::default()
        })
    }

    fn check_origin(&self, claims: &Claims) -> Result<(), String> {
        if !self.issuers.is_empty() {
            let issuer = claims::text(claims, "iss")?;
            if !self.issuers.iter().any(|known| Some(known.as_str()) == issuer) {
                return Err(format!("the token is of the issuer {issuer:?}"));
            }
        }
        if !self.audiences.is_empty() {
            let audiences = claims::texts(claims, "aud")?;
            if !self.audiences.iter().any(|own| audiences.contains(&own.as_str())) {
                return Err(format!("the token is for {audiences:?}"));
            }
        }
        for (name, expected) in &self.required {
            if claims::attribute(claims, name).as_ref() != Some(expected) {
                return Err(format!("the claim `{name}` is not {expected:?}"));
            }
        }
        Ok(())
    }

    /// How long the token is still good for.
    fn check_time(&self, claims: &Claims, now: u64) -> Result<Option<u32>, String> {
        let starts = [claims::seconds(claims, "nbf")?, claims::seconds(claims, "iat")?];
        if starts
            .into_iter()
            .flatten()
            .any(|start| start > now + self.leeway_secs)
        {
            return Err("the token is not good yet".to_owned());
        }
        let Some(end) = claims::seconds(claims, "exp")? else {
            if self.needs_expiry {
                return Err("the token does not say when it ends".to_owned());
            }
            return Ok(None);
        };
        if end.saturating_add(self.leeway_secs) <= now {
            return Err("the token has expired".to_owned());
        }
        let left = end.saturating_sub(now);
        if self
            .lifetime_secs_max
            .is_some_and(|max| left > max + self.leeway_secs)
        {
            return Err(format!(
                "the token is good for {left} seconds more, which is too long"
            ));
        }
        // What is within the leeway has a moment.
        Ok(Some(u32::try_from(left.max(1)).unwrap_or(u32::MAX)))
    }

    /// A client that lets the broker choose its id gets that of its token.
    fn client_id(&self, claims: &Claims, who: &Credentials) -> Result<Option<String>, String> {
        let Some(claim) = &self.client_id_claim else {
            return Ok(None);
        };
        match claims::text(claims, claim)? {
            None => Err(format!("the token has no claim `{claim}`")),
            Some(id) if who.client_id.is_empty() => Ok(Some(id.to_owned())),
            Some(id) if id == who.client_id => Ok(None),
            Some(_) => Err("the token is of another client".to_owned()),
        }
    }

    fn attributes(&self, claims: &Claims) -> Vec<UserProperty> {
        let found = self
            .attributes
            .iter()
            .filter_map(|(name, claim)| Some((name, claims::attribute(claims, claim)?)));
        found
            .map(|(name, value)| UserProperty::new(name, value))
            .collect()
    }

    fn is_superuser(&self, claims: &Claims) -> bool {
        let claim = self.superuser_claim.as_deref();
        claim.and_then(|claim| claims::find(claims, claim)) == Some(&serde_json::Value::Bool(true))
    }

    fn rules(&self, claims: &Claims) -> Result<Vec<TopicRule>, String> {
        let Some(claim) = claims::find(claims, &self.rules_claim) else {
            return Ok(Vec::new());
        };
        let mut rules =
            rules::read(claim).map_err(|error| format!("the claim `{}`: {error}", self.rules_claim))?;
        if matches!(self.others, Otherwise::Deny) {
            rules.push(TopicRule::deny(RuleAction::Both, "#"));
        }
        Ok(rules)
    }
}
