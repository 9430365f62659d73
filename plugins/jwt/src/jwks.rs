//! A set of keys as identity providers publish it (RFC 7517).

use base64ct::{Base64UrlUnpadded, Encoding};
use hookwire_plugin::prelude::Deserialize;

use crate::algorithm::Algorithm;
use crate::key::{Key, Material};

#[derive(Deserialize)]
struct Set {
    keys: Vec<Entry>,
}

/// One key. What is not looked at, such as certificates, may be there.
#[derive(Deserialize)]
struct Entry {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    k: Option<String>,
}

/// The keys of a set that are of use here: others (for encryption, of other curves) are left out, as RFC 7517 wants it.
pub(crate) fn read(text: &str) -> Result<Vec<Key>, String> {
    let set: Set = serde_json::from_str(text).map_err(|error| format!("not a set of keys: {error}"))?;
    let mut keys = Vec::new();
    for (index, entry) in set.keys.into_iter().enumerate() {
        let key = entry.read().map_err(|error| format!("key {index}: {error}"))?;
        keys.extend(key);
    }
    if keys.is_empty() {
        return Err("no key of the set can verify a signature".to_owned());
    }
    Ok(keys)
}

impl Entry {
    fn read(self) -> Result<Option<Key>, String> {
        if self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return Ok(None);
        }
        let algorithm = match &self.alg {
            None => None,
            Some(name) => match serde_json::from_value::<Algorithm>(name.as_str().into()) {
                Ok(algorithm) => Some(algorithm),
                Err(_) => return Ok(None),
            },
        };
        let Some(material) = self.material(algorithm)? else {
            return Ok(None);
        };
        if algorithm.is_some_and(|algorithm| !material.is_for(algorithm)) {
            return Err("it is not for the algorithm that it names".to_owned());
        }
        Ok(Some(Key {
            id: self.kid,
            algorithm,
            material,
        }))
    }

    /// None for a kind of key that is not known.
    fn material(&self, algorithm: Option<Algorithm>) -> Result<Option<Material>, String> {
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => Material::of_rsa_parts(&part("n", &self.n)?, &part("e", &self.e)?).map(Some),
            ("EC", Some("P-256")) => self.point(32).map(Some),
            ("EC", Some("P-384")) => self.point(48).map(Some),
            ("OKP", Some("Ed25519")) => Material::of_ed25519(&part("x", &self.x)?).map(Some),
            ("oct", _) => self.secret(algorithm).map(Some),
            _ => Ok(None),
        }
    }

    fn point(&self, bytes: usize) -> Result<Material, String> {
        Material::of_coordinates(&part("x", &self.x)?, &part("y", &self.y)?, bytes)
    }

    fn secret(&self, algorithm: Option<Algorithm>) -> Result<Material, String> {
        let Some(needed) = algorithm.and_then(Algorithm::secret_bytes_min) else {
            return Err("a secret needs `alg`: HS256, HS384 or HS512".to_owned());
        };
        let secret = part("k", &self.k)?;
        if secret.len() < needed {
            return Err(format!("a secret of {} bytes, needed are {needed}", secret.len()));
        }
        Ok(Material::Secret(secret))
    }
}

fn part(name: &str, value: &Option<String>) -> Result<Vec<u8>, String> {
    let text = value.as_deref().ok_or_else(|| format!("`{name}` is missing"))?;
    Base64UrlUnpadded::decode_vec(text).map_err(|_| format!("`{name}` is no base 64"))
}
