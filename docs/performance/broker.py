"""A broker for the time of a measurement, on the loopback interface."""

import contextlib
import json
import os
import pathlib
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = ROOT / "target" / "release" / "hookwire"


def file_limit():
    """As many open files as the system lets this process and those that it starts have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def free_ports(count):
    """Different ones, since all are taken at the same time."""
    with contextlib.ExitStack() as taken:
        sockets = [taken.enter_context(socket.socket()) for _ in range(count)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


def config(port, admin_port, tables):
    return f"""sys_interval = "0s"

[[listener]]
name = "measured"
address = "127.0.0.1:{port}"
allow_anonymous = true

[admin]
address = "127.0.0.1:{admin_port}"
{tables}"""


class Broker:
    """Runs as long as the `with` lasts; `tables` is what its configuration has beside a listener and the admin endpoint."""

    def __init__(self, folder, tables="", name="broker", binary=BINARY):
        if not os.access(binary, os.X_OK):
            sys.exit(f"{binary} is not there: cargo build --release --workspace --bins")
        self.port, self.admin_port = free_ports(2)
        file, self.log = folder / f"{name}.toml", folder / f"{name}.log"
        file.write_text(config(self.port, self.admin_port, tables))
        with self.log.open("w") as out:
            self.process = subprocess.Popen([binary, "--config", file], stdout=out, stderr=out)
        self.pid = self.process.pid

    def __enter__(self):
        try:
            self.wait_until_it_listens()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, kind, *_):
        self.end()
        if kind:
            print(self.log.read_text(), file=sys.stderr)

    def wait_until_it_listens(self):
        for _ in range(300):
            if self.process.poll() is not None:
                sys.exit(f"the broker ended:\n{self.log.read_text()}")
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        sys.exit("the broker does not listen")

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)

    def resident(self):
        """Bytes of memory that it has now."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmRSS:"))

    def ask(self, path):
        """What its admin endpoint says."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}{path}", timeout=10) as answer:
            return json.load(answer)
