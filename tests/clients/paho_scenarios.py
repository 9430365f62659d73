"""What the broker promises, said and heard by paho-mqtt. Call: paho_scenarios.py PORT SCENARIO VERSION."""

import sys

from paho_client import Client, run

# "no matching subscribers" is told to MQTT 5 clients alone.
NOBODY = {"3.1.1": 0, "5": 0x10}


def fan_out(port, version):
    """Publish to none, one, and many subscribers."""
    sender = Client(port, version, "sender").connect()
    sender.publish("t", "nobody", code=NOBODY[version])
    listeners = []
    for count in (1, 20):
        while len(listeners) < count:
            listener = Client(port, version, f"listener-{len(listeners)}").connect()
            listener.subscribe("t", 1)
            listeners.append(listener)
        sender.publish("t", f"to {count}")
        for listener in listeners:
            listener.receive("t", f"to {count}", qos=1)
            listener.nothing()
    for client in [sender, *listeners]:
        client.disconnect()


def filters(port, version):
    """The broker filters by topic."""
    client = Client(port, version, "c").connect()
    rows = [
        ("house/+/temperature", ["house/kitchen/temperature"]),
        ("house/#", ["house", "house/kitchen/temperature", "house/kitchen/oven/temperature"]),
        ("+", ["house"]),
        ("other", []),
    ]
    for filter_, expected in rows:
        client.subscribe(filter_)
        for topic in ["house", "house/kitchen/temperature", "house/kitchen/oven/temperature", "$house/x"]:
            client.mqtt.publish(topic, topic)
            client.expect("puback", 0)
            if topic in expected:
                client.receive(topic, topic)
        client.nothing()
        client.mqtt.unsubscribe([filter_])
    client.disconnect()


def qos(port, version):
    """QoS 0, 1 and 2, both ways."""
    client = Client(port, version, "c").connect()
    for granted in (0, 1, 2):
        client.subscribe("t", granted)
        for sent in (0, 1, 2):
            client.mqtt.publish("t", f"{sent}", sent)
            events = sorted([client.event(), client.event()])
            expected = [("message", "t", f"{sent}", min(sent, granted), False), ("puback", 0)]
            if events != expected:
                raise SystemExit(f"sent {sent}, granted {granted}: {events}")
    client.disconnect()


def sessions(port, version):
    """What a clean and what a kept session holds."""
    sender = Client(port, version, "sender").connect()
    for clean in (True, False):
        options = {} if clean else {"expiry": 100}
        away = Client(port, version, "away", clean=clean).connect(**options)
        away.subscribe("t", 2)
        away.disconnect()
        for level in (0, 1, 2):
            # The broker may not have seen the client leave yet: whether there is a subscriber is left open.
            sender.mqtt.publish("t", f"QoS {level}", level)
            if sender.event() not in (("puback", 0), ("puback", NOBODY[version])):
                raise SystemExit("the message was refused")
        back = Client(port, version, "away", clean=clean)
        back.connect(session_present=not clean, **options)
        if not clean:
            back.receive("t", "QoS 1", qos=1)
            back.receive("t", "QoS 2", qos=2)
        back.nothing()
        back.disconnect()
    sender.disconnect()


def wills(port, version):
    """A will is sent when the connection is lost, and not after a normal goodbye."""
    heir = Client(port, version, "heir").connect()
    heir.subscribe("wills/#", 1)
    Client(port, version, "polite", will=("wills/polite", "gone")).connect().disconnect()
    heir.nothing()
    Client(port, version, "lost", will=("wills/lost", "gone")).connect().lose()
    heir.receive("wills/lost", "gone", qos=1)
    heir.disconnect()


def takeover(port, version):
    """The second client with an id throws the first out."""
    first = Client(port, version, "same").connect()
    second = Client(port, version, "same").connect()
    # The code is 0x8E, which tests/sessions.rs looks at: paho reads codes of a DISCONNECT only where properties follow.
    kind, *_ = first.event()
    if kind != "disconnect":
        raise SystemExit(f"the first got {kind}")
    second.nothing()
    second.disconnect()


