#!/usr/bin/env python3
"""Run php-src .phpt tests through a running HTTP server.

Each test's FILE section is put under the server's docroot, requested over
HTTP with the request that the test's GET/POST/POST_RAW/PUT/COOKIE/... sections
describe, and the response body (and headers) compared with the EXPECT*
sections, following run-tests.php of php-src 8.2-8.4.

  phpt_http.py --base-url http://127.0.0.1:8080 --docroot DIR --tests DIR_OR_FILE...

The server should run with the ini settings that `--print-ini` prints (those
run-tests.php forces).  Tests with an --INI-- section run

  * as they are, where the server's own values already equal the wanted ones;
  * with --ini-cmd CMD: CMD is run by the shell with PHPT_INI_FILE (a full
    php.ini to use) and PHPT_ENV_FILE (VAR=value lines for the server's
    environment) set; it must return 0 once the server answers with these;
  * with --ini-set: injected as ini_set() calls on the script's first line
    (only settings changeable at run time);
  * otherwise they are skipped.

Standard library only.  Exit status: 0 all passed, 1 failures, 2 usage or no
server.  The last line is 'N passed, N failed, N skipped'.
"""

import argparse
import base64
import contextlib
import difflib
import gzip
import http.client
import json
import os
import random
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import zlib
from concurrent.futures import ThreadPoolExecutor
from xml.sax.saxutils import escape, quoteattr

# What run-tests.php passes as -d to every test (less the opcache.jit_* ones).
BASE_INI = [
    ("output_handler", ""), ("open_basedir", ""), ("disable_functions", ""),
    ("output_buffering", "Off"), ("error_reporting", "32767"), ("display_errors", "1"),
    ("display_startup_errors", "1"), ("log_errors", "0"), ("html_errors", "0"),
    ("report_memleaks", "1"), ("docref_root", ""), ("docref_ext", ".html"),
    ("error_prepend_string", ""), ("error_append_string", ""), ("auto_prepend_file", ""),
    ("auto_append_file", ""), ("ignore_repeated_errors", "0"), ("precision", "14"),
    ("serialize_precision", "-1"), ("memory_limit", "128M"),
    ("opcache.file_update_protection", "0"), ("opcache.revalidate_freq", "0"),
    ("zend.assertions", "1"), ("zend.exception_ignore_args", "0"),
    ("zend.exception_string_param_max_len", "15"), ("short_open_tag", "0"),
    ("date.timezone", "UTC"),
]

SECTIONS = set("""TEST DESCRIPTION CREDITS EXPECT EXPECTF EXPECTREGEX EXPECT_EXTERNAL
EXPECTF_EXTERNAL EXPECTREGEX_EXTERNAL EXPECTHEADERS POST POST_RAW GZIP_POST DEFLATE_POST
PUT GET COOKIE HEADERS ARGS FILE FILEEOF FILE_EXTERNAL REDIRECTTEST CAPTURE_STDIO STDIN CGI
PHPDBG INI ENV EXTENSIONS SKIPIF XFAIL XLEAK CLEAN CONFLICTS WHITESPACE_SENSITIVE FLAKY""".split())

# Sections that have no meaning over HTTP.
CLI_SECTIONS = ["ARGS", "STDIN", "CAPTURE_STDIO", "PHPDBG", "REDIRECTTEST"]

# Code that needs the command line, or starts a PHP of its own.
CLI_CODE = [
    (re.compile(rb"TEST_PHP_(CGI_|FPM_)?EXECUTABLE|PHP_BINARY\b|TEST_PHP_EXTRA_ARGS"), "starts a PHP process"),
    (re.compile(rb"ServerClientTestCase|cli_server\.inc|php_cli_server_start|sapi_windows|fpm\.inc|tester\.inc|get_cgi_path"), "starts a PHP process"),
    (re.compile(rb"\bSTD(IN|OUT|ERR)\b|php://std(in|err)", 0), "uses STDIN/STDOUT/STDERR"),
    (re.compile(rb"\bpcntl_|\breadline(_\w+)?\(|cli_set_process_title|cli_get_process_title"), "uses pcntl/readline/cli functions"),
    (re.compile(rb"\$arg[cv]\b|\['arg[cv]'\]"), "uses argc/argv"),
    (re.compile(rb"\b(php_sapi_name\(|PHP_SAPI\b)"), "depends on the SAPI's name"),
]

PHP_WS = b" \t\n\r\0\x0b"          # what PHP's trim() strips
SECRE = re.compile(rb"^--([_A-Z]+)--")
LOCK = threading.Lock()


class Bork(Exception):
    pass


class Skip(Exception):
    pass


class Transport(Exception):
    pass


# ------------------------------------------------------------------ .phpt files

def parse_phpt(path):
    """The sections of a .phpt file as {name: bytes}."""
    with open(path, "rb") as f:
        data = f.read()
    lines = re.findall(rb"[^\n]*\n|[^\n]+$", data)
    if not lines or not lines[0].startswith(b"--TEST--"):
        raise Bork("tests must start with --TEST--")
    sec, cur, infile, done = {"TEST": b""}, "TEST", False, False
    for line in lines[1:]:
        m = SECRE.match(line)
        if m:
            cur = m.group(1).decode()
            if sec.get(cur):
                raise Bork("duplicated %s section" % cur)
            if cur not in SECTIONS:
                raise Bork("unknown section %s" % cur)
            sec[cur], infile, done = b"", cur in ("FILE", "FILEEOF", "FILE_EXTERNAL"), False
            continue
        if not done:
            sec[cur] += line
        if infile and re.match(rb"===DONE===\s*$", line):
            done = True
    if "REDIRECTTEST" in sec:
        return sec
    if ("FILE" in sec) + ("FILEEOF" in sec) + ("FILE_EXTERNAL" in sec) != 1 and "PHPDBG" not in sec:
        raise Bork("missing section --FILE--")
    if "FILEEOF" in sec:
        sec["FILE"] = re.sub(rb"[\r\n]+$", b"", sec.pop("FILEEOF"))
    for name in ("FILE", "EXPECT", "EXPECTF", "EXPECTREGEX"):
        key = name + "_EXTERNAL"
        if key in sec:
            ext = sec[key].replace(b"..", b"").strip(PHP_WS).decode("utf-8", "surrogateescape")
            try:
                with open(os.path.join(os.path.dirname(path), ext), "rb") as f:
                    sec[name] = f.read()
            except OSError as e:
                raise Bork("could not load --%s-- %s" % (key, e))
    if ("EXPECT" in sec) + ("EXPECTF" in sec) + ("EXPECTREGEX" in sec) != 1:
        raise Bork("missing section --EXPECT--, --EXPECTF-- or --EXPECTREGEX--")
    return sec


