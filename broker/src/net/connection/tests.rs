//! One connection, polled by hand.

use std::future::poll_fn;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use hookwire_hooks::{Chain, Defaults, WillCause};
use hookwire_protocol::{Connect, ConnectProperties, Version};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};

use super::*;
use crate::broker::tests::policy::{Pieces, locating};
use crate::broker::{Admits, Arrival, Settings};
use crate::config::Config;
use crate::net::exchange::Interview;
use crate::net::quiet::QuietSockets;
use crate::net::room::Roomed;
use crate::net::socket::Socket;
use crate::net::socket::tests::pair;
use crate::session::Ending;

fn connect(client_id: &'static str) -> Connect {
    Connect {
        version: Version::V5,
        bridge: false,
        clean_start: false,
        keep_alive_secs: 0,
        client_id: client_id.into(),
        username: None,
        password: None,
        will: None,
        properties: ConnectProperties {
            session_expiry_interval: Some(60),
            ..ConnectProperties::default()
        },
    }
}

/// A client that was just admitted, and its side of the stream.
async fn arrive() -> (Box<Connection<DuplexStream>>, DuplexStream) {
    let (near, far) = tokio::io::duplex(16 * 1024);
    (arrive_by(near).await, far)
}

async fn arrive_by<S: Stream>(near: S) -> Box<Connection<S>> {
    arrive_at(&broker(), "contested", near).await
}

fn broker() -> Broker {
    Broker::new(Settings::from(&Config::default())).expect("a thread")
}

async fn arrive_at<S: Stream>(broker: &Broker, client_id: &'static str, mut near: S) -> Box<Connection<S>> {
    let mut buffer = ReadBuffer::default();
    let settings = broker.settings().clone();
    let deadline = clock::now() + settings.limits.connect_timeout;
    let decode = &settings.limits.decode;
    let mut interview = Interview::new(&mut near, &mut buffer, decode, 1024, usize::MAX, deadline.into());
    let arrival = Arrival {
        address: ([192, 0, 2, 1], 1234).into(),
        listener: "".into(),
        admits_anonymous: Admits {
            without_authenticator: true,
            with_authenticator: true,
        },
    };
    let admitted = broker.connect(connect(client_id), arrival, &mut interview).await;
    let connected = admitted.expect("there is nothing against it");
    Box::new(Connection::new(near, broker.clone(), connected, buffer))
}

/// Whether the task was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A client of the broker that has its CONNACK, and its side of the stream.
async fn settle(
    broker: &Broker,
    client_id: &'static str,
    packets: &[u8],
) -> (Box<Connection<DuplexStream>>, DuplexStream) {
    let (near, mut far) = tokio::io::duplex(16 * 1024);
    let mut connection = arrive_at(broker, client_id, near).await;
    far.write_all(packets).await.expect("room");
    assert!(step(&mut connection).await.is_none());
    assert!(!heard(&mut far).is_empty(), "CONNACK");
    (connection, far)
}

/// What has been written for the client.
fn heard(far: &mut DuplexStream) -> Vec<u8> {
    let mut heard = [0; 1024];
    let mut buffer = ReadBuf::new(&mut heard);
    let _ = Pin::new(far).poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer);
    buffer.filled().to_vec()
}

/// Lets the connection do what it can do at once; how it ends, if it does.
async fn step<S: Stream>(connection: &mut Connection<S>) -> Option<End> {
    let polled = poll_fn(|cx| Poll::Ready(connection.poll_end(cx))).await;
    match polled {
        Poll::Ready(end) => Some(end),
        Poll::Pending => None,
    }
}

/// Does as if these bytes had been read.
fn read<S: Stream>(connection: &mut Connection<S>, bytes: &[u8]) {
    let buffer = &mut connection.input().buffer;
    buffer.room().extend_from_slice(bytes);
    buffer.was_read(bytes.len());
}

