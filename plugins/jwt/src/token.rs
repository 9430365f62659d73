//! A token as it comes: header, claims and signature, each in base 64, with dots between (RFC 7519, RFC 7515).

use base64ct::{Base64UrlUnpadded, Encoding};
use hookwire_plugin::prelude::Deserialize;
use serde_json::{Map, Value};

use crate::algorithm::Algorithm;

/// Longest token, bytes: it comes from somebody who is nobody yet.
const BYTES_MAX: usize = 64 << 10;

/// A token that is well-formed; whether it is genuine is another question.
pub(crate) struct Token<'a> {
    pub(crate) algorithm: Algorithm,
    /// Which key it says it was signed with.
    pub(crate) key_id: Option<String>,
    /// What is signed.
    pub(crate) signed: &'a [u8],
    pub(crate) signature: Vec<u8>,
    claims: Vec<u8>,
}

/// What is looked at of a header. Keys that it brings along, or says where to fetch, are not.
#[derive(Deserialize)]
struct Header {
    alg: Algorithm,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

impl<'a> Token<'a> {
    pub(crate) fn read(text: &'a str) -> Result<Self, String> {
        if text.len() > BYTES_MAX {
            return Err("the token is too long".to_owned());
        }
        let mut parts = text.split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err("this is no token: expected three parts with dots between".to_owned());
        };
        let signed = &text.as_bytes()[..header.len() + 1 + claims.len()];
        let header: Header = serde_json::from_slice(&decode(header)?)
            .map_err(|error| format!("the header of the token: {error}"))?;
        header.check()?;
        Ok(Self {
            algorithm: header.alg,
            key_id: header.kid,
            signed,
            signature: decode(signature)?,
            claims: decode(claims)?,
        })
    }

    pub(crate) fn claims(&self) -> Result<Map<String, Value>, String> {
        serde_json::from_slice(&self.claims).map_err(|error| format!("the claims of the token: {error}"))
    }
}

impl Header {
    fn check(&self) -> Result<(), String> {
        // RFC 7515, section 4.1.11: whoever does not understand an extension that is critical refuses.
        if self.crit.is_some() {
            return Err("the token has extensions that are critical".to_owned());
        }
        let is_jwt = |typ: &String| {
            let typ = typ.to_ascii_lowercase();
            matches!(typ.as_str(), "jwt" | "at+jwt" | "application/at+jwt")
        };
        match &self.typ {
            Some(typ) if !is_jwt(typ) => Err(format!("the token is of the type {typ:?}")),
            _ => Ok(()),
        }
    }
}

fn decode(part: &str) -> Result<Vec<u8>, String> {
    Base64UrlUnpadded::decode_vec(part).map_err(|_| "a part of the token is no base 64".to_owned())
}
