"""A server under test: started from its file in servers/ on a free loopback port, and ended with all its processes."""

import http.client
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from contextlib import contextmanager, suppress
from pathlib import Path

from . import libphp, processes
from .error import BenchError
from .scenario import numbered_lines

HERE = Path(__file__).resolve().parent.parent
START_SECONDS_MAX = 20
STOP_SECONDS_MAX = 10
# Nothing of the caller's environment changes what a server does.
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8"}
# Scripts older than opcache.file_update_protection are cached at once.
LONG_AGO = 1_600_000_000


@contextmanager
def running(chosen, scenarios, connections):
    """The servers of `chosen` on the files of www/, as `started` has them."""
    with directory(chosen) as place, started(chosen, place, fill(place, scenarios), connections) as servers:
        yield servers


@contextmanager
def directory(chosen):
    """A directory for everything of a run, which the accounts that servers change to may enter; removed at the end."""
    place = Path(tempfile.mkdtemp(prefix="ephpm-bench-"))
    try:
        place.chmod(0o755)
        yield place
    finally:
        if chosen.keep:
            print(f"kept: {place}")
        else:
            shutil.rmtree(place, ignore_errors=True)


@contextmanager
def started(chosen, place, document_root, connections, nginx_site="", beside=()):
    """The servers of `chosen`, all up and ready for `connections` at once; ended whatever happens.

    `nginx_site` is what nginx has to be told of a site whose URLs are not all files; `beside` are processes that work for
    all of the servers, a database for one.
    """
    servers = []
    try:
        for name in chosen.servers:
            values = {
                "binary": chosen.binary.resolve(),
                "www": document_root,
                "ini": HERE / "php.ini",
                "workers": chosen.workers,
                "connections": connections,
                "cpus": len(os.sched_getaffinity(0)),
                "nginx_site": nginx_site,
            }
            servers.append(Server(name, place / name, values, beside))
            servers[-1].start()
        refuse_unequal(servers)
        yield servers
    finally:
        for server in reversed(servers):
            server.stop()


def fill(place, scenarios):
    """Makes the document root in `place`."""
    document_root = place / "www"
    shutil.copytree(HERE / "www", document_root)
    for scenario in scenarios:
        if scenario.file_bytes:
            file = document_root / scenario.path.lstrip("/")
            file.write_bytes(numbered_lines(scenario.file_bytes))
    make_readable(document_root)
    return document_root


def make_readable(document_root):
    """For the accounts that servers change to; and old, so that scripts are cached at once."""
    for file in document_root.rglob("*"):
        file.chmod(0o755 if file.is_dir() else 0o644)
        os.utime(file, (LONG_AGO, LONG_AGO))


