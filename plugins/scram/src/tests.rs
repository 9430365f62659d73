//! Tests of the plugin as the broker sees it. `user` with the password `pencil` is the example of RFC 7677, 3.

use hookwire_plugin::mock::{self, Mock};

use super::*;

/// Made of the RFC's password, salt and 4096 iterations with Python's `hashlib` and `hmac`.
const USER: &str = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
const FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const SERVER_FIRST: &str =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const LAST: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const SERVER_LAST: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

fn scram() -> Scram {
    mock::plugin(&format!(r#"{{"users": "user:{USER}"}}"#)).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The challenge and the state, with the RFC's nonce.
fn challenge(plugin: &Scram, first: &str) -> Option<(String, Vec<u8>)> {
    match plugin.challenge(Some(first.as_bytes()), NONCE)? {
        Step::Challenge { data, state } => Some((String::from_utf8(data).unwrap(), state)),
        other => panic!("expected a challenge, got {other:?}"),
    }
}

fn answer(plugin: &Scram, last: &str) -> Step {
    let (_, state) = challenge(plugin, FIRST).expect("well-formed");
    plugin.proceed(METHOD, Some(last.as_bytes()), &state)
}

fn wrong() -> Step {
    Step::deny(ConnectReason::BadUserNameOrPassword)
}

#[test]
fn the_example_of_the_rfc() {
    let plugin = scram();
    let (server_first, _) = challenge(&plugin, FIRST).expect("well-formed");
    assert_eq!(server_first, SERVER_FIRST);
    let admitted = Step::Allow {
        grant: Grant {
            username: Some("user".into()),
            ..Grant::default()
        },
        data: Some(SERVER_LAST.into()),
    };
    assert_eq!(answer(&plugin, LAST), admitted);
}

#[test]
fn a_proof_with_a_changed_byte_is_wrong() {
    let plugin = scram();
    assert_eq!(answer(&plugin, &LAST.replace("p=dH", "p=eH")), wrong());
    // An extension is part of what was signed.
    assert_eq!(answer(&plugin, &LAST.replace(",p=", ",x=1,p=")), wrong());
}

#[test]
fn what_does_not_go_with_the_beginning_is_refused() {
    let plugin = scram();
    for changed in [
        LAST.replace("c=biws", "c=eSws"),
        LAST.replace("hNlF", "hNlf"),
        LAST.replace(",p=", ",q="),
        LAST.replace("VQ=", ""),
        String::new(),
    ] {
        assert_eq!(answer(&plugin, &changed), malformed(), "{changed}");
    }
    let (_, state) = challenge(&plugin, FIRST).expect("well-formed");
    assert_eq!(plugin.proceed(METHOD, None, &state), malformed());
}

#[test]
fn beginnings_that_are_taken_and_that_are_not() {
    let plugin = scram();
    for good in [
        "n,,n=user,r=a",
        "y,,n=user,r=a",
        "n,a=user,n=user,r=a",
        "n,,n=us=2Cer=3D,r=a",
        "n,,n=user,r=a,x=1",
    ] {
        assert!(challenge(&plugin, good).is_some(), "{good}");
    }
    for bad in [
        "p=tls-unique,,n=user,r=a",
        "n,a=admin,n=user,r=a",
        "n,,m=x,n=user,r=a",
        "n,,n=,r=a",
        "n,,n=user,r=",
        "n,,n=us=er,r=a",
        "n,,n=user",
        "n,n=user,r=a",
        "n,,n=us\0er,r=a",
        "",
    ] {
        assert!(challenge(&plugin, bad).is_none(), "{bad}");
    }
    assert_eq!(plugin.begin(METHOD, None, &Credentials::new("c")), malformed());
}

#[test]
fn nobody_can_tell_who_exists() {
    let plugin = scram();
    let ghost = "n,,n=ghost,r=rOprNGfwEbeRWgbNEkqO";
    let (server_first, state) = challenge(&plugin, ghost).expect("well-formed");
    assert_eq!(server_first.len(), SERVER_FIRST.len());
    assert!(server_first.ends_with(",i=4096"));
    // Asked again, by another instance too: the same salt.
    assert_eq!(challenge(&scram(), ghost).expect("well-formed").0, server_first);
    assert_ne!(
        challenge(&plugin, "n,,n=spook,r=rOprNGfwEbeRWgbNEkqO")
            .expect("well-formed")
            .0,
        server_first
    );
    assert_eq!(plugin.proceed(METHOD, Some(LAST.as_bytes()), &state), wrong());
}

#[test]
fn each_exchange_has_a_nonce_of_its_own() {
    let _host = Mock::new();
    let plugin = scram();
    let begin = || plugin.begin(METHOD, Some(FIRST.as_bytes()), &Credentials::new("c"));
    assert_ne!(begin(), begin());
}

#[test]
fn other_methods_are_for_others() {
    for method in ["SCRAM-SHA-256-PLUS", "scram-sha-256", ""] {
        assert_eq!(
            scram().begin(method, Some(FIRST.as_bytes()), &Credentials::new("c")),
            Step::Next
        );
    }
}

#[test]
fn lines_that_cannot_be_read_are_named() {
    let lines = format!(
        "# people\nuser:{USER}\n\nplain:secret\nweak:{}\nuser:{USER}\n:{USER}\nnothing",
        USER.replace("4096", "4095")
    );
    let Err(problems) = mock::plugin::<Scram>(&format!(r#"{{"users": {lines:?}}}"#)) else {
        panic!("accepted");
    };
    let texts: Vec<_> = problems
        .0
        .iter()
        .map(|problem| problem.message.as_str())
        .collect();
    assert_eq!(
        texts,
        [
            "line 4: user `plain`: expected `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`",
            "line 5: user `weak`: the number of iterations is not between 4096 and 10000000",
            "line 6: there is a user `user` above",
            "line 7: the user name is empty",
            "line 8: expected `name:verifier`",
        ]
    );
    assert!(mock::plugin::<Scram>(r##"{"users": "# nobody\n"}"##).is_err());
}