def expectf_to_regex(wanted):
    """EXPECTF to a bytes regular expression, as run-tests.php does it."""
    out, pos, n = b"", 0, len(wanted)
    while pos < n:
        start = wanted.find(b"%r", pos)
        if start >= 0:
            end = wanted.find(b"%r", start + 2)
            if end < 0:
                start = end = n
        else:
            start = end = n
        out += re.escape(wanted[pos:start])
        if end > start:
            out += b"(" + pcre_to_python(wanted[start + 2:end]) + b")"
        pos = end + 2
    table = {
        b"e": rb"/", b"s": rb"[^\r\n]+", b"S": rb"[^\r\n]*", b"a": rb".+", b"A": rb".*",
        b"w": rb"\s*", b"i": rb"[+-]?\d+", b"d": rb"\d+", b"x": rb"[0-9a-fA-F]+",
        b"f": rb"[+-]?(?:\d+|(?=\.\d))(?:\.\d+)?(?:[Ee][+-]?\d+)?", b"c": rb".", b"0": rb"\x00",
    }
    return re.sub(rb"%([esSaAwidxfc0])", lambda m: table[m.group(1)], out)


def pcre_to_python(rx):
    for a, b in ((rb"[[:space:]]", rb"\s"), (rb"[:space:]", rb"\s"), (rb"[:digit:]", rb"0-9"),
                 (rb"[:xdigit:]", rb"0-9A-Fa-f"), (rb"[:alnum:]", rb"0-9A-Za-z"), (rb"[:alpha:]", rb"A-Za-z"),
                 (rb"\h", rb"[ \t]"), (rb"\R", rb"(?:\r\n|\n|\r)"), (rb"\z", rb"\Z")):
        rx = rx.replace(a, b)
    return rx


def like_expected(want, got):
    """For a readable diff: output lines that an EXPECTF line fits are shown as that line."""
    pats, memo = [], {}
    for w in dict.fromkeys(want):
        if "%" in w:
            with contextlib.suppress(re.error):
                pats.append((re.compile(expectf_to_regex(w.encode("utf-8", "backslashreplace"))), w))
    plain = set(want)
    for g in dict.fromkeys(got):
        memo[g] = g
        if g not in plain:
            gb = g.encode("utf-8", "backslashreplace")
            memo[g] = next((w for rx, w in pats if rx.fullmatch(gb)), g)
    return [memo[g] for g in got]


def phptrim(b):
    return b.strip(PHP_WS)


# ------------------------------------------------------------------ HTTP

class Client:
    """One HTTP/1.1 client per thread (stdlib), or curl for other protocols."""

    def __init__(self, opts):
        self.o, self.local = opts, threading.local()
        u = urllib.parse.urlsplit(opts.base_url)
        self.https, self.host, self.port = u.scheme == "https", u.hostname, u.port or (443 if u.scheme == "https" else 80)
        self.path, self.hosthdr = u.path.rstrip("/"), opts.host or u.netloc

    def _connect(self):
        if self.https:
            ctx = ssl._create_unverified_context()
            return http.client.HTTPSConnection(self.host, self.port, timeout=self.o.timeout, context=ctx)
        return http.client.HTTPConnection(self.host, self.port, timeout=self.o.timeout)

    def request(self, method, target, headers, body):
        """Returns (status, [(name, value)], body)."""
        target = self.path + target
        if self.o.curl is not None:
            return self._curl(method, target, headers, body)
        conn = getattr(self.local, "conn", None) if self.o.keepalive else None
        reused = conn is not None
        for attempt in (0, 1):
            if conn is None:
                conn = self._connect()
            try:
                conn.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
                conn.putheader("Host", self.hosthdr)
                if not self.o.keepalive:
                    conn.putheader("Connection", "close")
                for k, v in headers:
                    conn.putheader(k, v)
                if body is not None:
                    conn.putheader("Content-Length", str(len(body)))
                conn.endheaders(body if body else None)
                r = conn.getresponse()
                data = r.read()
                hdrs = r.getheaders()
                if self.o.keepalive and not r.will_close:
                    self.local.conn = conn
                else:
                    conn.close()
                    self.local.conn = None
                return r.status, hdrs, data
            except ValueError as e:               # http.client refuses the header or target
                conn.close()
                self.local.conn = None
                raise Skip("request cannot be sent: %s" % str(e)[:100])
            except (OSError, http.client.HTTPException) as e:
                conn.close()
                self.local.conn = conn = None
                if reused and attempt == 0 and not isinstance(e, socket.timeout):
                    reused = False        # the idle connection was closed: once more on a new one
                    continue
                raise Transport("%s: %s" % (type(e).__name__, e))

    def _curl(self, method, target, headers, body):
        with tempfile.TemporaryDirectory() as d:
            hf, bf, df = (os.path.join(d, x) for x in ("h", "b", "d"))
            cmd = ["curl", "-sS", "-k", "--path-as-is", "-g", "-D", hf, "-o", bf, "-X", method,
                   "--max-time", str(self.o.timeout), "-H", "Accept:", "-H", "User-Agent:", "-H", "Expect:",
                   "-H", "Host: " + self.hosthdr] + shlex.split(self.o.curl)
            seen = set()
            for k, v in headers:
                seen.add(k.lower())
                cmd += ["-H", (k.encode() + b": " + v) if v else k + ";"]
            if body is not None:
                with open(df, "wb") as f:
                    f.write(body)
                if "content-type" not in seen:
                    cmd += ["-H", "Content-Type:"]
                cmd += ["--data-binary", "@" + df]
            p = subprocess.run(cmd + ["%s://%s:%d%s" % ("https" if self.https else "http", self.host, self.port, target)],
                               stdin=subprocess.DEVNULL, capture_output=True)
            if p.returncode:
                raise Transport("curl %d: %s" % (p.returncode, p.stderr.decode(errors="replace").strip()))
            status, hdrs = 0, []
            with open(hf, "rb") as f:
                for line in f.read().split(b"\n"):
                    line = line.rstrip(b"\r")
                    m = re.match(rb"HTTP/\S+ (\d+)", line)
                    if m:
                        status, hdrs = int(m.group(1)), []
                    elif b":" in line:
                        k, v = line.split(b":", 1)
                        hdrs.append((k.decode("latin-1"), v.strip().decode("latin-1")))
            data = b""
            if os.path.exists(bf):
                with open(bf, "rb") as f:
                    data = f.read()
            return status, hdrs, data

    def wait(self, secs):
        end = time.time() + secs
        while time.time() < end:
            try:
                socket.create_connection((self.host, self.port), 1).close()
                return True
            except OSError:
                time.sleep(0.1)
        return False


