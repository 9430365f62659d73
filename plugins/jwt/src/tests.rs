//! Tests of the plugin as the broker sees it. The tokens of `testdata` were made with Python's `cryptography`: they are of
//! alice, by https://issuer.example for mqtt and web, good until 2100.

use base64ct::{Base64UrlUnpadded, Encoding};
use hmac::{Hmac, Mac};
use hookwire_plugin::authenticate::{RuleAction, TopicRule};
use hookwire_plugin::mock::{self, Mock};
use hookwire_plugin::signatures::Algorithm as Verifier;
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use serde_json::{Value, json};
use sha2::{Sha256, Sha384, Sha512};

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// What the mock's clock says, seconds.
const NOW: u64 = 1_780_000_000;

const RSA: &str = include_str!("../testdata/rsa.pem");
const JWKS: &str = include_str!("../testdata/jwks.json");
const P256: &str = include_str!("../testdata/p256.pem");
const SIGNED: [(&str, &str, &str); 8] = [
    ("RS256", RSA, include_str!("../testdata/rs256.jwt")),
    ("RS384", RSA, include_str!("../testdata/rs384.jwt")),
    ("RS512", RSA, include_str!("../testdata/rs512.jwt")),
    ("PS256", RSA, include_str!("../testdata/ps256.jwt")),
    (
        "RS256",
        include_str!("../testdata/rsa-pkcs1.pem"),
        include_str!("../testdata/rs256.jwt"),
    ),
    ("ES256", P256, include_str!("../testdata/es256.jwt")),
    (
        "ES384",
        include_str!("../testdata/p384.pem"),
        include_str!("../testdata/es384.jwt"),
    ),
    (
        "EdDSA",
        include_str!("../testdata/ed25519.pem"),
        include_str!("../testdata/eddsa.jwt"),
    ),
];

/// The mock's host, with the verification that the broker has.
fn host() -> Mock {
    let host = Mock::new();
    host.verify_signatures_with(|verifier, key, message, signature| {
        let algorithm: &dyn VerificationAlgorithm = match verifier {
            Verifier::RsaPkcs1Sha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Verifier::RsaPkcs1Sha384 => &signature::RSA_PKCS1_2048_8192_SHA384,
            Verifier::RsaPkcs1Sha512 => &signature::RSA_PKCS1_2048_8192_SHA512,
            Verifier::RsaPssSha256 => &signature::RSA_PSS_2048_8192_SHA256,
            Verifier::RsaPssSha384 => &signature::RSA_PSS_2048_8192_SHA384,
            Verifier::RsaPssSha512 => &signature::RSA_PSS_2048_8192_SHA512,
            Verifier::EcdsaP256Sha256 => &signature::ECDSA_P256_SHA256_FIXED,
            Verifier::EcdsaP384Sha384 => &signature::ECDSA_P384_SHA384_FIXED,
            Verifier::Ed25519 => &signature::ED25519,
        };
        UnparsedPublicKey::new(algorithm, key)
            .verify(message, signature)
            .is_ok()
    });
    host
}

fn plugin(config: Value) -> Jwt {
    mock::plugin(&config.to_string()).unwrap()
}

/// A plugin that knows the secret, with these keys besides.
fn of_secret(more: Value) -> Jwt {
    let mut config = json!({ "keys": [{ "secret": SECRET }] });
    for (key, value) in more.as_object().unwrap() {
        config[key] = value.clone();
    }
    plugin(config)
}

fn problems(config: Value) -> Vec<(String, String)> {
    let Err(problems) = mock::plugin::<Jwt>(&config.to_string()) else {
        panic!("accepted: {config}")
    };
    problems
        .0
        .into_iter()
        .map(|problem| (problem.path, problem.message))
        .collect()
}

fn part(value: &Value) -> String {
    Base64UrlUnpadded::encode_string(value.to_string().as_bytes())
}

