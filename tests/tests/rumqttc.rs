//! A client library in Rust that others wrote: rumqttc, in both of its versions.

use std::sync::mpsc::{Receiver, channel};
use std::thread;

use hookwire_tests::{Broker, PATIENCE};

/// What a client was sent, as it comes: topic, payload, QoS.
type Heard = Receiver<(String, String, u8)>;

#[track_caller]
fn hear(heard: &Heard) -> (String, String, u8) {
    heard.recv_timeout(PATIENCE).expect("a message in time")
}

/// MQTT 3.1.1.
mod v3_1_1 {
    use rumqttc::{Client, Event, LastWill, MqttOptions, Packet, QoS};

    use super::*;

    pub(super) fn connect(
        broker: &Broker,
        id: &str,
        clean: bool,
        will: Option<&str>,
    ) -> (Client, Heard, Heard) {
        let mut options = MqttOptions::new(id, "127.0.0.1", broker.address().port());
        options.set_clean_session(clean);
        if let Some(topic) = will {
            options.set_last_will(LastWill::new(topic, "gone", QoS::AtLeastOnce, false));
        }
        let (client, mut connection) = Client::new(options, 64);
        let (messages, heard) = channel();
        let (answers, answered) = channel();
        thread::spawn(move || {
            for event in connection.iter() {
                match event {
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        let payload = String::from_utf8_lossy(&publish.payload).into_owned();
                        let _ = messages.send((publish.topic, payload, publish.qos as u8));
                    }
                    Ok(Event::Incoming(Packet::SubAck(_))) => {
                        let _ = answers.send(("subscribed".into(), String::new(), 0));
                    }
                    Ok(_) => {}
                    Err(_) => return,
                }
            }
        });
        (client, heard, answered)
    }

    #[test]
    fn messages_of_every_qos_go_round() {
        let broker = Broker::start("");
        let (listener, heard, answered) = connect(&broker, "listener", true, None);
        listener.subscribe("house/+", QoS::ExactlyOnce).expect("queued");
        hear(&answered);
        let (sender, _, _) = connect(&broker, "sender", true, None);
        for (qos, level) in [(QoS::AtMostOnce, 0), (QoS::AtLeastOnce, 1), (QoS::ExactlyOnce, 2)] {
            sender
                .publish("house/oven", qos, false, format!("hot {level}"))
                .expect("queued");
            assert_eq!(hear(&heard), ("house/oven".into(), format!("hot {level}"), level));
        }
    }

    #[test]
    fn a_kept_session_and_a_retained_message_wait_for_it() {
        let broker = Broker::start("");
        let (sender, _, _) = connect(&broker, "sender", true, None);
        sender
            .publish("kept", QoS::AtLeastOnce, true, "retained")
            .expect("queued");
        let (listener, heard, answered) = connect(&broker, "listener", false, None);
        listener.subscribe("kept", QoS::AtLeastOnce).expect("queued");
        hear(&answered);
        assert_eq!(hear(&heard).1, "retained");
        listener.disconnect().expect("queued");
        // Its thread ends with the connection, and with it the channel.
        assert!(heard.recv_timeout(PATIENCE).is_err());
        sender
            .publish("kept", QoS::ExactlyOnce, false, "queued")
            .expect("queued");
        let (_listener, heard, _) = connect(&broker, "listener", false, None);
        assert_eq!(hear(&heard).1, "queued");
    }

    #[test]
    fn its_will_is_published_when_another_takes_its_place() {
        let broker = Broker::start("");
        let (listener, heard, answered) = connect(&broker, "listener", true, None);
        listener.subscribe("wills", QoS::AtLeastOnce).expect("queued");
        hear(&answered);
        let (doomed, _, doomed_answered) = connect(&broker, "doomed", true, Some("wills"));
        doomed.subscribe("anything", QoS::AtMostOnce).expect("queued");
        hear(&doomed_answered);
        let _second = connect(&broker, "doomed", true, None);
        assert_eq!(hear(&heard).1, "gone");
    }
}

/// MQTT 5.
mod v5 {
    use rumqttc::v5::mqttbytes::QoS;
    use rumqttc::v5::mqttbytes::v5::Packet;
    use rumqttc::v5::{Client, Event, MqttOptions};

    use super::*;

    fn connect(broker: &Broker, id: &str) -> (Client, Heard, Heard) {
        let options = MqttOptions::new(id, "127.0.0.1", broker.address().port());
        let (client, mut connection) = Client::new(options, 64);
        let (messages, heard) = channel();
        let (answers, answered) = channel();
        thread::spawn(move || {
            for event in connection.iter() {
                match event {
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                        let _ =
                            messages.send((text(&publish.topic), text(&publish.payload), publish.qos as u8));
                    }
                    Ok(Event::Incoming(Packet::SubAck(_))) => {
                        let _ = answers.send(("subscribed".into(), String::new(), 0));
                    }
                    Ok(_) => {}
                    Err(_) => return,
                }
            }
        });
        (client, heard, answered)
    }

    #[test]
    fn messages_of_every_qos_go_round() {
        let broker = Broker::start("");
        let (listener, heard, answered) = connect(&broker, "listener");
        listener.subscribe("house/+", QoS::ExactlyOnce).expect("queued");
        hear(&answered);
        let (sender, _, _) = connect(&broker, "sender");
        for (qos, level) in [(QoS::AtMostOnce, 0), (QoS::AtLeastOnce, 1), (QoS::ExactlyOnce, 2)] {
            sender
                .publish("house/oven", qos, false, format!("hot {level}"))
                .expect("queued");
            assert_eq!(hear(&heard), ("house/oven".into(), format!("hot {level}"), level));
        }
    }

    #[test]
    fn members_of_a_shared_subscription_share_the_work() {
        let broker = Broker::start("");
        let members: Vec<_> = ["one", "two"]
            .into_iter()
            .map(|name| {
                let (member, heard, answered) = connect(&broker, name);
                member
                    .subscribe("$share/g/jobs", QoS::AtLeastOnce)
                    .expect("queued");
                hear(&answered);
                (member, heard)
            })
            .collect();
        let (sender, _, _) = connect(&broker, "sender");
        for n in 0..10 {
            sender
                .publish("jobs", QoS::AtLeastOnce, false, n.to_string())
                .expect("queued");
        }
        for (_, heard) in &members {
            for _ in 0..5 {
                assert_eq!(hear(heard).0, "jobs");
            }
        }
    }
}