class Server:
    """One server, its commands in the foreground below us."""

    def __init__(self, name, place, values, beside=()):
        self.name = name
        self.place = place
        self.beside = beside
        self.port, h2_port = free_ports(2)
        self.settings = settings(name)
        self.values = values | {"dir": place, "port": self.port, "h2_port": h2_port}
        for key, pattern in self.settings.get("find", {}).items():
            self.values[key] = newest(pattern)
        for key, text in self.settings.get("values", {}).items():
            self.values[key] = self.fill_in(text)
        self.h2_port = int(self.values["h2_port"])
        """Where HTTP/2 is spoken in clear text, by whoever can."""
        self.has_php = self.settings.get("php", True)
        self.started = []
        self.facts = {}

    def start(self):
        """Starts the server, waits for PHP to answer, if it has any, and asks it what it is."""
        self.configure()
        self.launch()
        self.wait_until_ready()
        self.facts = {"version": self.version(), "php": self.php() if self.has_php else None}
        if "libphp_of" in self.settings:
            self.facts["libphp"] = libphp.facts(Path(self.fill_in(self.settings["libphp_of"])))

    def configure(self):
        """Writes the configuration."""
        self.place.mkdir()
        for name, text in self.settings["files"].items():
            (self.place / name).write_text(self.fill_in(text))

    def launch(self):
        """Starts the commands, and waits for nothing."""
        with (self.place / "output.log").open("wb") as log:
            for command in self.commands("start"):
                if not os.access(command[0], os.X_OK):
                    raise BenchError(f"{self.name}: {command[0]} is not there; benches/README.md says where from")
                self.started.append(in_background(command, self.place, log))

    def refuse_too_many(self, connections):
        """Raises if the server is not made for so many connections of the load at once."""
        most = int(self.fill_in(self.settings.get("connections_max", str(connections))))
        if connections > most:
            raise BenchError(f"{self.name} is for {most} connections at once, not {connections}: see --concurrency")

    def stop(self):
        """Ends what was started, by pid; what does not end by itself is killed."""
        members = processes.tree(child.pid for child in self.started)
        for child in reversed(self.started):
            child.terminate()
        deadline = time.monotonic() + STOP_SECONDS_MAX
        left = members
        while left and time.monotonic() < deadline:
            time.sleep(0.02)
            for child in self.started:
                child.poll()
            alive = processes.table()
            left = {pid: start for pid, start in members.items() if pid in alive and alive[pid][1] == start}
        for pid in left:
            print(f"{self.name}: process {pid} did not end and is killed", file=sys.stderr)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for child in self.started:
            child.wait()
        self.started = []

    def pids(self):
        """All processes of the server just now."""
        return sorted(processes.tree(child.pid for child in self.started))

    def url(self, path, port=None):
        return f"http://127.0.0.1:{port or self.port}{path}"

    def get(self, method, path, headers=None, content=None):
        """One request on a connection of its own: (status, body). Raises OSError or HTTPException."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, content, headers or {})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def response(self, scenario):
        """The answer to one request of a scenario as it comes on the connection: head, content and framing."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.connect()
        connection.sock = listened = Listened(connection.sock)
        try:
            connection.request(scenario.method, scenario.path, scenario.sent, scenario.headers)
            connection.getresponse().read()
            return bytes(listened.received)
        finally:
            connection.close()

    def wait_until_ready(self):
        deadline = time.monotonic() + START_SECONDS_MAX
        status = None
        while status is None or (self.has_php and status != 200):
            with suppress(OSError, http.client.HTTPException):
                status, _ = self.get("GET", "/facts.php")
            self.refuse_dead(deadline, f"not ready (last status: {status})")
            time.sleep(0.02)

    def refuse_dead(self, deadline, otherwise):
        """Raises if a command has ended, or it is later than `deadline` by the monotonic clock."""
        dead = next((child for child in self.started if child.poll() is not None), None)
        if dead or time.monotonic() > deadline:
            raise BenchError(f"{self.name}: {f'{dead.args[4]} ended at once' if dead else otherwise}\n{self.log_end()}")

    def log_end(self):
        text = "".join(log.read_text(errors="replace") for log in sorted(self.place.glob("*.log")))
        return "\n".join("    " + line for line in text.splitlines()[-15:])

    def version(self):
        """The first lines of what the server's version commands print."""
        lines = []
        for command in self.commands("version"):
            done = subprocess.run(command, capture_output=True, text=True, timeout=20, env=ENVIRONMENT, check=False)
            lines.append((done.stdout + done.stderr).partition("\n")[0])
        return ", ".join(lines)

    def php(self):
        """What the server's PHP says of itself."""
        _, body = self.get("GET", "/facts.php")
        return json.loads(body)

    def commands(self, key):
        return [[self.fill_in(word) for word in command] for command in self.settings[key]]

    def fill_in(self, text):
        """Replaces each @name@ by its value."""
        return re.sub(r"@(\w+)@", lambda match: str(self.values[match[1]]), text)


class Listened(io.RawIOBase):
    """What http.client takes for a socket, which keeps what was read from it."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        self.received = bytearray()

    def sendall(self, data):
        self.inner.sendall(data)

    def makefile(self, _mode):
        return io.BufferedReader(self)

    def readable(self):
        return True

    def readinto(self, buffer):
        count = self.inner.recv_into(buffer)
        self.received += buffer[:count]
        return count

    def close(self):
        self.inner.close()
        super().close()


def settings(name):
    """What the file of a server says; one that is like another says only in what it differs."""
    file = HERE / "servers" / f"{name}.toml"
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in file.parent.glob("*.toml")))
        raise BenchError(f"no server is named {name}; there are: {known}")
    own = tomllib.loads(file.read_text())
    if "like" not in own:
        return own
    other = settings(own["like"])
    return other | own | {"values": other.get("values", {}) | own.get("values", {})}


def in_background(command, place, log):
    """Starts a command that must not outlive us, even if we are killed; a Ctrl-C is for us alone to handle."""
    return subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "--", *command], cwd=place, env=ENVIRONMENT,
                            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)


def refuse_unequal(servers):
    """PHP with other settings would be another thing to measure."""
    for server in servers:
        php, wanted = server.facts["php"], servers[0].facts["php"]
        if not php["opcache"] or php["jit"]:
            raise BenchError(f"{server.name}: OPcache must be on and its JIT off, PHP says {php}")
        if php["settings"] != wanted["settings"]:
            raise BenchError(f"{server.name} has {php['settings']}, {servers[0].name} has {wanted['settings']}")


def newest(pattern):
    """The file that matches `pattern`, of several versions the highest."""
    def version(path):
        return [int(number) for number in re.findall(r"\d+", path.name)]
    found = sorted(Path("/").glob(pattern.lstrip("/")), key=version)
    return found[-1] if found else pattern


def free_ports(number):
    """So many ports of loopback that nobody listens on, all different."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    try:
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