/// A token with this header and these claims, signed with the secret as HS256.
fn token_of(header: &Value, claims: &Value) -> String {
    let signed = format!("{}.{}", part(header), part(claims));
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    let code = mac.chain_update(&signed).finalize().into_bytes();
    format!("{signed}.{}", Base64UrlUnpadded::encode_string(&code))
}

/// A token of alice that is good for an hour, with these claims besides.
fn token(more: Value) -> String {
    let mut claims = json!({ "sub": "alice", "exp": NOW + 3600 });
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
        .as_object_mut()
        .unwrap()
        .retain(|_, value| !value.is_null());
    token_of(&json!({ "alg": "HS256", "typ": "JWT" }), &claims)
}

fn bearer(token: &str) -> Credentials {
    Credentials::new("c1").with_password("anyone", token.trim())
}

#[track_caller]
fn admitted(plugin: &Jwt, token: &str) -> Grant {
    let host = host();
    match plugin.authenticate(&bearer(token)) {
        Outcome::Allow(grant) => grant,
        other => panic!("{other:?}: {:?}", host.log_lines()),
    }
}

/// Why a token is refused.
#[track_caller]
fn refused(plugin: &Jwt, token: &str) -> String {
    let host = host();
    let outcome = plugin.authenticate(&bearer(token));
    let denied = Outcome::Deny(ConnectReason::BadUserNameOrPassword.into());
    assert_eq!(outcome, denied, "{token}");
    host.log_lines().pop().unwrap_or_default()
}

#[test]
fn every_algorithm_verifies_its_tokens_and_no_others() {
    for (name, pem, token) in SIGNED {
        let plugin = plugin(json!({ "keys": [{ "pem": pem }] }));
        assert_eq!(
            admitted(&plugin, token).username.as_deref(),
            Some("alice"),
            "{name}"
        );
        let is_rsa = |name: &str| name.starts_with("RS") || name.starts_with("PS");
        for (other, _, other_token) in SIGNED {
            if name != other && !(is_rsa(name) && is_rsa(other)) {
                assert!(refused(&plugin, other_token).contains("no key"), "{name} {other}");
            }
        }
        // The last bits of the last character may mean nothing, so one in the middle is changed.
        let mut damaged: Vec<char> = token.trim().chars().collect();
        let at = damaged.len() - 20;
        damaged[at] = if damaged[at] == 'A' { 'B' } else { 'A' };
        let damaged: String = damaged.into_iter().collect();
        assert!(refused(&plugin, &damaged).contains("signature"), "{name}");
    }
}

#[test]
fn all_three_hmacs_are_known() {
    macro_rules! sign {
        ($digest:ty, $signed:expr) => {
            Hmac::<$digest>::new_from_slice(SECRET.as_bytes())
                .unwrap()
                .chain_update($signed)
                .finalize()
                .into_bytes()
                .to_vec()
        };
    }
    for algorithm in ["HS256", "HS384", "HS512"] {
        let header = part(&json!({ "alg": algorithm }));
        let signed = format!("{header}.{}", part(&json!({ "sub": "alice", "exp": NOW + 60 })));
        let code = match algorithm {
            "HS256" => sign!(Sha256, &signed),
            "HS384" => sign!(Sha384, &signed),
            _ => sign!(Sha512, &signed),
        };
        let token = format!("{signed}.{}", Base64UrlUnpadded::encode_string(&code));
        let plugin = plugin(json!({ "keys": [{ "secret": SECRET, "algorithm": algorithm }] }));
        admitted(&plugin, &token);
        let short = token[..token.len() - 12].to_owned();
        refused(&plugin, &short);
        let other = if algorithm == "HS256" { "HS512" } else { "HS256" };
        let other = self::plugin(json!({ "keys": [{ "secret": SECRET, "algorithm": other }] }));
        assert!(refused(&other, &token).contains("no key"), "{algorithm}");
    }
}