# ------------------------------------------------------------------ the runner

def ini_lines(raw, pwd, tmp="/tmp"):
    """--INI-- text to [(name, value)], as settings2array() does."""
    raw = raw.decode("latin-1").replace("{PWD}", pwd).replace("{TMP}", tmp)
    raw = re.sub(r"\{MAIL:(\S+)\}", r"tee \1 >/dev/null", raw)
    out = []
    for line in re.split(r"[\n\r]+", raw):
        if "=" in line:
            k, v = line.split("=", 1)
            out.append((k.strip(), v.strip()))
    return out


def ini_file_text(pairs):
    """The php.ini text that -d name=value gives."""
    merged = {}
    for k, v in pairs:
        if k in ("extension", "zend_extension"):
            merged.setdefault(k, []).append(v)
        else:
            merged[k] = [v]
    out = []
    for k, vs in merged.items():
        for v in vs:
            if v and not v[0].isalnum() and v[0] not in "\"'":
                v = '"%s"' % v
            out.append("%s=%s" % (k, v))
    return "\n".join(out) + "\n"


def norm_ini(v):
    v = "" if v is None else str(v).strip().strip("\"'")
    low = v.lower()
    if low in ("on", "yes", "true"):
        return "1"
    if low in ("off", "no", "false", "none", "0", ""):
        return ""
    m = re.fullmatch(r"(\d+)([kmg])", low)
    if m:
        return str(int(m.group(1)) << {"k": 10, "m": 20, "g": 30}[m.group(2)])
    return v


def enc_query(q):
    """Bytes that may not stand in a request target, percent-encoded; the rest as it is."""
    return "".join(chr(c) if 0x21 <= c <= 0x7e and chr(c) not in '"#<>\\^`{|}' else "%%%02X" % c for c in q)


class Test:
    def __init__(self, path, rel):
        self.path, self.rel = path, rel
        self.sec, self.bork = {}, None
        try:
            self.sec = parse_phpt(path)
        except Bork as e:
            self.bork = str(e)
        self.title = self.sec.get("TEST", b"").strip().split(b"\n")[0].decode("utf-8", "replace")

    def has(self, s):
        return s in self.sec

    def nonempty(self, s):
        return bool(self.sec.get(s))


