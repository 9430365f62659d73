//! Enhanced authentication of MQTT 5: AUTH packets, with SCRAM-SHA-256 as the method.

use base64ct::{Base64, Encoding};
use bytes::Bytes;
use bytestring::ByteString;
use hmac::{Hmac, Mac};
use hookwire_protocol::{
    Auth, AuthProperties, AuthReason, Connack, Connect, ConnectReason, Disconnect, DisconnectReason, Packet,
    PublishReason, QoS,
};
use hookwire_tests::{Broker, Client, Witness, bundled, v5, v311, will};
use pbkdf2::pbkdf2_hmac;
use sha2::{Digest, Sha256};

const METHOD: &str = "SCRAM-SHA-256";

/// `alice` with `correct horse` and `bob` with `letmein`, 4096 iterations.
const USERS: &str = "users = \"\"\"
alice:SCRAM-SHA-256$4096:YWxpY2Utc2FsdC0xNi1ieQ==$0I2wpyzJjfksjaphuRQA5FB+xa5h/HMzMgmB0r/rZGM=:MILzIbVU/cFcfQDMzaa+/RKCOfdM5Xqm9XHk/fMm5R8=
bob:SCRAM-SHA-256$4096:Ym9iYnktc2FsdC0xNi1ieQ==$LXz/jSvQpw3mIWD+a5n6CHZUw/b0Z74G+OLl0ow+PEQ=:/mI3MHiv+PoBHii/GtAByowZwFWLkd6Orrh2w96+mew=
\"\"\"";

fn scram() -> String {
    bundled("scram", "grant = { random = true }", USERS)
}

/// Broker with the plugin and, for the tests of silence, little patience.
fn broker() -> Broker {
    Broker::start(&scram())
}

