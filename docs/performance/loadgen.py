"""The load generator, as a program that prints a JSON object."""

import json
import subprocess
import sys


def run(program, scenario, broker, *arguments):
    """What it found. A run that lost messages is no measurement."""
    command = [program, scenario, "--json", "--port", broker.port, "--broker-pid", broker.pid, *arguments]
    printed = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True).stdout
    found = json.loads(printed) if printed else {"error": "nothing was printed"}
    error = found.get("error") or found["result"].get("error")
    if error or found["result"].get("lost"):
        sys.exit(f"{scenario} {' '.join(map(str, arguments))}: {error or 'messages were lost'}")
    return found