#[test]
fn a_set_of_keys_is_read_and_the_right_one_found() {
    let plugin = plugin(json!({ "jwks": JWKS }));
    for (_, _, token) in SIGNED {
        admitted(&plugin, token);
    }
    let ids: Vec<_> = plugin.keys.0.iter().filter_map(|key| key.id.as_deref()).collect();
    assert_eq!(
        ids,
        ["rsa", "p256", "p384", "ed"],
        "those for encryption and of other curves are left out"
    );
}

#[test]
fn a_token_goes_to_the_key_that_it_names() {
    let keys = json!([
        { "id": "old", "secret": "x".repeat(32) },
        { "id": "new", "secret": SECRET },
    ]);
    let plugin = plugin(json!({ "keys": keys }));
    let claims = json!({ "sub": "alice", "exp": NOW + 60 });
    admitted(
        &plugin,
        &token_of(&json!({ "alg": "HS256", "kid": "new" }), &claims),
    );
    admitted(&plugin, &token_of(&json!({ "alg": "HS256" }), &claims));
    let said = refused(
        &plugin,
        &token_of(&json!({ "alg": "HS256", "kid": "old" }), &claims),
    );
    assert!(said.contains("signature"), "{said}");
    let said = refused(
        &plugin,
        &token_of(&json!({ "alg": "HS256", "kid": "other" }), &claims),
    );
    assert!(said.contains("no key"), "{said}");
}

/// CVE-2015-9235 and its like.
#[test]
fn no_token_chooses_how_it_is_verified() {
    let plugin = plugin(json!({ "keys": [{ "pem": RSA }], "jwks": JWKS }));
    let confused = include_str!("../testdata/confused.jwt");
    assert!(
        refused(&plugin, confused).contains("no key"),
        "a public key is no secret"
    );

    let claims = json!({ "sub": "alice", "exp": NOW + 60 });
    for none in ["none", "None", "NONE", "nOnE", "", "HS257", "RS1"] {
        let unsigned = format!("{}.{}.", part(&json!({ "alg": none })), part(&claims));
        assert!(refused(&plugin, &unsigned).contains("header"), "{none}");
    }
    // Keys that a token brings along are not looked at.
    let own: Value = serde_json::from_str::<Value>(JWKS).unwrap()["keys"][0].clone();
    let header = json!({ "alg": "HS256", "jwk": own, "jku": "https://evil.example/keys", "x5u": "https://evil.example" });
    assert!(refused(&plugin, &token_of(&header, &claims)).contains("no key"));
    let header = json!({ "alg": "HS256", "crit": ["exp"] });
    assert!(refused(&of_secret(json!({})), &token_of(&header, &claims)).contains("critical"));
    let header = json!({ "alg": "HS256", "typ": "secevent+jwt" });
    assert!(refused(&of_secret(json!({})), &token_of(&header, &claims)).contains("type"));
}

#[test]
fn what_is_no_token_is_refused_and_never_a_panic() {
    let plugin = of_secret(json!({}));
    let good = token(json!({}));
    for end in 0..good.len() {
        let outcome = plugin.authenticate(&bearer(&good[..end]));
        assert!(!matches!(outcome, Outcome::Allow(_)), "{end}");
    }
    for odd in [
        "eyJ",
        "eyJ..",
        "eyJ.eyJ.eyJ",
        "eyJ.a.b.c.d",
        "eyJhbGciOiJIUzI1NiJ9.e30=.x",
        "eyJä.b.c",
    ] {
        refused(&plugin, odd);
    }
    refused(&plugin, &format!("eyJ{}", "a".repeat(70_000)));
    let list = format!("{}.{}.", part(&json!({ "alg": "HS256" })), part(&json!([])));
    refused(&plugin, &list);
}

