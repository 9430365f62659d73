"""Clients of MQTT 3.1.1 that do next to nothing: connect, subscribe, publish, and read only what they are told to."""

import socket
import struct

# Of <linux/in.h>; Python has no name for it.
IP_BIND_ADDRESS_NO_PORT = 24

CONNACK_BYTES, SUBACK_BYTES, PUBACK_BYTES = 4, 5, 4


def text(value):
    encoded = value.encode()
    return struct.pack(">H", len(encoded)) + encoded


def packet(first, body):
    length, rest = b"", len(body)
    while True:
        length += bytes([rest % 128 | (128 if rest > 127 else 0)])
        rest //= 128
        if not rest:
            return bytes([first]) + length + body


class Client:
    def __init__(self, port, client_id, source="127.0.0.1"):
        self.socket = socket.socket()
        # The port is chosen with the connection: ports that are in use for other targets are not searched.
        self.socket.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        self.socket.bind((source, 0))
        self.socket.connect(("127.0.0.1", port))
        # A clean session, no keep alive.
        self.socket.sendall(packet(0x10, text("MQTT") + b"\x04\x02\x00\x00" + text(client_id)))
        self.owed = CONNACK_BYTES

    def subscribe(self, topic, qos):
        self.socket.sendall(packet(0x82, b"\x00\x01" + text(topic) + bytes([qos])))
        self.owed += SUBACK_BYTES

    def publish_acked(self, topic, payload):
        self.socket.sendall(packet(0x32, text(topic) + b"\x00\x01" + payload))
        self.owed += PUBACK_BYTES
        self.settle()

    def settle(self):
        """Reads all that it is owed."""
        while self.owed:
            received = self.socket.recv(self.owed)
            if not received:
                raise ConnectionError("the broker has closed")
            self.owed -= len(received)

    def close(self):
        self.socket.close()
