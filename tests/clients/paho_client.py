"""paho-mqtt, wrapped so that a scenario reads as what it says to the broker and what it hears.

Everything that is heard goes through one queue, so that a scenario waits for events and never for time.
"""

import queue
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

# How long an event may take on a busy machine before the scenario has failed.
PATIENCE_SECS = 30

VERSIONS = {"3.1.1": mqtt.MQTTv311, "5": mqtt.MQTTv5}


class Failed(Exception):
    """The broker did something else."""


class Client:
    """One client, connected by connect(). `version` is "3.1.1" or "5"."""

    def __init__(self, port, version, client_id, clean=True, keep_alive=60, user=None, password=None, will=None):
        self.port, self.version, self.keep_alive, self.clean = port, version, keep_alive, clean
        self.events = queue.Queue()
        # In MQTT 3.1.1 the flag belongs to the client, in MQTT 5 to the connection.
        options = {} if version == "5" else {"clean_session": clean}
        self.mqtt = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=VERSIONS[version], reconnect_on_failure=False, **options
        )
        if user is not None:
            self.mqtt.username_pw_set(user, password)
        if will is not None:
            topic, payload = will
            self.mqtt.will_set(topic, payload, qos=1)
        self.mqtt.on_connect = lambda _c, _u, flags, reason, _p: self.events.put(
            ("connack", reason.value, flags.session_present)
        )
        self.mqtt.on_disconnect = lambda _c, _u, _f, reason, _p: self.events.put(("disconnect", reason.value))
        self.mqtt.on_subscribe = lambda _c, _u, _m, reasons, _p: self.events.put(("suback", reasons[0].value))
        self.mqtt.on_publish = lambda _c, _u, _m, reason, _p: self.events.put(("puback", reason.value))
        self.mqtt.on_message = lambda _c, _u, m: self.events.put(
            ("message", m.topic, m.payload.decode(), m.qos, bool(m.retain))
        )

    def event(self):
        """The next thing that happened."""
        try:
            return self.events.get(timeout=PATIENCE_SECS)
        except queue.Empty:
            raise Failed("nothing came") from None

    def expect(self, *event):
        """The next thing that happened must be this."""
        happened = self.event()
        if happened != event:
            raise Failed(f"expected {event}, got {happened}")

    def connect(self, code=0, session_present=False, expiry=None):
        """Connects and expects this code."""
        options = {}
        if self.version == "5":
            options["clean_start"] = self.clean
            if expiry is not None:
                options["properties"] = Properties(PacketTypes.CONNECT)
                options["properties"].SessionExpiryInterval = expiry
        self.mqtt.connect("127.0.0.1", self.port, self.keep_alive, **options)
        self.mqtt.loop_start()
        self.expect("connack", code, session_present)
        return self

    def subscribe(self, topic, qos=0, code=None):
        """Subscribes and expects this code; without one, the QoS."""
        self.mqtt.subscribe(topic, qos)
        self.expect("suback", qos if code is None else code)

    def publish(self, topic, payload="", qos=1, retain=False, code=0):
        """Publishes and expects this code in the acknowledgement."""
        self.mqtt.publish(topic, payload, qos, retain)
        self.expect("puback", code)

    def receive(self, topic, payload, qos=0, retain=False):
        """The next thing must be this message."""
        self.expect("message", topic, payload, qos, retain)

    def nothing(self):
        """A fence: whatever others were promised would have come before this."""
        self.mqtt.subscribe("fence", 0)
        self.expect("suback", 0)

    def disconnect(self):
        """Says goodbye."""
        self.mqtt.disconnect()
        self.expect("disconnect", 0)
        self.mqtt.loop_stop()

    def lose(self):
        """Loses the connection without a word."""
        self.mqtt.socket().close()


def run(scenarios):
    """Runs the scenario that the command line names: PORT SCENARIO VERSION."""
    port, name, version = sys.argv[1:4]
    try:
        scenarios[name](int(port), version)
    except Failed as failed:
        print(f"{name} with MQTT {version}: {failed}", file=sys.stderr)
        sys.exit(1)
    print(f"{name} with MQTT {version}: good")