fn hmac(key: &[u8], text: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

/// The client's side of SCRAM.
struct Login {
    first_bare: String,
    password: &'static str,
}

/// What the client says last, and what the broker has to answer.
struct Last {
    message: String,
    server_signature: String,
}

impl Login {
    fn new(user: &str, password: &'static str) -> Self {
        Self {
            first_bare: format!("n={user},r=fyko+d2lbbFgONRv9qkxdawL"),
            password,
        }
    }

    fn first(&self) -> String {
        format!("n,,{}", self.first_bare)
    }

    /// A CONNECT that begins the exchange.
    fn connect(&self, connect: Connect) -> Connect {
        with_method(connect, METHOD, &self.first())
    }

    /// The proof, from the broker's challenge.
    fn last(&self, challenge: &Auth) -> Last {
        assert_eq!(challenge.reason, AuthReason::ContinueAuthentication);
        assert_eq!(method_of(challenge), METHOD);
        let server_first = text_of(challenge);
        let fields: Vec<_> = server_first.split(',').map(|field| &field[2..]).collect();
        let (nonce, salt) = (fields[0], Base64::decode_vec(fields[1]).expect("base64"));
        let iterations = fields[2].parse().expect("a number");
        let mut salted = [0; 32];
        pbkdf2_hmac::<Sha256>(self.password.as_bytes(), &salt, iterations, &mut salted);
        let client_key = hmac(&salted, "Client Key");
        let without_proof = format!("c=biws,r={nonce}");
        let auth_message = format!("{},{server_first},{without_proof}", self.first_bare);
        let signature = hmac(&Sha256::digest(client_key), &auth_message);
        let proof: Vec<_> = client_key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        let server_signature = hmac(&hmac(&salted, "Server Key"), &auth_message);
        Last {
            message: format!("{without_proof},p={}", Base64::encode_string(&proof)),
            server_signature: format!("v={}", Base64::encode_string(&server_signature)),
        }
    }

    /// Connects and is admitted, and sees that the broker knows the user too.
    #[track_caller]
    fn log_in(&self, broker: &Broker, connect: Connect) -> Client {
        let mut client = Client::begin(broker, self.connect(connect));
        let last = self.last(&client.expect::<Auth>());
        client.send(answer(&last.message));
        client.admitted();
        let properties = &client.connack().properties;
        assert_eq!(properties.authentication_method.as_deref(), Some(METHOD));
        assert_eq!(
            properties.authentication_data.as_deref(),
            Some(last.server_signature.as_bytes())
        );
        client
    }

    /// Is challenged, answers, and is refused.
    #[track_caller]
    fn refused(&self, broker: &Broker) -> Connack {
        let mut client = Client::begin(broker, self.connect(v5("refused")));
        let last = self.last(&client.expect::<Auth>());
        client.send(answer(&last.message));
        refusal(&mut client)
    }

    /// Begins to authenticate again, and answers the challenge.
    #[track_caller]
    fn again(&self, client: &mut Client) -> Last {
        client.send(auth(AuthReason::ReAuthenticate, METHOD, &self.first()));
        let last = self.last(&client.answer(|_: &Auth| true));
        client.send(answer(&last.message));
        last
    }
}

fn alice() -> Login {
    Login::new("alice", "correct horse")
}

fn with_method(mut connect: Connect, method: &'static str, data: &str) -> Connect {
    connect.properties.authentication_method = Some(ByteString::from_static(method));
    connect.properties.authentication_data = Some(Bytes::copy_from_slice(data.as_bytes()));
    connect
}

fn auth(reason: AuthReason, method: &'static str, data: &str) -> Packet {
    Packet::Auth(Box::new(Auth {
        reason,
        properties: AuthProperties {
            authentication_method: Some(ByteString::from_static(method)),
            authentication_data: Some(Bytes::copy_from_slice(data.as_bytes())),
            ..AuthProperties::default()
        },
    }))
}

fn answer(data: &str) -> Packet {
    auth(AuthReason::ContinueAuthentication, METHOD, data)
}

fn method_of(auth: &Auth) -> &str {
    auth.properties
        .authentication_method
        .as_deref()
        .unwrap_or_default()
}

fn text_of(auth: &Auth) -> String {
    let data = auth.properties.authentication_data.as_deref().unwrap_or_default();
    String::from_utf8(data.to_vec()).expect("SCRAM is text")
}

#[track_caller]
fn refusal(client: &mut Client) -> Connack {
    let connack = client.expect::<Connack>();
    assert_ne!(connack.reason, ConnectReason::Success);
    client.expect_closed();
    connack
}

#[test]
fn a_client_that_knows_the_password_comes_in_and_talks() {
    let broker = broker();
    let mut lamp = alice().log_in(&broker, v5("lamp"));
    let mut panel = Login::new("bob", "letmein").log_in(&broker, v5("panel"));
    panel.subscribe("lamps/#", QoS::AtLeastOnce);
    assert_eq!(
        lamp.publish("lamps/1", "on", QoS::ExactlyOnce),
        PublishReason::Success
    );
    assert_eq!(panel.receive().payload, "on");
    lamp.expect_nothing();
}

#[test]
fn the_proven_name_is_the_name_in_force() {
    let acl = bundled(
        "acl",
        "grant = { clients = true }",
        "rules = [{ allow = \"all\", topic = \"of/%u/#\" }]",
    );
    let broker = Broker::start(&(scram() + &acl));
    let claims_to_be_bob = Connect {
        username: Some(ByteString::from_static("bob")),
        ..v5("c")
    };
    let mut client = alice().log_in(&broker, claims_to_be_bob);
    assert_eq!(
        client.publish("of/alice/x", "", QoS::AtLeastOnce),
        PublishReason::NoMatchingSubscribers
    );
    assert_eq!(
        client.publish("of/bob/x", "", QoS::AtLeastOnce),
        PublishReason::NotAuthorized
    );
}

/// Who exists cannot be told from what is said. [MQTT-4.12.0-4]
#[test]
fn a_wrong_password_and_an_unknown_user_are_refused_alike() {
    let broker = broker();
    let wrong = Login::new("alice", "battery staple").refused(&broker);
    let unknown = Login::new("nobody", "correct horse").refused(&broker);
    assert_eq!(wrong.reason, ConnectReason::BadUserNameOrPassword);
    assert_eq!(wrong, unknown);
}

/// [MQTT-4.12.0-1]
#[test]
fn a_method_that_nobody_knows_is_refused() {
    let broker = broker();
    for method in ["SCRAM-SHA-1", "SCRAM-SHA-256-PLUS", ""] {
        let connack = Client::refused(&broker, with_method(v5("c"), method, "n,,n=alice,r=x"));
        assert_eq!(connack.reason, ConnectReason::BadAuthenticationMethod, "{method}");
    }
}

#[test]
fn data_without_a_method_is_refused() {
    let broker = broker();
    let mut connect = v5("c");
    connect.properties.authentication_data = Some(Bytes::from_static(b"x"));
    assert_eq!(
        Client::refused(&broker, connect).reason,
        ConnectReason::ProtocolError
    );
}

#[test]
fn tampered_data_is_refused() {
    let broker = broker();
    type Change = fn(&str) -> String;
    let changes: [(&str, Change, ConnectReason); 4] = [
        (
            "another nonce",
            |last| last.replacen("r=fyko", "r=gyko", 1),
            ConnectReason::NotAuthorized,
        ),
        (
            "another header",
            |last| last.replacen("c=biws", "c=eSws", 1),
            ConnectReason::NotAuthorized,
        ),
        ("nothing", |_| String::new(), ConnectReason::NotAuthorized),
        (
            "an extension",
            |last| last.replacen(",p=", ",x=y,p=", 1),
            ConnectReason::BadUserNameOrPassword,
        ),
    ];
    for (name, change, reason) in changes {
        let mut client = Client::begin(&broker, alice().connect(v5("c")));
        let last = alice().last(&client.expect::<Auth>());
        client.send(answer(&change(&last.message)));
        assert_eq!(refusal(&mut client).reason, reason, "{name}");
    }
}

/// A proof is good for one exchange.
#[test]
fn a_proof_cannot_be_played_again() {
    let broker = broker();
    let mut overheard = Client::begin(&broker, alice().connect(v5("c")));
    let last = alice().last(&overheard.expect::<Auth>());
    let mut replaying = Client::begin(&broker, alice().connect(v5("d")));
    replaying.expect::<Auth>();
    replaying.send(answer(&last.message));
    assert_eq!(refusal(&mut replaying).reason, ConnectReason::NotAuthorized);
}

/// [MQTT-3.1.2-30], [MQTT-4.12.0-5]
#[test]
fn only_the_next_auth_may_come_in_the_middle() {
    let broker = broker();
    let cases = [
        ("PINGREQ", Packet::Pingreq, ConnectReason::ProtocolError),
        (
            "CONNECT",
            Packet::Connect(Box::new(v5("c"))),
            ConnectReason::ProtocolError,
        ),
        (
            "another method",
            auth(AuthReason::ContinueAuthentication, "SCRAM-SHA-1", ""),
            ConnectReason::BadAuthenticationMethod,
        ),
        (
            "re-authenticate",
            auth(AuthReason::ReAuthenticate, METHOD, "n,,n=alice,r=x"),
            ConnectReason::ProtocolError,
        ),
        (
            "success",
            auth(AuthReason::Success, METHOD, ""),
            ConnectReason::ProtocolError,
        ),
    ];
    for (name, packet, reason) in cases {
        let mut client = Client::begin(&broker, alice().connect(v5("c")));
        client.expect::<Auth>();
        client.send(packet);
        assert_eq!(refusal(&mut client).reason, reason, "{name}");
    }
}

#[test]
fn a_client_that_says_goodbye_in_the_middle_hears_nothing_more() {
    let broker = broker();
    let mut client = Client::begin(&broker, alice().connect(v5("c")));
    client.expect::<Auth>();
    client.send(Packet::Disconnect(Disconnect::new(
        DisconnectReason::NormalDisconnection,
    )));
    client.expect_closed();
}

#[test]
fn a_client_that_goes_silent_is_turned_away() {
    let broker = Broker::start(&("[limits]\nconnect_timeout = \"500ms\"\n".to_owned() + &scram()));
    let mut client = Client::begin(&broker, alice().connect(v5("c")));
    client.expect::<Auth>();
    assert_eq!(refusal(&mut client).reason, ConnectReason::NotAuthorized);
}

/// While they wait for clients, exchanges keep nobody from being asked about.
#[test]
fn silent_clients_do_not_hold_up_others() {
    let broker = Broker::start(&("[limits]\nauthentications_max = 1\n".to_owned() + &scram()));
    let mut silent = Client::begin(&broker, alice().connect(v5("silent")));
    let last = alice().last(&silent.expect::<Auth>());
    alice().log_in(&broker, v5("other")).expect_nothing();
    silent.send(answer(&last.message));
    silent.admitted();
}

/// [MQTT-4.12.0-6], [MQTT-4.12.0-7]
#[test]
fn clients_without_a_method_are_not_spoken_to_in_auth() {
    let config = "[[listener]]\nname = \"open\"\naddress = \"127.0.0.1:0\"\nallow_anonymous = true\n";
    let broker = Broker::start(&(config.to_owned() + &scram()));
    for version in [v5, v311] {
        Client::connect(&broker, version("plain")).expect_nothing();
    }
    for reason in [AuthReason::ReAuthenticate, AuthReason::ContinueAuthentication] {
        let mut client = Client::connect(&broker, v5("plain"));
        client.send(auth(reason, METHOD, "n,,n=alice,r=x"));
        client.expect_disconnect(DisconnectReason::ProtocolError);
    }
}

/// It authenticates, so a client that says nothing of itself is no longer let in on loopback either.
#[test]
fn with_the_plugin_the_anonymous_stay_out() {
    let broker = broker();
    for connect in [v5("c"), v311("c")] {
        assert_eq!(
            Client::refused(&broker, connect).reason,
            ConnectReason::NotAuthorized
        );
    }
}

#[test]
fn a_session_is_taken_over_only_after_success() {
    let broker = broker();
    let mut owner = alice().log_in(&broker, v5("c"));
    let mut thief = Client::begin(&broker, Login::new("alice", "wrong").connect(v5("c")));
    let last = Login::new("alice", "wrong").last(&thief.expect::<Auth>());
    owner.expect_nothing();
    thief.send(answer(&last.message));
    refusal(&mut thief);
    owner.expect_nothing();
    let mut successor = alice().log_in(&broker, v5("c"));
    owner.expect_disconnect(DisconnectReason::SessionTakenOver);
    successor.expect_nothing();
}

#[test]
fn a_refused_client_leaves_no_will() {
    let broker = broker();
    let mut heir = Login::new("bob", "letmein").log_in(&broker, v5("heir"));
    heir.subscribe("#", QoS::AtMostOnce);
    let dying = Connect {
        will: Some(will("gone", "")),
        ..v5("c")
    };
    let mut client = Client::begin(&broker, alice().connect(dying.clone()));
    client.expect::<Auth>();
    client.lose();
    heir.expect_nothing();
    alice().log_in(&broker, dying).lose();
    assert_eq!(heir.receive().topic, "gone");
}

/// [MQTT-4.12.1-1]
#[test]
fn a_client_authenticates_again_while_its_messages_flow() {
    let broker = Broker::start(
        &("[[listener]]\nname = \"open\"\naddress = \"127.0.0.1:0\"\nallow_anonymous = true\n".to_owned()
            + &scram()),
    );
    let witness = Witness::start(&broker, "again");
    let mut client = alice().log_in(&broker, v5("c"));
    client.subscribe("t", QoS::AtLeastOnce);
    for round in 0..3 {
        client.send(auth(AuthReason::ReAuthenticate, METHOD, &alice().first()));
        let challenge: Auth = client.answer(|_: &Auth| true);
        // The exchange is open, and the session goes on.
        client.publish("t", format!("{round}"), QoS::ExactlyOnce);
        assert_eq!(client.receive().payload, format!("{round}"));
        let last = alice().last(&challenge);
        client.send(answer(&last.message));
        let done: Auth = client.answer(|_: &Auth| true);
        assert_eq!((done.reason, method_of(&done)), (AuthReason::Success, METHOD));
        assert_eq!(text_of(&done), last.server_signature);
    }
    client.expect_nothing();
    witness.finish();
}

/// [MQTT-4.12.1-2]
#[test]
fn a_client_that_fails_to_authenticate_again_is_disconnected() {
    let broker = broker();
    let mut client = alice().log_in(&broker, v5("c"));
    Login::new("alice", "wrong").again(&mut client);
    client.expect_disconnect(DisconnectReason::NotAuthorized);
}

#[test]
fn nobody_becomes_another_by_authenticating_again() {
    let broker = broker();
    let mut client = alice().log_in(&broker, v5("c"));
    Login::new("bob", "letmein").again(&mut client);
    client.expect_disconnect(DisconnectReason::NotAuthorized);
}

#[test]
fn an_auth_out_of_turn_ends_the_connection() {
    let broker = broker();
    let again = || auth(AuthReason::ReAuthenticate, METHOD, &alice().first());
    let mut twice = alice().log_in(&broker, v5("twice"));
    twice.send(again());
    twice.expect::<Auth>();
    twice.send(again());
    twice.expect_disconnect(DisconnectReason::ProtocolError);

    let cases = [
        (answer(""), DisconnectReason::ProtocolError),
        (
            auth(AuthReason::Success, METHOD, ""),
            DisconnectReason::ProtocolError,
        ),
        (
            auth(AuthReason::ReAuthenticate, "SCRAM-SHA-1", ""),
            DisconnectReason::BadAuthenticationMethod,
        ),
    ];
    for (packet, reason) in cases {
        let mut client = alice().log_in(&broker, v5("once"));
        client.send(packet);
        client.expect_disconnect(reason);
    }
}

#[test]
fn a_client_that_goes_silent_while_it_authenticates_again_is_disconnected() {
    let broker = Broker::start(&("[limits]\nconnect_timeout = \"2s\"\n".to_owned() + &scram()));
    let mut client = alice().log_in(&broker, v5("c"));
    client.send(auth(AuthReason::ReAuthenticate, METHOD, &alice().first()));
    client.expect::<Auth>();
    client.expect_disconnect(DisconnectReason::NotAuthorized);
}

/// An exchange is ended by the plugin that began it, as it was configured then.
#[test]
fn an_exchange_survives_a_reload() {
    let broker = broker();
    let mut early = Client::begin(&broker, alice().connect(v5("early")));
    let last = alice().last(&early.expect::<Auth>());
    broker.put_in_force(&scram().replace("alice:", "eve:"));
    early.send(answer(&last.message));
    early.admitted();
    assert_eq!(
        alice().refused(&broker).reason,
        ConnectReason::BadUserNameOrPassword
    );
}
