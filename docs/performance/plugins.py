"""Plugins for a broker's configuration."""

import json

from broker import ROOT

READER = ROOT / "target" / "guests" / "wasm32-wasip2" / "plugin" / "hookwire_reader_guest.wasm"


def reader(name="reader", topics=()):
    """One that is handed topic and payload of every message, or of those of some topics, looks at them, and lets it pass."""
    return f"""
[[plugin]]
name = "{name}"
path = "{READER}"
{f"topics = {json.dumps(topics)}" if topics else ""}
"""