const PINGREQ: [u8; 2] = [0xC0, 0];
/// DISCONNECT that takes the will away.
const GOODBYE: [u8; 2] = [0xE0, 0];
/// PUBLISH with QoS 0 to `t`.
const PUBLISH: [u8; 6] = [0x30, 4, 0, 1, b't', 0];
/// The same with QoS 1.
const PUBLISH_1: [u8; 8] = [0x32, 6, 0, 1, b't', 0, 1, 0];

/// SUBSCRIBE to `t` with QoS 0.
const SUBSCRIBE: [u8; 9] = [0x82, 7, 0, 1, 0, 0, 1, b't', 0];
/// PUBACK of [`PUBLISH_1`].
const PUBACK: [u8; 4] = [0x40, 2, 0, 1];

/// A stream that its other side has closed: what it sent before is still there.
struct OneWay<S>(S);

impl<S: Stream> AsyncRead for OneWay<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl<S: Stream> AsyncWrite for OneWay<S> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl<S: Stream> Stream for OneWay<S> {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_readable(cx)
    }

    fn is_busy(&self) -> bool {
        self.0.is_busy()
    }
}

/// Whoever says nothing has no memory for what it says.
#[tokio::test]
async fn what_was_read_leaves_nothing_behind() {
    let (mut connection, mut far) = arrive().await;
    far.write_all(&PINGREQ).await.expect("PINGREQ");
    assert!(step(&mut connection).await.is_none());
    assert!(connection.input.is_none());
    let mut heard = [0; 64];
    let count = far.read(&mut heard).await.expect("the stream is open");
    assert!(heard[..count].ends_with(&[0xD0, 0]), "PINGRESP: {heard:?}");
}

#[tokio::test]
async fn whoever_sends_without_end_is_not_served_for_longer_than_it_may_be() {
    let (mut connection, mut far) = arrive().await;
    assert!(step(&mut connection).await.is_none());
    connection.connected.expires_at = Some(clock::now());
    far.write_all(&PINGREQ).await.expect("the stream is open");
    assert!(matches!(step(&mut connection).await, Some(End::Expired)));
}

/// At most a run of messages, or as many packets of other kinds, is handled in one go.
#[tokio::test]
async fn packets_of_many_kinds_do_not_keep_others_waiting() {
    let (mut connection, mut far) = arrive().await;
    let pairs = 3 * RUN_MAX;
    read(&mut connection, &[&PUBLISH[..], &PINGREQ].concat().repeat(pairs));
    for turn in 1..=3 {
        assert!(connection.handle_input().is_ok());
        assert_eq!(connection.input().waiting(), (pairs - turn * RUN_MAX) * 8);
    }
    assert!(step(&mut connection).await.is_none());
    let mut heard = vec![0; 16 * 1024];
    let count = far.read(&mut heard).await.expect("the stream is open");
    let answers = [0xD0, 0].repeat(pairs);
    assert!(heard[..count].ends_with(&answers), "a PINGRESP for each");
}

/// Whoever waits for answers gets the first of them while the rest is handled, where each message takes long.
#[tokio::test]
async fn messages_that_take_long_are_answered_a_few_at_a_time() {
    let (mut connection, _far) = arrive().await;
    connection
        .input()
        .pace
        .took(1000, Duration::from_millis(500), true);
    let run_max = connection.input().pace.run_max(true);
    assert!(run_max < RUN_MAX);
    for (publish, handled) in [(&PUBLISH[..], RUN_MAX), (&PUBLISH_1[..], run_max)] {
        read(&mut connection, &publish.repeat(RUN_MAX + 1));
        assert!(connection.handle_input().is_ok());
        let left = (RUN_MAX + 1 - handled) * publish.len();
        assert_eq!(connection.input().waiting(), left);
        while connection.has_packets() {
            assert!(connection.handle_input().is_ok());
        }
    }
}

