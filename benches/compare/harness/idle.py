"""Connections that are open and say nothing, each with one request behind it; over HTTP/1.1 or HTTP/2."""

import resource
import socket
import struct
import time
from contextlib import contextmanager

from . import processes
from .error import BenchError

SPARE_FILES = 200
# An address has some 28,000 ports to connect from, and a few may be in use.
CONNECTIONS_PER_ADDRESS = 2000
CLOSE_SECONDS_MAX = 15


def raise_open_files(wanted):
    """For us, and for the servers that inherit it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, most)))
    except (ValueError, OSError):
        raise BenchError(f"{wanted} open files are needed, ulimit -Hn allows {most}") from None


@contextmanager
def opened(of, what, number, protocol="http1"):
    """So many connections to the server `of`, each of which has had an answer to `what`; closed at the end."""
    clients = []
    try:
        for index in range(number):
            address = f"127.0.0.{2 + index // CONNECTIONS_PER_ADDRESS}"
            try:
                clients.append(PROTOCOLS[protocol](of, address))
            except OSError as error:
                raise BenchError(f"{of.name}: connection {index + 1} failed: {error}") from None
            if not clients[-1].ask(what):
                raise BenchError(f"{of.name} does not answer on connection {index + 1}")
        yield clients
    finally:
        for client in clients:
            client.close()
        wait_until_closed(of)


def wait_until_closed(of):
    """Until the server has noticed that the others have gone."""
    deadline = time.monotonic() + CLOSE_SECONDS_MAX
    while time.monotonic() < deadline and processes.open_files(of.pids()) > SPARE_FILES:
        time.sleep(0.1)


class Http1:
    """A keep-alive connection."""

    def __init__(self, of, address):
        self.socket = socket.create_connection(("127.0.0.1", of.port), 30, (address, 0))

    def ask(self, what):
        """One request for a file; whether the whole answer came."""
        try:
            self.socket.sendall(f"GET {what.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            received = b""
            while b"\r\n\r\n" not in received:
                received += some(self.socket)
            head, _, body = received.partition(b"\r\n\r\n")
            missing = what.file_bytes - len(body)
            while missing > 0:
                missing -= len(some(self.socket))
        except OSError:
            return False
        return missing == 0 and head.startswith(b"HTTP/1.1 200 ")

    def close(self):
        self.socket.close()


class Http2:
    """A connection that asks for short files over HTTP/2, as RFC 9113 has it; it never gives more room to send."""

    PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    DATA, HEADERS, SETTINGS, PING = 0, 1, 4, 6
    ACK, END_STREAM, END_HEADERS = 1, 1, 4
    # Indexed fields of HPACK's static table.
    METHOD_GET, SCHEME_HTTP, STATUS_200 = b"\x82", b"\x86", 0x88
    # Literal values of fields that the table has, not to be added to it.
    AUTHORITY, PATH = b"\x01", b"\x04"

    def __init__(self, of, address):
        self.socket = socket.create_connection(("127.0.0.1", of.h2_port), 30, (address, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(self.PREFACE + self.frame(self.SETTINGS, 0, 0))
        self.stream = -1
        self.received = b""

    def ask(self, what):
        """One request for a file; whether the whole answer came."""
        self.stream += 2
        path = what.path.encode()
        fields = (self.METHOD_GET + self.SCHEME_HTTP + self.PATH + bytes([len(path)]) + path
                  + self.AUTHORITY + b"\x09localhost")
        got, good, ended = 0, False, False
        try:
            self.socket.sendall(self.frame(self.HEADERS, self.END_STREAM | self.END_HEADERS, self.stream, fields))
            while not ended:
                kind, flags, stream, payload = self.next_frame()
                if kind in (self.SETTINGS, self.PING) and not flags & self.ACK:
                    self.socket.sendall(self.frame(kind, self.ACK, 0, payload if kind == self.PING else b""))
                if stream == self.stream:
                    # A change of the table's size may come first.
                    good |= kind == self.HEADERS and self.STATUS_200 in payload[:4]
                    got += len(payload) if kind == self.DATA else 0
                    ended = kind not in (self.DATA, self.HEADERS) or bool(flags & self.END_STREAM)
        except OSError:
            return False
        return good and got == what.file_bytes

    def next_frame(self):
        """(type, flags, stream, payload)"""
        head = self.take(9)
        length, kind, flags, stream = int.from_bytes(head[:3]), head[3], head[4], int.from_bytes(head[5:])
        return kind, flags, stream, self.take(length)

    def take(self, length):
        while len(self.received) < length:
            self.received += some(self.socket)
        taken, self.received = self.received[:length], self.received[length:]
        return taken

    @staticmethod
    def frame(kind, flags, stream, payload=b""):
        """
        >>> Http2.frame(Http2.SETTINGS, Http2.ACK, 0).hex(" ")
        '00 00 00 04 01 00 00 00 00'
        """
        return len(payload).to_bytes(3) + struct.pack("!BBI", kind, flags, stream) + payload

    def close(self):
        self.socket.close()


PROTOCOLS = {"http1": Http1, "http2": Http2}


def some(connection):
    """What comes next. Raises OSError at the end."""
    piece = connection.recv(65536)
    if not piece:
        raise ConnectionResetError
    return piece