class Runner:
    def __init__(self, o):
        self.o, self.client = o, Client(o)
        self.results, self.copied = [], {}
        self.skipcache, self.current = {}, None
        self.server_ini, self.extensions, self.probe_info = {}, set(), {}
        self.conflicts, self.dead, self.ours = {}, 0, False
        self.busy, self.rw_users, self.rw_cond = set(), 0, threading.Condition()
        self.cwd_root = os.path.join(o.docroot, o.prefix) if o.prefix else o.docroot

    # ---- docroot
    def dest_dir(self, t):
        return os.path.join(self.cwd_root, os.path.dirname(t.rel))

    def url_of(self, name, t):
        rel = os.path.join(self.o.prefix, os.path.dirname(t.rel), name) if self.o.prefix else os.path.join(os.path.dirname(t.rel), name)
        return "/" + urllib.parse.quote(rel)

    def put(self, path, data):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        tmp = path + ".tmp%d" % threading.get_ident()
        with open(tmp, "wb") as f:
            f.write(data)
        os.chmod(tmp, 0o666)
        os.replace(tmp, path)

    def copy_support(self, t):
        """Everything but .phpt files of the test's 'tests' tree, once."""
        src = os.path.dirname(t.path)
        parts = os.path.dirname(t.rel).split(os.sep)
        # the outermost folder named 'tests' (or the test's own folder)
        idx = next((i for i, p in enumerate(parts) if p == "tests"), len(parts) - 1)
        if idx == 0 and len(parts) > 1 and parts[0] == "tests":
            idx = 1                       # php-src/tests/basic: not the whole of tests/
        top = os.path.normpath(os.path.join(src, *[".."] * (len(parts) - 1 - idx)))
        toprel = os.sep.join(parts[:idx + 1])
        with LOCK:
            if top in self.copied:
                return
            self.copied[top] = True
            for d, dirs, files in os.walk(top):
                rd = os.path.normpath(os.path.join(self.cwd_root, toprel, os.path.relpath(d, top)))
                os.makedirs(rd, exist_ok=True)
                os.chmod(rd, 0o777)
                for f in files:
                    if not f.endswith(".phpt"):
                        dst = os.path.join(rd, f)
                        if not os.path.lexists(dst):
                            try:
                                shutil.copy2(os.path.join(d, f), dst)
                                os.chmod(dst, 0o666 | (os.stat(dst).st_mode & 0o111))
                            except OSError:
                                pass

    # ---- server
    def probe(self):
        code = b"""<?php $i=ini_get_all(null,true);$o=[];foreach($i as $k=>$v)$o[$k]=[$v['local_value'],$v['access']];
echo 'PHPT',base64_encode(json_encode(['v'=>PHP_VERSION,'sapi'=>PHP_SAPI,'zts'=>PHP_ZTS,'ext'=>get_loaded_extensions(),
'zext'=>get_loaded_extensions(true),'ini'=>$o,'srv'=>$_SERVER['SERVER_SOFTWARE']??'','proto'=>$_SERVER['SERVER_PROTOCOL']??''],
JSON_INVALID_UTF8_SUBSTITUTE)),'PHPT';"""
        # the folder is removed at the end only if this script made it (now, or in a run that was cut off)
        mark = os.path.join(self.cwd_root, ".made-by-phpt-http")
        self.ours = bool(self.o.prefix) and (not os.path.exists(self.cwd_root) or os.path.exists(mark))
        os.makedirs(self.cwd_root, exist_ok=True)
        os.chmod(self.cwd_root, 0o777)
        if self.ours:
            self.put(mark, b"")
        p = os.path.join(self.cwd_root, "__phpt_probe.php")
        self.put(p, code)
        try:
            st, _, body = self.client.request("GET", ("/" + self.o.prefix if self.o.prefix else "") + "/__phpt_probe.php", [], None)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(p)
        m = re.search(rb"PHPT([A-Za-z0-9+/=]+)PHPT", body)
        if not m:
            raise Transport("the probe script did not run: HTTP %d %r" % (st, body[:200]))
        d = json.loads(base64.b64decode(m.group(1)))
        self.probe_info = d
        self.server_ini = d["ini"]
        self.extensions = {e.lower() for e in d["ext"] + d["zext"]}
        if "zend opcache" in self.extensions:
            self.extensions.add("opcache")

    def apply_ini(self, pairs, env):
        """Have --ini-cmd restart the server with these settings."""
        text = ini_file_text(BASE_INI + self.o.base_ini + pairs)
        key = (text, tuple(sorted(env.items())))
        if key == self.current:
            return
        d = self.o.work
        inif, envf = os.path.join(d, "php.ini"), os.path.join(d, "env")
        with open(inif, "w", encoding="latin-1") as f:
            f.write(text)
        with open(envf, "w", encoding="latin-1") as f:
            f.write("".join("%s=%s\n" % kv for kv in sorted(env.items())))
        e = dict(os.environ, PHPT_INI_FILE=inif, PHPT_ENV_FILE=envf)
        p = subprocess.run(self.o.ini_cmd, shell=True, env=e, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60)
        self.current = None
        self.client.local.conn = None
        if p.returncode:
            raise Transport("--ini-cmd failed (%d): %s" % (p.returncode, p.stderr.decode(errors="replace")[-300:]))
        if not self.client.wait(10):
            raise Transport("no server after --ini-cmd")
        self.current = key

    # ---- planning
    def plan(self, t):
        """What the test needs of the server; raises Skip/Bork."""
        if t.bork:
            raise Bork(t.bork)
        for s in CLI_SECTIONS:
            if t.has(s):
                raise Skip("--%s-- has no meaning over HTTP" % s)
        if not self.o.all_code:
            for part in ("FILE", "SKIPIF"):
                for rx, why in CLI_CODE:
                    if part == "SKIPIF" and not why.startswith("starts"):
                        continue
                    if rx.search(t.sec.get(part, b"")) and not (why == "uses argc/argv" and t.has("GET")):
                        raise Skip(why)
        env, hdrs, cgi = {}, [], {}
        pwd = self.dest_dir(t)
        for line in t.sec.get("ENV", b"").decode("latin-1").replace("{PWD}", pwd).split("\n"):
            k, eq, v = line.strip().partition("=")
            if not k or not eq:
                continue
            if k.startswith("HTTP_"):
                hdrs.append(("-".join(w.capitalize() for w in k[5:].split("_")), v.encode("latin-1")))
            elif k in ("REQUEST_METHOD", "QUERY_STRING", "CONTENT_TYPE", "SCRIPT_NAME", "REQUEST_URI", "PATH_INFO"):
                cgi[k] = v
            elif k in ("CONTENT_LENGTH", "REDIRECT_STATUS", "PATH_TRANSLATED", "SCRIPT_FILENAME", "REMOTE_ADDR",
                       "SERVER_NAME", "SERVER_PORT", "DOCUMENT_ROOT", "HTTPS", "REDIRECT_URL"):
                raise Skip("--ENV-- sets %s" % k)
            else:
                env[k] = v
        if env and not self.o.ini_cmd:
            raise Skip("--ENV-- sets %s of the server (no --ini-cmd)" % ",".join(sorted(env)))
        if "SCRIPT_NAME" in cgi or "REQUEST_URI" in cgi or "PATH_INFO" in cgi:
            sn = cgi.get("SCRIPT_NAME", "")
            if sn != "/" + os.path.basename(t.rel)[:-4] + "php" or not cgi.get("REQUEST_URI", sn).startswith(sn):
                raise Skip("--ENV-- sets SCRIPT_NAME/REQUEST_URI to what no request to this file gives")
        ini = ini_lines(t.sec.get("INI", b""), pwd) if t.nonempty("INI") else []
        inject = []
        if ini and self.o.ini_cmd is None:
            want = [(k, v) for k, v in ini
                    if k in ("extension", "zend_extension") or norm_ini(self.server_ini.get(k, [None])[0]) != norm_ini(v)]
            want = [(k, v) for k, v in want if k in self.server_ini or k in ("extension", "zend_extension")
                    or k.split(".")[0] in self.extensions]
            if want:
                if not self.o.ini_set:
                    raise Skip("--INI-- (no --ini-cmd): " + ",".join(k for k, _ in want))
                bad = [k for k, _ in want if not (k in self.server_ini and self.server_ini[k][1] & 1)]
                if bad:
                    raise Skip("--INI-- not changeable at run time: " + ",".join(bad))
                inject = want
            ini = []
        ini_key = (ini_file_text(ini) if ini else "", tuple(sorted(env.items())))
        return {"env": env, "headers": hdrs, "cgi": cgi, "ini": ini, "inject": inject, "key": ini_key}

    # ---- one test
    def fetch(self, method, target, headers=(), body=None):
        return self.client.request(method, target, list(headers), body)

    def skipif(self, t):
        """SKIPIF's output.  As in run-tests.php it runs without the test's own --INI--."""
        code = t.sec["SKIPIF"]
        key = (os.path.dirname(t.rel), code)
        if key in self.skipcache:
            return self.skipcache[key]
        name = os.path.basename(t.rel)[:-4] + "skip.php"
        p = os.path.join(self.dest_dir(t), name)
        self.put(p, code)
        try:
            _, _, body = self.fetch("GET", self.url_of(name, t))
        finally:
            if not self.o.keep:
                with contextlib.suppress(OSError):
                    os.unlink(p)
        self.skipcache[key] = phptrim(body)
        return self.skipcache[key]

    def build_request(self, t, plan):
        sec, cgi = t.sec, plan["cgi"]
        headers = list(plan["headers"])
        query = phptrim(sec.get("GET", b""))
        if not query and "QUERY_STRING" in cgi:
            query = cgi["QUERY_STRING"].encode("latin-1")
        method, ctype, body = cgi.get("REQUEST_METHOD", ""), cgi.get("CONTENT_TYPE", "").encode("latin-1"), None

        def raw(section):
            nonlocal ctype
            keep = []
            for line in phptrim(sec[section]).split(b"\n"):
                m = re.match(rb"Content-Type:(.*)", line, re.I)
                if not ctype and m:
                    ctype = phptrim(m.group(1).replace(b"\r", b""))
                    continue
                keep.append(line)
            data = b"\n".join(keep)
            if not data or data == b"0":
                raise Bork("empty request")
            return data

        if t.nonempty("POST_RAW"):
            body, method = raw("POST_RAW"), method or "POST"
        elif t.nonempty("PUT"):
            body, method = raw("PUT"), method or "PUT"
        elif t.nonempty("POST"):
            body, method = phptrim(sec["POST"]), method or "POST"
            ctype = ctype or b"application/x-www-form-urlencoded"
        elif t.nonempty("GZIP_POST"):
            body, method = gzip.compress(phptrim(sec["GZIP_POST"]), 9), "POST"
            ctype = b"application/x-www-form-urlencoded"
            headers.append(("Content-Encoding", b"gzip"))
        elif t.nonempty("DEFLATE_POST"):
            body, method = zlib.compress(phptrim(sec["DEFLATE_POST"]), 9), "POST"
            ctype = b"application/x-www-form-urlencoded"
            headers.append(("Content-Encoding", b"deflate"))
        method = method or "GET"
        if ctype:
            headers.append(("Content-Type", ctype))
        if t.nonempty("COOKIE"):
            # a line break cannot be sent in a header; PHP skips the blank as it would the break
            headers.append(("Cookie", re.sub(rb"[\r\n]+", b" ", phptrim(sec["COOKIE"]))))
        for line in sec.get("HEADERS", b"").splitlines():
            if b":" in line:
                k, v = line.split(b":", 1)
                headers.append((k.strip().decode("latin-1"), v.strip()))
        return method, query, headers, body

    def run_once(self, t, plan):
        """('PASS'|'FAIL', message, details)"""
        sec = t.sec
        self.copy_support(t)
        stem = os.path.basename(t.rel)[:-4]
        root = "SCRIPT_NAME" in plan["cgi"]
        fpath = os.path.join(self.o.docroot if root else self.dest_dir(t), stem + "php")
        code = sec["FILE"]
        if plan["inject"]:
            if re.match(rb"\s*<\?php\s*(//[^\n]*\n\s*|/\*.*?\*/\s*)*(declare|namespace)\b", code, re.S) or not code.startswith(b"<?php"):
                raise Skip("--INI-- cannot be injected before this code")
            sets = "".join("ini_set(%s,%s);" % (php_str(k), php_str(v.strip("\"'"))) for k, v in plan["inject"])
            code = b"<?php " + sets.encode("latin-1") + code[5:]
        method, query, headers, body = self.build_request(t, plan)
        self.put(fpath, code)
        try:
            if root:
                uri = plan["cgi"].get("REQUEST_URI", plan["cgi"]["SCRIPT_NAME"])
                path, _, q = uri.partition("?")
                target = urllib.parse.quote(path, safe="/%:@!$&'()*+,;=~-._")
                query = query or q.encode("latin-1")
            else:
                target = self.url_of(stem + "php", t)
            if query:
                target += "?" + enc_query(query)
            status, rhdrs, out = self.fetch(method, target, headers, body)
        finally:
            if not self.o.keep:
                with contextlib.suppress(OSError):
                    os.unlink(fpath)
        clean = b""
        if t.nonempty("CLEAN"):
            cpath = os.path.join(self.dest_dir(t), stem + "clean.php")
            self.put(cpath, phptrim(sec["CLEAN"]))
            try:
                clean = phptrim(self.fetch("GET", self.url_of(stem + "clean.php", t))[2])
            except Transport:
                pass
            finally:
                if not self.o.keep:
                    with contextlib.suppress(OSError):
                        os.unlink(cpath)
        output = phptrim(out).replace(b"\r\n", b"\n")
        problems = []
        if t.has("EXPECTHEADERS"):
            for line in re.split(rb"[\n\r]+", sec["EXPECTHEADERS"]):
                if b":" not in line:
                    continue
                k, v = (phptrim(x).decode("latin-1") for x in line.split(b":", 1))
                if k.lower() == "status":
                    if v.split(" ")[0] != str(status):
                        problems.append("status %s, wanted %s" % (status, v))
                    continue
                got = [hv for hk, hv in rhdrs if hk.lower() == k.lower()]
                if v not in got:
                    problems.append("header %s: %r, wanted %r" % (k, got, v))
        if t.has("EXPECT"):
            wanted = phptrim(sec["EXPECT"]).replace(b"\r\n", b"\n")
            ok = wanted == output
        else:
            kind = "EXPECTF" if t.has("EXPECTF") else "EXPECTREGEX"
            wanted = phptrim(sec[kind]).replace(b"\r\n", b"\n")
            rx = expectf_to_regex(wanted) if kind == "EXPECTF" else pcre_to_python(wanted)
            try:
                ok = re.match(b"^" + rx + b"$", output, re.S) is not None
            except re.error as e:
                raise Skip("pattern not usable in Python: %s" % e)
        if not ok:
            problems.append("body differs")
        if ok and clean and not problems and not plan["ini"]:
            problems.append("CLEAN printed %r" % clean[:80])
        detail = None
        if problems:
            a = [x.decode("utf-8", "backslashreplace") for x in wanted.split(b"\n")]
            b = [x.decode("utf-8", "backslashreplace") for x in output.split(b"\n")]
            if t.has("EXPECTF") and len(a) < 1500 and len(b) < 3000:
                b = like_expected(a, b)
            detail = {"status": status, "diff": "\n".join(difflib.unified_diff(a, b, "expected", "HTTP %s %s" % (status, target), lineterm="", n=2))[:20000]}
        return ("FAIL" if problems else "PASS"), "; ".join(problems), detail

    def conflict_keys(self, t):
        keys = set(t.sec.get("CONFLICTS", b"").decode("latin-1").split())
        d = os.path.dirname(t.path)
        with LOCK:
            if d not in self.conflicts:
                p = os.path.join(d, "CONFLICTS")
                ks = set()
                if os.path.isfile(p):
                    with open(p) as f:
                        ks = set(f.read().split())
                self.conflicts[d] = ks
        return sorted(keys | self.conflicts[d])

    @contextlib.contextmanager
    def guard(self, keys):
        """Tests with a common CONFLICTS key never run together; 'all' runs alone."""
        if self.o.jobs == 1:
            yield
            return
        with self.rw_cond:
            alone = "all" in keys
            while True:
                busy = self.busy
                if alone and self.rw_users == 0:
                    break
                if not alone and "all" not in busy and not (busy & set(keys)):
                    break
                self.rw_cond.wait()
            self.busy = busy | set(keys)
            self.rw_users += 1
        try:
            yield
        finally:
            with self.rw_cond:
                self.busy = self.busy - set(keys)
                self.rw_users -= 1
                self.rw_cond.notify_all()

    def run_test(self, t, plan):
        t0 = time.time()
        try:
            keys = self.conflict_keys(t)
            if "SCRIPT_NAME" in plan["cgi"]:      # written to the docroot itself: one at a time per name
                keys = keys + ["root:" + os.path.basename(t.rel)]
            with self.guard(keys):
                res = self._run_test(t, plan)
        except Skip as e:
            res = ("SKIP", str(e), None)
        except Bork as e:
            res = ("BORK", str(e), None)
        except Transport as e:
            res = ("FAIL", "transport: %s" % e, None)
            if not self.client.wait(1):
                # a crash: give a supervisor (or --ini-cmd) the chance to bring it back
                res = ("FAIL", "SERVER GONE: %s" % e, None)
                self.current = None
                back = False
                if self.o.ini_cmd:
                    try:
                        self.apply_ini(plan["ini"], plan["env"])
                        back = True
                    except (Transport, subprocess.TimeoutExpired):
                        pass
                if not back and not self.client.wait(self.o.restart_wait):
                    self.dead = 1
        self.report(t, *res, time.time() - t0)

    def check_skip(self, t):
        """Raises Skip where EXTENSIONS or SKIPIF say so; returns SKIPIF's output."""
        if t.has("EXTENSIONS"):
            miss = [e for e in t.sec["EXTENSIONS"].decode("latin-1").split() if e.lower() not in self.extensions]
            if miss:
                raise Skip("required extension missing: " + ", ".join(miss))
        if not t.nonempty("SKIPIF"):
            return b""
        self.copy_support(t)
        o = self.skipif(t)
        if o[:4].lower() == b"skip" and not (self.o.no_skip and re.search(self.o.no_skip, o.decode("utf-8", "replace"))):
            raise Skip(o[4:].strip().split(b"\n")[0].decode("utf-8", "replace")[:160] or "SKIPIF")
        return o

    def _run_test(self, t, plan):
        self.check_skip(t)
        xfail = t.sec["XFAIL"].decode("latin-1").strip() if t.has("XFAIL") else None
        flaky = t.has("FLAKY")
        if t.nonempty("SKIPIF"):
            o = self.check_skip(t)
            low = o[:5].lower()
            if low == b"xfail":
                xfail = o[5:].decode("latin-1").strip()
            elif low == b"flaky":
                flaky = True
            elif low.startswith((b"info", b"warn", b"nocac", b"skip")):
                pass
            elif o:
                raise Bork("SKIPIF printed %r" % o[:120])
        for i in range(self.o.repeat):
            status, msg, detail = self.run_once(t, plan)
            if status == "FAIL" and flaky:
                status, msg, detail = self.run_once(t, plan)
            if status == "FAIL":
                if i:
                    msg = "run %d of %d: %s" % (i + 1, self.o.repeat, msg)
                break
        if xfail is not None:
            if status == "FAIL":
                return "XFAIL", xfail.split("\n")[0], None
            return "PASS", "XFAIL section but the test passes", None
        return status, msg, detail

    def report(self, t, status, msg, detail, secs):
        known = t.rel in self.o.known
        if status == "FAIL" and known:
            status = "KNOWN"
        with LOCK:
            self.results.append((t.rel, status, msg, detail, secs))
            if status in ("FAIL", "BORK") or not self.o.quiet:
                line = "%-5s %s" % (status, t.rel)
                if self.o.titles:
                    line += " [%s]" % t.title
                if msg:
                    line += " (%s)" % msg
                if status == "PASS" and known:
                    line += " (listed as a known failure, but passes)"
                print(line.encode("utf-8", "replace").decode(), flush=True)
            if detail and status == "FAIL" and self.o.diff:
                print("      HTTP %s\n" % detail["status"] + "\n".join("      " + x for x in detail["diff"].split("\n")), flush=True)

    def run(self, tests):
        o = self.o
        if o.ini_cmd:
            self.apply_ini([], {})
        elif not self.client.wait(10):
            raise Transport("nothing listens at " + o.base_url)
        self.probe()
        d = self.probe_info
        print("server: PHP %s sapi=%s zts=%s %s %s; %d extensions; %d tests" % (
            d["v"], d["sapi"], int(bool(d["zts"])), d["srv"], d["proto"], len(d["ext"]), len(tests)))
        off = ["%s=%s" % (k, v) for k, v in BASE_INI if k in self.server_ini and norm_ini(self.server_ini[k][0]) != norm_ini(v)
               and not k.startswith(("opcache.", "docref", "report_", "date."))]
        if off:
            print("warning: the server lacks these ini settings, tests may fail for it: " + " ".join(off))
        groups = {}
        for t in tests:
            t0 = time.time()
            try:
                plan = self.plan(t)
            except Skip as e:
                self.report(t, "SKIP", str(e), None, time.time() - t0)
                continue
            except Bork as e:
                self.report(t, "BORK", str(e), None, time.time() - t0)
                continue
            groups.setdefault(plan["key"], []).append((t, plan))
        order = sorted(groups, key=lambda k: (k != ("", ()), k))     # tests without INI first
        if o.ini_cmd:                  # with the base ini: which tests of the other groups need no restart at all
            for key in order:
                if key == ("", ()):
                    continue
                rest = []
                for t, plan in groups[key]:
                    try:
                        self.check_skip(t)
                        rest.append((t, plan))
                    except Skip as e:
                        self.report(t, "SKIP", str(e), None, 0)
                    except Transport as e:
                        self.report(t, "FAIL", "SKIPIF: transport: %s" % e, None, 0)
                        self.client.wait(o.restart_wait)
                groups[key] = rest
        for key in order:
            batch = groups[key]
            if not batch:
                continue
            if self.dead:
                for t, _ in batch:
                    self.report(t, "SKIP", "not run: the server is gone", None, 0)
                continue
            if o.ini_cmd:
                try:
                    self.apply_ini(batch[0][1]["ini"], batch[0][1]["env"])
                except (Transport, subprocess.TimeoutExpired) as e:
                    for t, _ in batch:
                        self.report(t, "FAIL", str(e), None, 0)
                    continue
            if o.jobs > 1:
                with ThreadPoolExecutor(o.jobs) as ex:
                    list(ex.map(lambda tp: self.run_test(*tp) if not self.dead else
                                self.report(tp[0], "SKIP", "not run: the server is gone", None, 0), batch))
            else:
                for t, plan in batch:
                    if self.dead:
                        self.report(t, "SKIP", "not run: the server is gone", None, 0)
                    else:
                        self.run_test(t, plan)
        if o.ini_cmd and not self.dead:
            with contextlib.suppress(Transport, subprocess.TimeoutExpired):
                self.apply_ini([], {})