#[test]
fn a_token_has_its_time() {
    let plugin = of_secret(json!({}));
    let grant = admitted(&plugin, &token(json!({})));
    assert_eq!(
        grant.expires_in_secs,
        Some(3600),
        "the client is disconnected when it ends"
    );
    assert_eq!(
        admitted(&plugin, &token(json!({ "exp": NOW - 29 }))).expires_in_secs,
        Some(1)
    );
    assert_eq!(
        admitted(&plugin, &token(json!({ "exp": NOW as f64 + 10.5 }))).expires_in_secs,
        Some(10)
    );
    admitted(&plugin, &token(json!({ "nbf": NOW + 30, "iat": NOW + 30 })));
    let cases = [
        (json!({ "exp": NOW - 30 }), "expired"),
        (json!({ "exp": 0 }), "expired"),
        (json!({ "exp": null }), "does not say when it ends"),
        (json!({ "exp": "tomorrow" }), "no time"),
        (json!({ "exp": -1 }), "no time"),
        (json!({ "nbf": NOW + 31 }), "not good yet"),
        (json!({ "iat": NOW + 31 }), "not good yet"),
    ];
    for (claims, text) in cases {
        let said = refused(&plugin, &token(claims.clone()));
        assert!(said.contains(text), "{claims}: {said}");
    }
    let trusting = of_secret(json!({ "require_expiry": false, "leeway_secs": 0 }));
    assert_eq!(
        admitted(&trusting, &token(json!({ "exp": null }))).expires_in_secs,
        None
    );
    refused(&trusting, &token(json!({ "exp": NOW })));
    let strict = of_secret(json!({ "lifetime_secs_max": 600 }));
    assert!(refused(&strict, &token(json!({}))).contains("too long"));
    admitted(&strict, &token(json!({ "exp": NOW + 600 })));
}

#[test]
fn a_token_is_by_whom_and_for_whom_it_should_be() {
    let config = json!({ "issuer": "https://a", "audience": ["mqtt", "broker"], "require": { "realm.name": "plant" } });
    let plugin = of_secret(config);
    let good = json!({ "iss": "https://a", "aud": "mqtt", "realm": { "name": "plant" } });
    admitted(&plugin, &token(good.clone()));
    let cases = [
        ("iss", json!("https://b"), "issuer"),
        ("iss", json!(null), "issuer"),
        ("iss", json!(["https://a"]), "no text"),
        ("aud", json!("web"), "is for"),
        ("aud", json!([]), "is for"),
        ("aud", json!(7), "neither"),
        ("realm", json!({ "name": "office" }), "realm.name"),
        ("realm", json!(null), "realm.name"),
    ];
    for (name, value, text) in cases {
        let mut claims = good.clone();
        claims[name] = value;
        let said = refused(&plugin, &token(claims.clone()));
        assert!(said.contains(text), "{claims}: {said}");
    }
    let mut claims = good;
    claims["aud"] = json!(["web", "broker"]);
    admitted(&plugin, &token(claims));
}

#[test]
fn names_come_from_the_token() {
    let plugin = of_secret(json!({ "username_claim": "email", "client_id_claim": "device" }));
    let claims = |device: &str| json!({ "email": "a@example.org", "device": device });
    let grant = admitted(&plugin, &token(claims("c1")));
    assert_eq!(
        (grant.username.as_deref(), grant.client_id),
        (Some("a@example.org"), None)
    );
    assert!(refused(&plugin, &token(claims("c2"))).contains("another client"));
    assert!(refused(&plugin, &token(json!({ "email": "a" }))).contains("`device`"));
    assert!(refused(&plugin, &token(json!({ "device": "c1" }))).contains("`email`"));

    let nameless = Credentials::new("").with_password("x", token(claims("c9")));
    let Outcome::Allow(grant) = plugin.authenticate(&nameless) else {
        panic!("refused")
    };
    assert_eq!(
        grant.client_id.as_deref(),
        Some("c9"),
        "who has no id gets that of the token"
    );

    let matching = of_secret(json!({ "match_username": true }));
    assert!(refused(&matching, &token(json!({ "sub": "bob" }))).contains("another user"));
    admitted(&matching, &token(json!({ "sub": "anyone" })));
}

