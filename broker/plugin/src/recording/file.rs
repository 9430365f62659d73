//! A recording as a whole: a line about it, then one line a question.

use std::io::{self, BufRead, Read, Write};

use serde::{Deserialize, Serialize};

use super::Case;

/// The version of the format. Keys may come to be added; one that is taken away or changes its meaning makes another
/// version.
pub const FORMAT: u32 = 1;

/// Longest line, bytes: the largest packet of MQTT, as base64, and what is around it.
const LINE_BYTES_MAX: u64 = 384 << 20;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub hookwire_recording: u32,
    /// Name of the plugin in the broker's configuration.
    pub plugin: String,
    /// Digest of its component, hexadecimal.
    pub sha256: String,
    /// The generation of the policy in which recording began.
    pub generation: u64,
    /// When it began: milliseconds since 1970-01-01 UTC.
    pub began_at_ms: u64,
    /// Whether passwords are in it.
    pub secrets: bool,
}

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is empty.
    #[error("the recording is empty")]
    Empty,
    /// It is of another version.
    #[error("a recording of format {found}, this broker reads {FORMAT}")]
    Format {
        /// Its version.
        found: u32,
    },
    /// A line is not as it should be.
    #[error("line {line}: {reason}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// Why.
        reason: String,
    },
}

/// Writes a recording line by line.
#[derive(Debug)]
pub struct Writer<W>(W);

impl<W: Write> Writer<W> {
    /// Begins with the line about the whole.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn new(mut file: W, header: &Header) -> io::Result<Self> {
        line(&mut file, header)?;
        Ok(Self(file))
    }

    /// Adds a case.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&mut self, case: &Case) -> io::Result<()> {
        line(&mut self.0, case)
    }

    /// The file.
    pub fn into_inner(self) -> W {
        self.0
    }
}

fn line(file: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(value).map_err(io::Error::other)?;
    bytes.push(b'\n');
    file.write_all(&bytes)
}

/// Reads a recording line by line.
#[derive(Debug)]
pub struct Reader<R> {
    file: R,
    header: Header,
    line: usize,
    lost: u64,
}

/// In the place of cases that came faster than they were read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lost {
    event: String,
    lines: u64,
}

impl<R: BufRead> Reader<R> {
    /// Reads the line about the whole.
    ///
    /// # Errors
    /// It is none, or of a version that cannot be read.
    pub fn new(mut file: R) -> Result<Self, RecordingError> {
        /// What every version has.
        #[derive(Deserialize)]
        struct Version {
            hookwire_recording: u32,
        }
        let text = next_line(&mut file, 1)?.ok_or(RecordingError::Empty)?;
        let version: Version = parse(&text, 1)?;
        if version.hookwire_recording != FORMAT {
            return Err(RecordingError::Format {
                found: version.hookwire_recording,
            });
        }
        Ok(Self {
            header: parse(&text, 1)?,
            file,
            line: 1,
            lost: 0,
        })
    }