/// A publisher, polled once with its message, which is for the recipient.
async fn publish_alone(
    publisher: &mut Connection<DuplexStream>,
    far: &mut DuplexStream,
) -> (Arc<Woken>, Waker) {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    far.write_all(&PUBLISH_1).await.expect("room");
    assert!(publisher.poll_end(&mut Context::from_waker(&waker)).is_pending());
    (woken, waker)
}

#[tokio::test]
async fn a_message_that_comes_alone_is_on_its_way_before_it_is_answered() {
    let broker = broker();
    let (mut recipient, mut far_recipient) = settle(&broker, "recipient", &SUBSCRIBE).await;
    let (mut publisher, mut far) = settle(&broker, "publisher", &[]).await;
    let (woken, waker) = publish_alone(&mut publisher, &mut far).await;
    assert!(heard(&mut far).is_empty(), "not answered yet");
    assert!(step(&mut recipient).await.is_none());
    assert_eq!(heard(&mut far_recipient), PUBLISH);
    assert!(woken.0.load(Ordering::Relaxed));
    assert!(publisher.poll_end(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(heard(&mut far), PUBACK);
}

#[tokio::test]
async fn a_publisher_is_answered_though_its_recipient_has_gone() {
    for is_dropped in [true, false] {
        let broker = broker();
        let (mut recipient, _far) = settle(&broker, "recipient", &SUBSCRIBE).await;
        let (mut publisher, mut far) = settle(&broker, "publisher", &[]).await;
        let (woken, waker) = publish_alone(&mut publisher, &mut far).await;
        if is_dropped {
            drop(recipient);
        } else {
            recipient.connected.link.close(Closure::taken_over());
            let end = step(&mut recipient).await.expect("it was closed");
            tokio::spawn(recipient.leave(end));
            tokio::task::yield_now().await;
        }
        assert!(woken.0.load(Ordering::Relaxed), "dropped: {is_dropped}");
        assert!(publisher.poll_end(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!(heard(&mut far), PUBACK);
    }
}

#[tokio::test]
async fn one_publisher_waits_for_a_recipient_at_a_time() {
    let broker = broker();
    let (mut recipient, mut far_recipient) = settle(&broker, "recipient", &SUBSCRIBE).await;
    let (mut first, mut far_first) = settle(&broker, "first", &[]).await;
    let (woken, _) = publish_alone(&mut first, &mut far_first).await;
    assert!(heard(&mut far_first).is_empty(), "it waits");
    // As if it had looked just before.
    assert!(recipient.connected.link.take_signal());
    let (mut second, mut far_second) = settle(&broker, "second", &[]).await;
    publish_alone(&mut second, &mut far_second).await;
    assert_eq!(heard(&mut far_second), PUBACK);
    assert!(step(&mut recipient).await.is_none());
    assert_eq!(heard(&mut far_recipient), PUBLISH.repeat(2));
    assert!(woken.0.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_publisher_does_not_wait_for_many_nor_for_whoever_is_in_the_middle_of_something() {
    for is_busy in [true, false] {
        let broker = broker();
        let (recipient, _far) = settle(&broker, "recipient", &SUBSCRIBE).await;
        let _another = if is_busy {
            recipient.connected.link.set_busy(true);
            None
        } else {
            Some(settle(&broker, "another", &SUBSCRIBE).await)
        };
        let (mut publisher, mut far) = settle(&broker, "publisher", &[]).await;
        publish_alone(&mut publisher, &mut far).await;
        assert_eq!(heard(&mut far), PUBACK, "busy: {is_busy}");
    }
}

/// Whom an earlier message went to has nothing to do with it.
#[tokio::test]
async fn answers_to_several_messages_wait_for_nobody() {
    let broker = broker();
    let (_recipient, _far) = settle(&broker, "recipient", &SUBSCRIBE).await;
    let (mut publisher, mut far) = settle(&broker, "publisher", &[]).await;
    // Two runs, the first of one message.
    let packets = [&PUBLISH_1[..], &PINGREQ, &PUBLISH_1, &PUBLISH_1].concat();
    far.write_all(&packets).await.expect("room");
    assert!(step(&mut publisher).await.is_none());
    assert_eq!(heard(&mut far).len(), 3 * PUBACK.len() + 2);
}

/// The same behind a CONNECT: what comes later does not wait for whom its message went to.
#[tokio::test]
async fn answers_wait_for_nobody_whom_a_message_behind_the_connect_went_to() {
    let broker = broker();
    let (_recipient, _far) = settle(&broker, "recipient", &SUBSCRIBE).await;
    let (near, mut far) = tokio::io::duplex(16 * 1024);
    let mut publisher = arrive_at(&broker, "publisher", near).await;
    read(&mut publisher, &PUBLISH_1);
    let mut serving = pin!(Serving::of(publisher));
    for (packet, answer) in [(&[][..], &PUBACK[..]), (&PINGREQ, &[0xD0, 0])] {
        far.write_all(packet).await.expect("room");
        assert!(
            poll_fn(|cx| Poll::Ready(serving.as_mut().poll(cx)))
                .await
                .is_pending()
        );
        assert!(heard(&mut far).ends_with(answer));
    }
}

#[tokio::test]
async fn whoever_publishes_to_itself_is_answered_and_gets_it_at_once() {
    let (mut client, mut far) = settle(&broker(), "client", &SUBSCRIBE).await;
    publish_alone(&mut client, &mut far).await;
    assert_eq!(heard(&mut far), [&PUBACK[..], &PUBLISH].concat());
}

#[tokio::test]
async fn whoever_has_to_wait_is_not_heard_meanwhile() {
    let (mut connection, mut far) = arrive().await;
    assert!(step(&mut connection).await.is_none());
    connection.pause(clock::now(), Duration::from_secs(3600));
    far.write_all(&GOODBYE).await.expect("the stream is open");
    assert!(step(&mut connection).await.is_none());
    // What was read before it had to wait, does too.
    read(&mut connection, &GOODBYE);
    assert!(connection.handle_input().is_ok());
    assert_eq!(connection.input().waiting(), GOODBYE.len());
}

/// A policy and a rate may each have something against the same packets.
#[tokio::test]
async fn whoever_has_to_wait_twice_waits_for_the_longer_time() {
    let (mut connection, _far) = arrive().await;
    let now = clock::now();
    for wait in [10, 3600, 10] {
        connection.pause(now, Duration::from_secs(wait));
    }
    assert_eq!(connection.paused_until(), Some(now + Duration::from_secs(3600)));
}

#[tokio::test]
async fn whoever_has_to_wait_is_heard_to_the_end_before_another_takes_its_place() {
    let (mut connection, mut far) = arrive().await;
    assert!(step(&mut connection).await.is_none());
    connection.pause(clock::now(), Duration::from_secs(3600));
    far.write_all(&GOODBYE).await.expect("the stream is open");
    connection.connected.link.announce_successor();
    assert!(step(&mut connection).await.is_none());
    connection.restraint = None;
    assert!(matches!(step(&mut connection).await, Some(End::Disconnect(_))));
}

#[tokio::test]
async fn a_goodbye_is_heard_from_whoever_cannot_be_written_to() {
    let (near, mut far) = tokio::io::duplex(1024);
    let mut connection = arrive_by(OneWay(near)).await;
    far.write_all(&[&PUBLISH[..], &GOODBYE].concat())
        .await
        .expect("room");
    assert!(matches!(step(&mut connection).await, Some(End::Disconnect(_))));
}

/// It is not asked to wait: nothing would end that.
#[tokio::test]
async fn a_goodbye_is_heard_from_whoever_had_to_wait_and_cannot_be_written_to() {
    let (near, mut far) = tokio::io::duplex(64 * 1024);
    let mut connection = arrive_by(OneWay(near)).await;
    connection.pause(clock::now(), Duration::from_secs(3600));
    let messages = PUBLISH.repeat(2 * RUN_MAX);
    far.write_all(&[&messages[..], &GOODBYE].concat())
        .await
        .expect("room");
    for _ in 0..100 {
        match step(&mut connection).await {
            None => {}
            Some(End::Disconnect(_)) => return,
            Some(end) => panic!("{end:?}"),
        }
    }
    panic!("it does not come to its end");
}

/// How the connection ends that a client has sent so much to and that was not polled meanwhile.
async fn end_behind(said: Vec<u8>, before: impl FnOnce(&Link)) -> End {
    let sockets = QuietSockets::watch().expect("a selector");
    let (near, mut far) = pair(&sockets);
    let mut connection = arrive_at(&broker(), "busy", OneWay(near)).await;
    assert!(!connection.stream.is_busy());
    far.write_all(&said).expect("room");
    // The selector's task is told of it.
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    before(&connection.connected.link);
    poll_fn(|cx| connection.poll_end(cx)).await
}

/// On the way it becomes busy, and the runtime has not told yet what else there is to read.
#[tokio::test]
async fn a_goodbye_behind_much_else_is_heard_from_whoever_cannot_be_written_to() {
    let said = [&PUBLISH.repeat(20_000)[..], &GOODBYE].concat();
    let end = end_behind(said, |_| ()).await;
    assert!(matches!(end, End::Disconnect(_)), "{end:?}");
}

#[tokio::test]
async fn a_goodbye_behind_much_else_is_heard_before_another_takes_its_place() {
    let said = [&PUBLISH.repeat(20_000)[..], &GOODBYE].concat();
    let end = end_behind(said, Link::announce_successor).await;
    assert!(matches!(end, End::Disconnect(_)), "{end:?}");
}

#[tokio::test]
async fn whoever_cannot_be_written_to_is_lost_when_it_has_said_all() {
    let (near, mut far) = tokio::io::duplex(1024);
    let mut connection = arrive_by(OneWay(near)).await;
    far.write_all(&PINGREQ).await.expect("room");
    assert!(matches!(step(&mut connection).await, Some(End::Lost(_))));
    assert!(connection.out.is_empty());
}

/// Else the system takes back what was written, the reason among it.
#[tokio::test]
async fn whoever_is_thrown_out_can_say_the_rest() {
    let (connection, mut far) = arrive().await;
    let leaving = tokio::spawn(Serving::of(connection));
    far.write_all(&[0x00, 0x00]).await.expect("what is no packet");
    far.write_all(&[0; 64 * 1024])
        .await
        .expect("it is read, and thrown away");
    let mut heard = Vec::new();
    far.read_to_end(&mut heard).await.expect("it was closed in order");
    let says_why = |bytes: &[u8]| matches!(bytes, [0xE0, _, 0x82]);
    assert!(heard.windows(3).any(says_why), "DISCONNECT: {heard:?}");
    drop(far);
    leaving.await.expect("it leaves");
}

/// In the moment between two connections a session still bears the key of the first one.
#[tokio::test]
async fn whoever_is_being_taken_over_is_greeted_first() {
    let (connection, mut far) = arrive().await;
    let connected = &connection.connected;
    let link = Arc::clone(&connected.link);
    let ending = Ending {
        will_cause: Some(WillCause::TakenOver),
        expiry: None,
    };
    connected.client.session().detach(clock::now(), &ending);
    link.close(Closure::taken_over());
    let serving = tokio::spawn(Serving::of(connection));
    let mut heard = Vec::new();
    far.read_to_end(&mut heard).await.expect("it was closed in order");
    drop(far);
    serving.await.expect("it leaves");
    // [MQTT-3.2.0-1]
    assert_eq!(heard.first(), Some(&0x20), "CONNACK comes first: {heard:?}");
    assert!(heard.contains(&0xE0), "then DISCONNECT: {heard:?}");
}

/// The runtime keeps much for a socket that it watches itself.
#[tokio::test]
async fn a_client_that_was_heard_often_and_says_nothing_more_takes_little_again() {
    let sockets = QuietSockets::watch().expect("a selector");
    let (near, mut far) = pair(&sockets);
    let mut connection = arrive_at(&broker(), "chatty", near).await;
    assert!(connection.timer.is_none(), "it has an alarm");
    while !connection.stream.is_busy() {
        far.write_all(&PINGREQ).expect("PINGREQ");
        assert!(step(&mut connection).await.is_none());
        tokio::task::yield_now().await;
    }
    assert!(connection.timer.is_some(), "it is looked at again");
    while connection.stalled_at.is_some() {
        // The runtime has not told yet that it can be written to.
        assert!(step(&mut connection).await.is_none());
        tokio::task::yield_now().await;
    }
    let looked_at = connection.timer.as_ref().map(|timer| timer.deadline().into_std());
    assert!(looked_at.is_some_and(|at| at <= clock::now() + QUIET_AFTER));
    connection.handle_timer().expect("it goes on");
    assert!(connection.stream.is_busy(), "it was heard since");
    connection.handle_timer().expect("it goes on");
    assert!(!connection.stream.is_busy());
    assert!(connection.timer.is_none());
    far.write_all(&GOODBYE).expect("DISCONNECT");
    let end = poll_fn(|cx| connection.poll_end(cx)).await;
    assert!(matches!(end, End::Disconnect(_)), "{end:?}");
}

/// Its alarm goes when the socket does not take what is written; it may take the rest the next moment.
#[tokio::test]
async fn whoever_is_busy_has_a_timer() {
    let sockets = QuietSockets::watch().expect("a selector");
    let (near, mut far) = pair(&sockets);
    let mut connection = arrive_at(&broker(), "slow", near).await;
    let mut written = 0;
    let packet = [0; 64 * 1024];
    let mut cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(more) = Pin::new(&mut connection.stream).poll_write(&mut cx, &packet) {
        written += more.expect("it is open");
    }
    assert!(connection.stream.is_busy());
    far.read_exact(&mut vec![0; written]).expect("what was written");
    // The runtime is told that there is room.
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    assert!(step(&mut connection).await.is_none());
    assert!(connection.timer.is_some());
}

/// There are a hundred thousand of them: their sizes are those that the allocator has, and the next ones are larger by a
/// quarter or twice as large.
#[test]
fn a_client_that_is_just_there_takes_little() {
    type Served = Roomed<Socket>;
    let bytes = size_of::<Connection<Served>>();
    assert!(bytes <= 320, "{bytes}");
    // With what a task has beside its future, 128 bytes.
    let bytes = size_of::<Serving<Served>>();
    assert!(bytes <= 24, "{bytes}");
}

/// What a plugin is handed can be copied in one go, whether a run ends with what was read or before.
#[tokio::test]
async fn policies_are_shown_messages_with_what_they_were_read_as() {
    let broker = broker();
    let pieces = Pieces::default();
    let plugins = vec![locating(Arc::clone(&pieces))];
    broker.install(Arc::new(Chain::new(1, plugins, Defaults::default())));
    let (near, _far) = tokio::io::duplex(16 * 1024);
    let mut connection = arrive_at(&broker, "publisher", near).await;
    for (packets, expected) in [
        (PUBLISH.repeat(RUN_MAX + 10), vec![RUN_MAX, 10]),
        ([&PUBLISH_1[..], &PINGREQ, &PUBLISH].concat(), vec![1, 1]),
    ] {
        read(&mut connection, &packets);
        while connection.handle_input().is_ok() && connection.has_packets() {}
        assert_eq!(mem::take(&mut *pieces.lock()), expected);
        assert!(connection.input().chunk.is_empty(), "the read buffer is let go");
    }
}