#[test]
fn facts_and_rights_come_from_claims() {
    let config = json!({
        "attributes": { "team": "org.team", "roles": "roles", "level": "level", "none": "missing" },
        "superuser_claim": "admin",
    });
    let plugin = of_secret(config);
    let claims = json!({ "org": { "team": "north" }, "roles": ["a", "b"], "level": 3, "admin": true });
    let grant = admitted(&plugin, &token(claims));
    let attributes: Vec<_> = grant
        .attributes
        .iter()
        .map(|attribute| (attribute.name.as_str(), attribute.value.as_str()))
        .collect();
    assert_eq!(attributes, [("level", "3"), ("roles", "a,b"), ("team", "north")]);
    assert!(grant.superuser && grant.rules.is_empty());
    for admin in [json!("true"), json!(1), json!(false), json!(null)] {
        assert!(!admitted(&plugin, &token(json!({ "admin": admin }))).superuser);
    }
}

#[test]
fn topic_rules_come_in_two_forms() {
    let ordered = json!([
        { "permission": "deny", "action": "all", "topic": "a/secret" },
        { "permission": "allow", "action": "publish", "topics": ["a/#", "d/${clientid}/#"] },
        { "permission": "allow", "action": "sub", "topic": "u/%u" },
    ]);
    let rules = admitted(&of_secret(json!({})), &token(json!({ "acl": ordered }))).rules;
    let deny_others = TopicRule::deny(RuleAction::Both, "#");
    let expected = [
        TopicRule::deny(RuleAction::Both, "a/secret"),
        TopicRule::allow(RuleAction::Publish, "a/#"),
        TopicRule::allow(RuleAction::Publish, "d/%c/#"),
        TopicRule::allow(RuleAction::Subscribe, "u/%u"),
        deny_others.clone(),
    ];
    assert_eq!(rules, expected);

    let allowed = json!({ "pub": ["p"], "sub": ["s/#"], "all": ["b"] });
    let plugin = of_secret(json!({ "rules_claim": "perm.mqtt", "others": "next" }));
    let rules = admitted(&plugin, &token(json!({ "perm": { "mqtt": allowed } }))).rules;
    let expected = [
        TopicRule::allow(RuleAction::Publish, "p"),
        TopicRule::allow(RuleAction::Subscribe, "s/#"),
        TopicRule::allow(RuleAction::Both, "b"),
    ];
    assert_eq!(rules, expected);

    let empty = admitted(&of_secret(json!({})), &token(json!({ "acl": [] }))).rules;
    assert_eq!(empty, [deny_others], "a list of nothing allows nothing");
}

#[test]
fn rules_that_cannot_be_read_admit_nobody() {
    let plugin = of_secret(json!({}));
    let one = |rule: Value| json!([rule]);
    let claims = [
        json!("a/#"),
        json!(null),
        json!({ "publish": ["a"] }),
        one(json!({ "permission": "perhaps", "action": "all", "topic": "a" })),
        one(json!({ "permission": "allow", "action": "all", "topic": "a/#/b" })),
        one(json!({ "permission": "allow", "action": "all", "topic": "a", "qos": 1 })),
        json!({ "all": vec!["a"; 1001] }),
    ];
    for acl in claims.into_iter().filter(|acl| !acl.is_null()) {
        let said = refused(&plugin, &token(json!({ "acl": acl })));
        assert!(said.contains("the claim `acl`"), "{acl}: {said}");
    }
}