def php_str(s):
    return "'" + s.replace("\\", "\\\\").replace("'", "\\'") + "'"


def find_tests(o):
    """[(absolute path, path relative to the source root)]"""
    def root_of(p):
        if o.src_root:
            return o.src_root
        d = p if os.path.isdir(p) else os.path.dirname(p)
        x = d
        while x != "/":
            if os.path.exists(os.path.join(x, "run-tests.php")):
                return x
            x = os.path.dirname(x)
        return os.path.dirname(d) if os.path.isdir(p) else d
    paths = []
    for p in o.tests:
        p = os.path.realpath(p)
        if os.path.isdir(p):
            r = root_of(p)
            for d, dirs, files in os.walk(p):
                dirs.sort()
                paths += [(os.path.join(d, f), os.path.relpath(os.path.join(d, f), r)) for f in sorted(files) if f.endswith(".phpt")]
        elif os.path.exists(p):
            paths.append((p, os.path.relpath(p, root_of(p))))
        else:
            sys.exit("no such test: " + p)
    if o.list:
        with open(o.list) as f:
            want = [x.split("#")[0].strip() for x in f]
        want = [x for x in want if x]
        if o.tests and paths:
            have = {r: a for a, r in paths}
            missing = [w for w in want if w not in have]
            if missing:
                print("warning: %d listed tests are not under --tests, e.g. %s" % (len(missing), missing[0]))
            paths = [(have[w], w) for w in want if w in have]
        else:
            if not o.src_root:
                sys.exit("--list without --tests needs --src-root")
            paths = [(os.path.join(o.src_root, w), w) for w in want]
    seen, out = set(), []
    for a, r in paths:
        if a not in seen:
            seen.add(a)
            out.append((a, r))
    if o.web_only:
        web = re.compile(rb"^--(GET|POST|POST_RAW|PUT|GZIP_POST|DEFLATE_POST|COOKIE|EXPECTHEADERS|CGI|HEADERS)--", re.M)
        keep = []
        for a, r in out:
            with open(a, "rb") as f:
                if web.search(f.read()):
                    keep.append((a, r))
        out = keep
    return out


