"""What is requested, and what every server must answer to it; read from scenarios.toml."""

import hashlib
import http.client
import tomllib
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from .error import BenchError

HERE = Path(__file__).resolve().parent.parent
BOUNDARY = b"----a-boundary-that-no-line-has"
"""scenarios.toml names it in the Content-Type of forms with files."""


@dataclass
class Scenario:
    name: str
    path: str
    sha256: str
    """Of the body, the same from every server."""
    status: int = 200
    method: str = "GET"
    headers: dict = field(default_factory=dict)
    content: str = ""
    """A file of content/ to send."""
    upload_bytes: int = 0
    """If not 0, a form is sent with a file of so many bytes."""
    file_bytes: int = 0
    """If not 0, `path` is a file of so many bytes."""

    @property
    def sent(self):
        """The request's content, or None."""
        if self.upload_bytes:
            return form_with_file(self.upload_bytes)
        return (HERE / "content" / self.content).read_bytes() if self.content else None

    def problem(self, server):
        """Asks `server` once: what is wrong with its answer, or None; and the body's length."""
        try:
            status, body = server.get(self.method, self.path, self.headers, self.sent)
        except (OSError, http.client.HTTPException) as error:
            return f"no answer: {error!r}", 0
        if status != self.status:
            return f"status {status}, not {self.status}", 0
        digest = self.digest(body)
        if digest != self.sha256:
            return f"body of {len(body)} bytes has SHA-256 {digest}, not {self.sha256}", len(body)
        return None, len(body)

    def digest(self, body):
        """The SHA-256 of what has to be the same."""
        return hashlib.sha256(body).hexdigest()


def load(patterns):
    """The scenarios whose names match one of the shell patterns, in the order of the file."""
    everything = tomllib.loads((HERE / "scenarios.toml").read_text())
    return matching([Scenario(name, **settings) for name, settings in everything.items()], patterns)


def matching(scenarios, patterns):
    """Those whose names match one of the shell patterns; there must be any."""
    chosen = [each for each in scenarios if any(fnmatch(each.name, pattern) for pattern in patterns)]
    if not chosen:
        names = ", ".join(each.name for each in scenarios)
        raise BenchError(f"no scenario matches {','.join(patterns)}; there are: {names}")
    return chosen


def numbered_lines(length):
    """Content of `length` bytes in which every place differs from the others."""
    lines = (b"%015d\n" % number for number in range(length // 16 + 1))
    return b"".join(lines)[:length]


def form_with_file(length):
    """What a browser sends of a form with a field and a file of `length` bytes."""
    return b"".join([
        b"--", BOUNDARY, b'\r\nContent-Disposition: form-data; name="author"\r\n\r\nSomebody\r\n',
        b"--", BOUNDARY, b'\r\nContent-Disposition: form-data; name="report"; filename="report.txt"\r\n',
        b"Content-Type: text/plain\r\n\r\n", numbered_lines(length), b"\r\n--", BOUNDARY, b"--\r\n",
    ])