def retained(port, version):
    """A retained message waits for new subscribers until it is deleted."""
    sender = Client(port, version, "sender").connect()
    sender.publish("t", "kept", retain=True, code=NOBODY[version])
    late = Client(port, version, "late").connect()
    late.subscribe("t", 1)
    late.receive("t", "kept", qos=1, retain=True)
    sender.publish("t", "", retain=True)
    late.receive("t", "", qos=1)
    later = Client(port, version, "later").connect()
    later.subscribe("t", 1)
    later.nothing()


def shared(port, version):
    """A shared subscription brings each message to one member."""
    members = [Client(port, version, f"member-{number}").connect() for number in range(2)]
    for member in members:
        member.subscribe("$share/team/t", 1)
    sender = Client(port, version, "sender").connect()
    for number in range(20):
        sender.publish("t", f"{number}")
    done = []
    for member in members:
        member.mqtt.subscribe("fence", 0)
        while (event := member.event())[0] == "message":
            done.append(int(event[2]))
        if not done:
            raise SystemExit("a member got nothing")
    if sorted(done) != list(range(20)):
        raise SystemExit(f"not each message once: {sorted(done)}")


def refused(port, version):
    """CONNACK with the right code, for each kind of refusal; the broker has users and takes ids of 23 bytes."""
    # paho translates 2, 4 and 5, which MQTT 3.1.1 says, into these codes of MQTT 5.
    id_not_valid, bad_password, not_authorized = 0x85, 0x86, 0x87
    Client(port, version, "x" * 24, user="alice", password="correct horse").connect(code=id_not_valid)
    Client(port, version, "wrong", user="alice", password="wrong").connect(code=bad_password)
    Client(port, version, "unknown", user="mallory", password="correct horse").connect(code=bad_password)
    Client(port, version, "anonymous").connect(code=not_authorized)
    Client(port, version, "right", user="alice", password="correct horse").connect().disconnect()


def acl(port, version):
    """Allowed passes, denied is refused with the right code; the rules change meanwhile."""
    denied = {"3.1.1": 0, "5": 0x87}[version]
    client = Client(port, version, "lamp").connect()
    client.subscribe("secret/#", 1, code={"3.1.1": 0x80, "5": 0x87}[version])
    client.subscribe("open/#", 1)
    client.subscribe("clients/#", 1)
    client.publish("secret/x", "no", code=denied)
    client.publish("clients/oven/state", "no", code=denied)
    client.nothing()
    client.mqtt.publish("clients/lamp/state", "on", 1)
    both = sorted([client.event(), client.event()])
    if both != [("message", "clients/lamp/state", "on", 1, False), ("puback", 0)]:
        raise SystemExit(f"what is allowed did not pass: {both}")
    # The test edits the rules now, and says when they are in force.
    for opened, shut in (("secret/x", "open/x"), ("open/x", "secret/x")):
        print("ready", flush=True)
        if sys.stdin.readline().strip() != "go":
            raise SystemExit("the test has gone")
        client.publish(shut, "no", code=denied)
        client.mqtt.publish(opened, "yes", 1)
        events = [client.event()]
        if opened == "open/x":
            events.append(client.event())
        nobody = NOBODY[version] if opened == "secret/x" else 0
        if ("puback", nobody) not in events:
            raise SystemExit(f"{opened} is allowed now, and yet: {events}")
    client.disconnect()


def keep_alive(port, version):
    """A client whose network thread stands still is taken for dead, and its will is sent."""
    heir = Client(port, version, "heir").connect()
    heir.subscribe("wills/#", 1)
    silent = Client(port, version, "silent", keep_alive=1, will=("wills/silent", "dead")).connect()
    silent.mqtt.loop_stop()
    heir.receive("wills/silent", "dead", qos=1)
    heir.disconnect()


run({scenario.__name__: scenario for scenario in (
    fan_out, filters, qos, sessions, wills, takeover, retained, shared, refused, acl, keep_alive,
)})