def write_junit(path, results):
    clean = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd]")
    with open(path, "w", encoding="utf-8", errors="replace") as f:
        f.write('<?xml version="1.0" encoding="UTF-8"?>\n<testsuite name="phpt-http" tests="%d" failures="%d" skipped="%d">\n' % (
            len(results), sum(r[1] in ("FAIL", "BORK") for r in results), sum(r[1] == "SKIP" for r in results)))
        for rel, st, msg, detail, secs in results:
            f.write("<testcase classname=%s name=%s time=\"%.3f\">" % (quoteattr(os.path.dirname(rel)), quoteattr(rel), secs))
            if st in ("FAIL", "BORK"):
                f.write("<failure message=%s>%s</failure>" % (quoteattr(clean.sub("?", msg)), escape(clean.sub("?", detail["diff"] if detail else ""))))
            elif st in ("SKIP", "XFAIL", "KNOWN"):
                f.write("<skipped message=%s/>" % quoteattr(clean.sub("?", st + ": " + msg)))
            f.write("</testcase>\n")
        f.write("</testsuite>\n")


def main():
    if "--print-ini" in sys.argv[1:]:
        sys.stdout.write(ini_file_text(BASE_INI))
        return 0
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a = ap.add_argument
    a("--base-url", required=True, help="where the server answers for --docroot")
    a("--docroot", required=True, help="the server's document root (this script writes below it)")
    a("--tests", nargs="+", default=[], metavar="DIR_OR_FILE")
    a("--list", metavar="FILE", help="run only these tests (paths relative to the source root, one a line, # comments)")
    a("--src-root", help="php-src root (default: the folder above with run-tests.php)")
    a("--web-only", action="store_true", help="only tests with a section that describes a web request or response")
    a("--prefix", default="phpt", help="folder under the docroot to write in ('' for the docroot itself)")
    a("--ini-cmd", metavar="CMD", help="restarts the server with $PHPT_INI_FILE (and $PHPT_ENV_FILE)")
    a("--ini-set", action="store_true", help="inject run-time changeable --INI-- as ini_set()")
    a("--base-ini", action="append", default=[], metavar="NAME=VALUE", help="more settings for every ini file of --ini-cmd")
    a("--junit", nargs="?", const="phpt-http.xml", metavar="FILE")
    a("--known-fail", metavar="FILE", help="tests allowed to fail (reported as KNOWN)")
    a("--write-pass", metavar="FILE", help="write the list of passed tests")
    a("--write-fail", metavar="FILE", help="write the list of failed tests")
    a("--jobs", type=int, default=1, help="requests at once (CONFLICTS respected)")
    a("--repeat", type=int, default=1, help="run each test N times in a row")
    a("--shuffle", type=int, metavar="SEED", help="random order (finds state kept between requests)")
    a("--keepalive", action="store_true", help="one connection for all requests (of a thread)")
    a("--curl", nargs="?", const="", metavar="ARGS", help="send with curl, e.g. --curl=--http2-prior-knowledge")
    a("--host", help="Host header")
    a("--timeout", type=float, default=60)
    a("--restart-wait", type=float, default=5, help="seconds to wait for a server that went away")
    a("--no-skip", metavar="REGEX", help="run tests although their SKIPIF prints this (as where it asks for a SAPI by name)")
    a("--all-code", action="store_true", help="also run tests whose code is made for the command line")
    a("--keep", action="store_true", help="leave the written files")
    a("--diff", action="store_true", help="print a diff for each failure")
    a("--titles", action="store_true")
    a("--quiet", "-q", action="store_true", help="print failures and totals only")
    o = ap.parse_args()
    if not o.tests and not o.list:
        ap.error("--tests or --list is needed")
    o.docroot = os.path.realpath(o.docroot)
    o.src_root = os.path.realpath(o.src_root) if o.src_root else None
    o.prefix = o.prefix.strip("/")
    o.base_ini = [tuple(x.split("=", 1)) for x in o.base_ini]
    o.known = set()
    if o.known_fail:
        with open(o.known_fail) as f:
            o.known = {x.split("#")[0].strip() for x in f} - {""}
    o.work = tempfile.mkdtemp(prefix="phpt-http-")
    tests = [Test(p, r) for p, r in find_tests(o)]
    if o.shuffle is not None:
        random.Random(o.shuffle).shuffle(tests)
    r = Runner(o)
    t0 = time.time()
    try:
        r.run(tests)
    except Transport as e:
        print("error: %s" % e, file=sys.stderr)
        return 2
    finally:
        if not o.keep:
            if r.ours:
                shutil.rmtree(r.cwd_root, ignore_errors=True)
            shutil.rmtree(o.work, ignore_errors=True)
    n = {}
    for _, st, *_ in r.results:
        n[st] = n.get(st, 0) + 1
    why = {}
    for _, st, msg, *_ in r.results:
        if st == "SKIP":
            k = re.sub(r":.*", "", msg) if msg.startswith(("--", "required")) else msg
            why[k] = why.get(k, 0) + 1
    if why:
        print("skipped because:")
        for k, v in sorted(why.items(), key=lambda x: -x[1])[:25]:
            print("  %5d  %s" % (v, k[:110]))
    if o.junit:
        write_junit(o.junit, r.results)
    for path, want in ((o.write_pass, "PASS"), (o.write_fail, "FAIL")):
        if path:
            with open(path, "w") as f:
                f.write("".join(x + "\n" for x in sorted(rel for rel, st, *_ in r.results if st == want)))
    print("%d tests in %.1f s: %s" % (len(r.results), time.time() - t0, ", ".join("%s %d" % kv for kv in sorted(n.items()))))
    failed = n.get("FAIL", 0) + n.get("BORK", 0)
    skipped = n.get("SKIP", 0) + n.get("XFAIL", 0) + n.get("KNOWN", 0)
    print("%d passed, %d failed, %d skipped" % (n.get("PASS", 0), failed, skipped))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
