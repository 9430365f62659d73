//! The messages of an exchange (RFC 5802, 5 and 7).

use base64ct::{Base64, Encoding};

use crate::hmac::Digest;

/// Longest nonce of a client, bytes.
const NONCE_BYTES_MAX: usize = 256;

/// What the client begins with: `n,,n=user,r=nonce`.
#[derive(Debug)]
pub(crate) struct ClientFirst<'a> {
    /// `n,,` or `y,,`, with the name to act as between the commas.
    gs2_header: &'a str,
    bare: &'a str,
    pub(crate) username: String,
    nonce: &'a str,
}

impl<'a> ClientFirst<'a> {
    pub(crate) fn parse(data: &'a [u8]) -> Option<Self> {
        let text = text(data)?;
        let mut parts = text.splitn(3, ',');
        let (flag, acts_as, bare) = (parts.next()?, parts.next()?, parts.next()?);
        // `p` asks for channel binding, which only a method with `-PLUS` has. `y` says that the client could and thinks
        // that we cannot: so it is.
        if !matches!(flag, "n" | "y") {
            return None;
        }
        let mut attributes = bare.split(',');
        // What comes before the name is `m`, an extension that we would have to understand.
        let username = name(attributes.next()?.strip_prefix("n=")?)?;
        let nonce = attributes.next()?.strip_prefix("r=")?;
        if nonce.is_empty()
            || nonce.len() > NONCE_BYTES_MAX
            || !nonce.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return None;
        }
        // Nobody acts as another here.
        let is_oneself = acts_as.is_empty() || name(acts_as.strip_prefix("a=")?)? == username;
        is_oneself.then(|| Self {
            gs2_header: &text[..text.len() - bare.len()],
            bare,
            username,
            nonce,
        })
    }
}

/// The first message of each side: what the last ones have to fit.
#[derive(Debug)]
pub(crate) struct Opening {
    gs2_header: String,
    client_first_bare: String,
    server_first: String,
}

/// Between the parts of the state. No message has it.
const SEPARATOR: char = '\0';

impl Opening {
    pub(crate) fn new(first: &ClientFirst<'_>, nonce: &str, salt: &[u8], iterations: u32) -> Self {
        let salt = Base64::encode_string(salt);
        Self {
            gs2_header: first.gs2_header.to_owned(),
            client_first_bare: first.bare.to_owned(),
            server_first: format!("r={}{nonce},s={salt},i={iterations}", first.nonce),
        }
    }

    pub(crate) fn server_first(&self) -> &str {
        &self.server_first
    }

    pub(crate) fn username(&self) -> Option<String> {
        name(self.client_first_bare.split(',').next()?.strip_prefix("n=")?)
    }

    /// What the proof is about.
    pub(crate) fn auth_message(&self, last: &ClientFinal<'_>) -> String {
        format!(
            "{},{},{}",
            self.client_first_bare, self.server_first, last.without_proof
        )
    }

    pub(crate) fn to_state(&self) -> Vec<u8> {
        let parts: [&str; 3] = [&self.gs2_header, &self.client_first_bare, &self.server_first];
        parts.join(&String::from(SEPARATOR)).into_bytes()
    }

    pub(crate) fn from_state(state: &[u8]) -> Option<Self> {
        let mut parts = str::from_utf8(state).ok()?.split(SEPARATOR).map(str::to_owned);
        Some(Self {
            gs2_header: parts.next()?,
            client_first_bare: parts.next()?,
            server_first: parts.next()?,
        })
    }
}

/// What the client ends with: `c=header,r=nonce,p=proof`.
#[derive(Debug)]
pub(crate) struct ClientFinal<'a> {
    channel_binding: &'a str,
    nonce: &'a str,
    without_proof: &'a str,
    pub(crate) proof: Digest,
}

impl<'a> ClientFinal<'a> {
    pub(crate) fn parse(data: &'a [u8]) -> Option<Self> {
        let (without_proof, proof) = text(data)?.rsplit_once(",p=")?;
        let mut attributes = without_proof.split(',');
        let channel_binding = attributes.next()?.strip_prefix("c=")?;
        let nonce = attributes.next()?.strip_prefix("r=")?;
        let mut buffer = Digest::default();
        let whole = Base64::decode(proof, &mut buffer).ok()?.len() == size_of::<Digest>();
        whole.then_some(Self {
            channel_binding,
            nonce,
            without_proof,
            proof: buffer,
        })
    }

    /// Whether it goes with the beginning: the same header, so that nobody has changed it on the way, and the whole nonce.
    pub(crate) fn continues(&self, opening: &Opening) -> bool {
        let nonce = opening
            .server_first
            .strip_prefix("r=")
            .and_then(|rest| rest.split(',').next());
        self.channel_binding == Base64::encode_string(opening.gs2_header.as_bytes())
            && Some(self.nonce) == nonce
    }
}

fn text(data: &[u8]) -> Option<&str> {
    str::from_utf8(data).ok().filter(|text| !text.contains(SEPARATOR))
}

/// A name, in which `=2C` stands for a comma and `=3D` for `=`.
fn name(escaped: &str) -> Option<String> {
    let mut parts = escaped.split('=');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        if let Some(rest) = part.strip_prefix("2C") {
            name.push(',');
            name.push_str(rest);
        } else {
            name.push('=');
            name.push_str(part.strip_prefix("3D")?);
        }
    }
    Some(name).filter(|name| !name.is_empty())
}