#[test]
fn the_token_may_be_the_user_name_and_others_are_left_to_others() {
    let token = token(json!({}));
    let plugin = of_secret(json!({ "token": "username", "absent": "deny" }));
    let mut who = Credentials::new("c1");
    who.username = Some(token.clone());
    assert!(matches!(plugin.authenticate(&who), Outcome::Allow(_)));
    assert!(
        matches!(plugin.authenticate(&bearer(&token)), Outcome::Deny(_)),
        "it is not where it should be"
    );

    let plugin = of_secret(json!({}));
    for who in [
        Credentials::new("c1"),
        Credentials::new("c1").with_password("u", "letmein"),
        Credentials::new("c1").with_password("u", vec![0xff]),
    ] {
        assert_eq!(plugin.authenticate(&who), Outcome::Next, "{who:?}");
    }
}

#[test]
fn keys_that_are_none_or_too_weak_are_refused() {
    let weak = include_str!("../testdata/rsa-1024.pem");
    let private = "-----BEGIN PRIVATE KEY-----\nMC4=\n-----END PRIVATE KEY-----";
    let cases = [
        (json!([{}]), "keys.0", "expected one of"),
        (
            json!([{ "secret": SECRET, "pem": RSA }]),
            "keys.0",
            "expected one of",
        ),
        (json!([{ "secret": "short" }]), "keys.0.secret", "needed are 32"),
        (
            json!([{ "secret": &SECRET[..40], "algorithm": "HS512" }]),
            "keys.0.secret",
            "needed are 64",
        ),
        (
            json!([{ "secret": RSA }]),
            "keys.0.secret",
            "public key is no secret",
        ),
        (
            json!([{ "secret": SECRET, "algorithm": "RS256" }]),
            "keys.0.secret",
            "HS256, HS384 or HS512",
        ),
        (
            json!([{ "secret_base64": "***" }]),
            "keys.0.secret_base64",
            "base 64",
        ),
        (
            json!([{ "pem": RSA, "algorithm": "HS256" }]),
            "keys.0.algorithm",
            "not for this algorithm",
        ),
        (
            json!([{ "pem": RSA, "algorithm": "none" }]),
            "keys.0.algorithm",
            "unknown variant",
        ),
        (
            json!([{ "pem": "letmein" }]),
            "keys.0.pem",
            "expected the public key",
        ),
        (json!([{ "pem": private }]), "keys.0.pem", "private key"),
        (json!([{ "pem": weak }]), "keys.0.pem", "1024 bits"),
        (json!([]), "", "no key at all"),
    ];
    for (keys, path, text) in cases {
        let found = problems(json!({ "keys": keys }));
        assert_eq!(found[0].0, path, "{keys}: {found:?}");
        assert!(found[0].1.contains(text), "{keys}: {found:?}");
    }
    let sets = [
        ("{}", "not a set"),
        (r#"{"keys": []}"#, "no key of the set"),
        (r#"{"keys": [{"kty": "oct", "k": "AAAA"}]}"#, "needs `alg`"),
        (
            r#"{"keys": [{"kty": "oct", "alg": "HS256", "k": "AAAA"}]}"#,
            "needed are 32",
        ),
        (
            r#"{"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}"#,
            "32 bytes",
        ),
        (r#"{"keys": [{"kty": "RSA", "n": "AQAB"}]}"#, "`e` is missing"),
        (
            r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}]}"#,
            "32 bytes",
        ),
    ];
    for (set, text) in sets {
        let found = problems(json!({ "jwks": set }));
        assert!(
            found[0].0 == "jwks" && found[0].1.contains(text),
            "{set}: {found:?}"
        );
    }
}

#[test]
fn other_mistakes_in_the_table_are_told() {
    let cases = [
        (json!({ "leeway_secs": 100_000 }), "leeway_secs"),
        (json!({ "username_claim": "" }), "username_claim"),
        (
            json!({ "token": "username", "match_username": true }),
            "match_username",
        ),
        (json!({ "isuer": "x" }), "isuer"),
    ];
    for (more, path) in cases {
        let mut config = json!({ "keys": [{ "secret": SECRET }] });
        for (key, value) in more.as_object().unwrap() {
            config[key] = value.clone();
        }
        assert_eq!(problems(config)[0].0, path, "{more}");
    }
}