    /// The line about the whole.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How many cases are missing so far, since they came faster than they could be written down.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// The number of the line read last, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    fn read(&mut self) -> Result<Option<Case>, RecordingError> {
        loop {
            self.line += 1;
            match next_line(&mut self.file, self.line)? {
                None => return Ok(None),
                Some(text) if text.trim().is_empty() => {}
                Some(text) => match serde_json::from_str::<Lost>(&text) {
                    Ok(lost) if lost.event == "lost" => self.lost += lost.lines,
                    _ => return parse(&text, self.line).map(Some),
                },
            }
        }
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Case, RecordingError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

fn parse<'t, T: Deserialize<'t>>(text: &'t str, line: usize) -> Result<T, RecordingError> {
    serde_json::from_str(text).map_err(|error| RecordingError::Line {
        line,
        reason: error.to_string(),
    })
}

fn next_line(file: &mut impl BufRead, line: usize) -> Result<Option<String>, RecordingError> {
    let mut text = String::new();
    let read = file.by_ref().take(LINE_BYTES_MAX).read_line(&mut text)?;
    if read as u64 == LINE_BYTES_MAX {
        return Err(RecordingError::Line {
            line,
            reason: format!("longer than {LINE_BYTES_MAX} bytes"),
        });
    }
    Ok((read > 0).then_some(text))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;
    use hookwire_hooks::{
        Access, AccessAnswer, AccessDecision, Action, Authentication, Call, ClientKey, Credentials,
        DeliverDecision, Denial, DropCause, EnhancedStep, Event, EventKind, Failure, FailureKind, Grant,
        Message, Parcel, Pick, Recipients, Rejection, Replacement, Routing, RuleAction, SharedGroup, Source,
        SubscribeDecision, SubscribeRequest, UnsubscribeDecision, Verdict, WillCause, WillDecision,
        WillDelays,
    };
    use hookwire_protocol::{
        ConnectReason, DisconnectReason, PublishPropertyValues, PublishReason, QoS, RetainHandling,
        SharedFilter, SubscribeReason, SubscriptionOptions, TopicName, UnsubscribeReason, Version,
    };

    use super::super::Exchange;
    use super::*;

    fn topic(text: &str) -> TopicName {
        TopicName::new(text.to_owned()).unwrap()
    }

    fn message() -> Message {
        Message {
            source: Source::Client(ClientKey(7)),
            topic: topic("a/b"),
            payload: Bytes::from_static(b"\x00\xff"),
            qos: QoS::AtLeastOnce,
            retain: true,
            properties: PublishPropertyValues {
                response_topic: Some(topic("re")),
                correlation_data: Some(Bytes::from_static(b"\xfe")),
                user_properties: vec![("n".into(), "v".into())],
                ..PublishPropertyValues::default()
            }
            .into(),
            expires_at: None,
        }
    }

    fn credentials() -> Credentials {
        Credentials {
            client_id: "c".into(),
            username: Some("u".into()),
            password: Some(Bytes::from_static(b"hunter2")),
            address: "192.0.2.1:1".into(),
            listener: "l".into(),
            version: Version::V3_1_1,
            clean_start: true,
            user_properties: vec![("a".into(), "b".into())],
        }
    }

    fn header(secrets: bool) -> Header {
        Header {
            hookwire_recording: FORMAT,
            plugin: "p".into(),
            sha256: "00".into(),
            generation: 3,
            began_at_ms: 5,
            secrets,
        }
    }

    /// Something of everything that a plugin can be asked and answer.
    fn exchanges(secrets: bool) -> Vec<Exchange> {
        let (who, message) = (credentials(), message());
        let mut all = Vec::new();
        let grant = Grant {
            rules: vec![(true, RuleAction::Both, "a/%c/#".into())],
            expires_in: Some(Duration::from_secs(9)),
            superuser: true,
            ..Grant::default()
        };
        for answer in [
            Ok(Authentication::Next),
            Ok(Authentication::Allow(Box::new(grant.clone()))),
            Ok(Authentication::Deny(Denial::new(ConnectReason::Banned))),
            Ok(Authentication::Unavailable),
            Err(Failure {
                kind: FailureKind::Deadline,
                detail: "too slow".into(),
            }),
        ] {
            let call = Call::Authenticate {
                who: &who,
                answer: &answer,
            };
            all.push(Exchange::new(&call, secrets));
        }
        let challenge = Ok(EnhancedStep::Challenge {
            data: Bytes::from_static(b"who?"),
            state: vec![1, 2],
        });
        let begin = Call::BeginAuthentication {
            method: "M",
            data: Some(b"hunter2"),
            who: &who,
            answer: &challenge,
        };
        all.push(Exchange::new(&begin, secrets));
        let allow = Ok(EnhancedStep::Allow {
            grant: Box::default(),
            data: Some(Bytes::from_static(b"good")),
        });
        let proceed = Call::ContinueAuthentication {
            method: "M",
            data: Some(b"hunter2"),
            state: &[1, 2],
            answer: &allow,
        };
        all.push(Exchange::new(&proceed, secrets));
        let access = Access {
            client: ClientKey(7),
            action: Action::Subscribe,
            topic: "a/#",
            qos: QoS::ExactlyOnce,
            retain: false,
        };
        let denied = Ok(AccessAnswer {
            decision: AccessDecision::Deny(Some("no".into())),
            cache_for: Duration::from_secs(1),
        });
        let authorize = Call::Authorize {
            access: &access,
            answer: &denied,
        };
        all.push(Exchange::new(&authorize, secrets));
        let rejection = Rejection {
            reason: PublishReason::NotAuthorized,
            text: Some("no".into()),
        };
        let replacement = Replacement {
            payload: Some(Bytes::from_static(b"new")),
            properties: Some(PublishPropertyValues::default().into()),
            ..Replacement::default()
        };
        for verdict in [
            Verdict::Pass,
            Verdict::Replace(Box::new(replacement.clone())),
            Verdict::Drop,
            Verdict::Reject(rejection.clone()),
            Verdict::Disconnect(rejection),
            Verdict::Throttle(5),
        ] {
            let call = Call::OnPublish {
                message: &message,
                answer: &Ok(verdict),
            };
            all.push(Exchange::new(&call, secrets));
        }
        let request = SubscribeRequest {
            filter: SharedFilter::parse("$share/g/a/+").unwrap(),
            options: SubscriptionOptions {
                retain_handling: RetainHandling::SendIfNew,
                ..SubscriptionOptions::default()
            },
        };
        for decision in [
            SubscribeDecision::Pass,
            SubscribeDecision::Replace(Box::new(request.clone())),
            SubscribeDecision::WithoutRetained,
            SubscribeDecision::Reject(SubscribeReason::QuotaExceeded),
        ] {
            let call = Call::OnSubscribe {
                client: ClientKey(7),
                request: &request,
                answer: &Ok(decision),
            };
            all.push(Exchange::new(&call, secrets));
        }
        for decision in [
            UnsubscribeDecision::Pass,
            UnsubscribeDecision::Replace(request.filter.clone()),
            UnsubscribeDecision::Reject(UnsubscribeReason::NotAuthorized),
        ] {
            let call = Call::OnUnsubscribe {
                client: ClientKey(7),
                filter: &request.filter,
                answer: &Ok(decision),
            };
            all.push(Exchange::new(&call, secrets));
        }
        let parcel = Parcel::new(ClientKey(8), Arc::new(message.clone()));
        for decision in [
            DeliverDecision::Pass,
            DeliverDecision::Replace(Box::new(replacement.clone())),
            DeliverDecision::Drop,
        ] {
            let call = Call::Deliver {
                parcel: &parcel,
                answer: &Ok(decision),
            };
            all.push(Exchange::new(&call, secrets));
        }
        let recipients = Recipients {
            clients: vec![ClientKey(1)],
            groups: vec![SharedGroup {
                share: "s".into(),
                filter: "a/+".into(),
                members: vec![ClientKey(2), ClientKey(3)],
            }],
        };
        let routing = Routing {
            copies: vec![topic("copy")],
            only: Some(vec![]),
            picks: vec![Pick {
                group: 0,
                member: ClientKey(3),
            }],
            ..Routing::default()
        };
        for answer in [Ok(Routing::default()), Ok(routing)] {
            let call = Call::Route {
                message: &message,
                recipients: &recipients,
                answer: &answer,
            };
            all.push(Exchange::new(&call, secrets));
        }
        for decision in [
            WillDecision::Publish,
            WillDecision::Replace(Box::new(replacement)),
            WillDecision::Suppress,
            WillDecision::Delay(Duration::from_secs(4)),
        ] {
            let call = Call::OnWill {
                client: ClientKey(7),
                cause: WillCause::TakenOver,
                delays: WillDelays::default().and(Duration::from_secs(3)),
                message: &message,
                answer: &Ok(decision),
            };
            all.push(Exchange::new(&call, secrets));
        }
        let events: Vec<Event> = [
            EventKind::Connected {
                username: None,
                address: "192.0.2.1:1".into(),
                version: Version::V5,
                clean_start: true,
                keep_alive_secs: 60,
            },
            EventKind::Disconnected {
                reason: DisconnectReason::SessionTakenOver,
                text: "taken over".into(),
                by_client: false,
            },
            EventKind::SessionCreated,
            EventKind::SessionResumed,
            EventKind::SessionTakenOver,
            EventKind::SessionExpired,
            EventKind::Subscribed {
                filter: "a/#".into(),
                qos: QoS::AtLeastOnce,
            },
            EventKind::Unsubscribed("a/#".into()),
            EventKind::Dropped {
                topic: "a".into(),
                cause: DropCause::QueueFull,
            },
            EventKind::Acked {
                topic: "a".into(),
                qos: QoS::ExactlyOnce,
            },
            EventKind::Unrouted("a".into()),
            EventKind::Refused {
                username: Some("u".into()),
                address: "192.0.2.1:1".into(),
                version: Version::V3_1,
                reason: ConnectReason::Banned,
                text: Some("no".into()),
            },
        ]
        .into_iter()
        .map(|kind| Event {
            at_ms: 1,
            client: ClientKey(7),
            client_id: "c".into(),
            kind,
        })
        .collect();
        all.push(Exchange::new(&Call::Events { events: &events }, secrets));
        for answer in [Ok(Ok("{}".to_owned())), Ok(Err("no".to_owned()))] {
            let call = Call::Control {
                request: "{\"password\": \"hunter2\"}",
                answer: &answer,
            };
            all.push(Exchange::new(&call, secrets));
        }
        all
    }

    fn recorded(secrets: bool) -> (Vec<u8>, Vec<Case>) {
        let cases: Vec<_> = exchanges(secrets)
            .into_iter()
            .map(|exchange| Case {
                at_ms: 1,
                took_us: 2,
                clients: Vec::new(),
                exchange,
            })
            .collect();
        let mut writer = Writer::new(Vec::new(), &header(secrets)).unwrap();
        for case in &cases {
            writer.write(case).unwrap();
        }
        (writer.into_inner(), cases)
    }

    #[test]
    fn what_is_written_is_read() {
        for secrets in [false, true] {
            let (file, cases) = recorded(secrets);
            let reader = Reader::new(&file[..]).unwrap();
            assert_eq!(reader.header(), &header(secrets));
            let read: Result<Vec<_>, _> = reader.collect();
            assert_eq!(read.unwrap(), cases);
        }
    }

    #[test]
    fn passwords_are_written_only_if_asked_for() {
        let text = |secrets| String::from_utf8(recorded(secrets).0).unwrap();
        assert!(!text(false).contains("hunter2"), "{}", text(false));
        assert_eq!(
            text(true).matches("hunter2").count(),
            5 + 2 + 1 + 2,
            "{}",
            text(true)
        );
    }

    #[test]
    fn questions_can_be_asked_again() {
        let (file, _) = recorded(true);
        for case in Reader::new(&file[..]).unwrap() {
            match case.unwrap().exchange {
                Exchange::Authenticate { question, .. } => {
                    let who = Credentials::try_from(*question).unwrap();
                    assert_eq!(who.password, credentials().password);
                    assert_eq!(who.version, Version::V3_1_1);
                }
                Exchange::AuthenticateEnhanced { question, .. } => {
                    assert_eq!(question.data().unwrap().unwrap(), b"hunter2");
                    assert_eq!(question.state().unwrap().is_some(), question.who.is_none());
                }
                Exchange::Authorize { question, .. } => {
                    let access = Access::try_from(&question).unwrap();
                    assert_eq!((access.action, access.topic), (Action::Subscribe, "a/#"));
                }
                Exchange::OnPublish { question, .. } => {
                    let again = Message::try_from(question.message).unwrap();
                    assert_eq!(again.payload, message().payload);
                    assert_eq!(again.properties, message().properties);
                    assert_eq!(again.source, message().source);
                }
                Exchange::Route { question, .. } => {
                    let recipients = question.recipients();
                    assert_eq!(recipients.clients, [ClientKey(1)]);
                    assert_eq!(recipients.groups[0].members, [ClientKey(2), ClientKey(3)]);
                }
                Exchange::OnSubscribe { question, .. } => {
                    let request = SubscribeRequest::try_from(question.subscription).unwrap();
                    assert_eq!(request.filter.to_string(), "$share/g/a/+");
                    assert_eq!(request.options.retain_handling, RetainHandling::SendIfNew);
                }
                Exchange::OnUnsubscribe { question, .. } => {
                    assert_eq!(question.filter().unwrap().to_string(), "$share/g/a/+");
                }
                Exchange::Deliver { question, .. } => {
                    let parcel = Parcel::try_from(*question).unwrap();
                    assert_eq!(parcel.recipient, ClientKey(8));
                    assert_eq!(parcel.message.payload, message().payload);
                }
                Exchange::OnWill { question, .. } => {
                    assert_eq!(question.cause().unwrap(), WillCause::TakenOver);
                    assert_eq!(question.delays().total, Duration::from_secs(3));
                }
                Exchange::Events { question } => {
                    for event in question {
                        let (before, again) = (event.clone(), Event::try_from(event).unwrap());
                        assert_eq!(super::super::EventRecord::from(&again), before);
                    }
                }
                Exchange::Control { question, .. } => {
                    assert!(question.request().unwrap().contains("hunter2"));
                }
            }
        }
    }

    #[test]
    fn a_redacted_question_says_why_it_cannot_be_asked_again() {
        let (file, _) = recorded(false);
        let Some(Ok(Case {
            exchange: Exchange::Authenticate { question, .. },
            ..
        })) = Reader::new(&file[..]).unwrap().next()
        else {
            panic!("the first question is that");
        };
        let error = Credentials::try_from(*question).unwrap_err();
        assert!(error.to_string().starts_with("password: redacted"), "{error}");
    }

    #[test]
    fn what_was_lost_is_known() {
        let (mut file, cases) = recorded(false);
        file.extend(b"{\"event\":\"lost\",\"lines\":3}\n");
        let mut reader = Reader::new(&file[..]).unwrap();
        assert_eq!(reader.by_ref().map(Result::unwrap).count(), cases.len());
        assert_eq!(reader.lost(), 3);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let error = |text: &str| match Reader::new(text.as_bytes()) {
            Err(error) => error.to_string(),
            Ok(mut reader) => reader.find_map(Result::err).unwrap().to_string(),
        };
        let first = serde_json::to_string(&header(false)).unwrap();
        assert_eq!(error(""), "the recording is empty");
        assert!(error("{}\n").starts_with("line 1: missing field `hookwire_recording`"));
        assert_eq!(
            error("{\"hookwire_recording\":9}\n"),
            "a recording of format 9, this broker reads 1"
        );
        let odd = error(&format!(
            "{first}\n\n{{\"at_ms\":1,\"took_us\":1,\"hook\":\"odd\"}}\n"
        ));
        assert!(odd.starts_with("line 3: unknown variant `odd`"), "{odd}");
    }
}
