"""Keeps readings that no sensor can have measured away from everybody: out of range, or too far from the last one.

The last good reading of each topic stands in the broker's key-value store, so that all instances of the plugin compare
with the same one, and a reload forgets nothing.
"""

import json
import math
import struct
from dataclasses import dataclass

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.lifecycle import (
    AccessInterest,
    EventInterest,
    Interests,
    MessageInterest,
    Problem,
)
from wit_world.imports import clock, kv, log, topics
from wit_world.imports.types import (
    Properties,
    PublishReason,
    Rejection,
    Replacement,
    UserProperty,
    Verdict_Drop,
    Verdict_Pass,
    Verdict_Reject,
    Verdict_Replace,
)

VIOLATIONS = ("reject", "drop", "mark")

# Time and value of the last good reading: milliseconds, float64.
LAST = struct.Struct("<Qd")


@dataclass
class Rule:
    """What readings on some topics have to be like."""

    topics: str
    field: list
    minimum: float
    maximum: float
    change_per_second_max: float
    on_violation: str


class Config:
    """The plugin's table, checked: every fault is collected, with the place where it stands."""

    def __init__(self):
        self.rules = []
        self.problems = []

    def problem(self, path, message):
        self.problems.append(Problem(path, message))

    def read(self, text):
        table = json.loads(text)
        for key in table.keys() - {"rules"}:
            self.problem(key, "unknown key, expected rules")
        rules = table.get("rules")
        if not isinstance(rules, list) or not rules:
            self.problem("rules", "expected a list of at least one rule")
            return
        for place, rule in enumerate(rules):
            self.read_rule(f"rules.{place}", rule)

    def read_rule(self, path, rule):
        if not isinstance(rule, dict):
            self.problem(path, "expected a table")
            return
        known = {"topics", "field", "min", "max", "change_per_second_max", "on_violation"}
        for key in rule.keys() - known:
            self.problem(f"{path}.{key}", f"unknown key, expected one of {', '.join(sorted(known))}")
        filter = rule.get("topics")
        if not isinstance(filter, str) or not topics.valid_filter(filter):
            self.problem(f"{path}.topics", "expected a topic filter")
        field = rule.get("field", "")
        if not isinstance(field, str):
            self.problem(f"{path}.field", "expected the names of fields, joined by dots")
            field = ""
        on_violation = rule.get("on_violation", "reject")
        if on_violation not in VIOLATIONS:
            self.problem(f"{path}.on_violation", f"expected one of {', '.join(VIOLATIONS)}")
        minimum = self.number(rule, path, "min", -math.inf)
        maximum = self.number(rule, path, "max", math.inf)
        if minimum > maximum:
            self.problem(f"{path}.min", "expected at most max")
        change = self.number(rule, path, "change_per_second_max", math.inf)
        self.rules.append(
            Rule(filter, [name for name in field.split(".") if name], minimum, maximum, change, on_violation)
        )

    def number(self, rule, path, key, default):
        value = rule.get(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.problem(f"{path}.{key}", "expected a number")
            return default
        return float(value)


CONFIG = Config()


class Lifecycle(exports.Lifecycle):
    def configure(self, config):
        global CONFIG
        read = Config()
        read.read(config)
        if read.problems:
            raise Err(read.problems)
        CONFIG = read
        nothing = MessageInterest(topics=[], payload=False, properties=False)
        return Interests(
            on_publish=MessageInterest(
                topics=[rule.topics for rule in read.rules],
                payload=True,
                properties=any(rule.on_violation == "mark" for rule in read.rules),
            ),
            route=nothing,
            deliver=nothing,
            authorize=AccessInterest(0),
            events=EventInterest(0),
            tick_ms=None,
        )

    def health(self):
        pass

    def tick(self):
        pass

    def stop(self):
        pass


class OnPublish(exports.OnPublish):
    def on_publish(self, source, message):
        rule = next((rule for rule in CONFIG.rules if topics.matches(rule.topics, message.topic)), None)
        fault = rule and fault_of(rule, message)
        if not fault:
            return Verdict_Pass()
        log.log(log.Level.INFO, f"{message.topic}: {fault}")
        if rule.on_violation == "drop":
            return Verdict_Drop()
        if rule.on_violation == "mark":
            return Verdict_Replace(marked(message, fault))
        return Verdict_Reject(Rejection(PublishReason.PAYLOAD_FORMAT_INVALID, fault))


def fault_of(rule, message):
    """What is wrong with a reading; None when nothing is, and then it is the one to compare the next with."""
    value = reading(rule.field, message.payload)
    if value is None:
        return f"no number at {'.'.join(rule.field) or 'the payload'}"
    if not rule.minimum <= value <= rule.maximum:
        return f"{value:g} is not within {rule.minimum:g} to {rule.maximum:g}"
    if math.isinf(rule.change_per_second_max):
        return None
    return leap(rule, message.topic, value)


def reading(field, payload):
    try:
        # Left to itself, Python would take UTF-16 too, and NaN.
        value = json.loads(payload.decode(), parse_constant=refuse, parse_int=float)
        for name in field:
            value = value[name]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not isinstance(value, float) or not math.isfinite(value):
        return None
    return value


def refuse(constant):
    raise ValueError(f"{constant} is not JSON")


def leap(rule, topic, value):
    now = clock.now_ms()
    key = f"last/{topic}"
    last = kv.get(key[:1024])
    if last is not None:
        then, before = LAST.unpack(last)
        # Readings may come at the same millisecond, and clocks may go back.
        seconds = max(now - then, 1) / 1000
        if abs(value - before) > rule.change_per_second_max * max(seconds, 1):
            return f"{value:g} is too far from {before:g}, {seconds:.1f} s ago"
    try:
        kv.put(key[:1024], LAST.pack(now, value), 24 * 3600 * 1000)
    except Err as error:
        log.log(log.Level.WARN, f"the last reading of {topic} cannot be kept: {error.value}")
    return None


def marked(message, fault):
    before = message.properties
    kept = [entry for entry in before.user_properties if entry.name != "fault"] if before else []
    properties = Properties(
        payload_format_utf8=before and before.payload_format_utf8,
        message_expiry_secs=before and before.message_expiry_secs,
        response_topic=before and before.response_topic,
        correlation_data=before and before.correlation_data,
        content_type=before and before.content_type,
        user_properties=[*kept, UserProperty("fault", fault)],
    )
    return Replacement(topic=None, payload=None, qos=None, retain=None, properties=properties)
