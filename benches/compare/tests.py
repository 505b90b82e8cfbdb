"""What can be tested of the comparison without a server: `python3 -B benches/compare/tests.py`, as `make check` does."""

import doctest
import email
import io
import re
import socket
import subprocess
import tempfile
import threading
import time
import types
import unittest
from contextlib import contextmanager
from pathlib import Path
from unittest import mock
from xml.etree import ElementTree

from harness import (bare, chart, compare, connections, figures, idle, libphp, load, options, publish, rates, report,
                     scenario, server, syscalls, tables, targets)
from harness.error import BenchError

MACHINE = {"cpu": "a CPU", "cpus": 2, "kernel": "6.1", "load": [0, 0, 0]}
PHP = {"version": "8.4.1", "sapi": "x", "zts": True, "extensions": 3}
SERVERS = {name: {"version": name, "php": PHP} for name in ("ephpm", "nginx-fpm")}


def rounds(*figures_of_rounds, share=0.0):
    return [{"cpu_us": cpu, "requests_per_second": 1e6 / cpu, "p50_us": 5, "p99_us": 10 * cpu, "others_share": share,
             "steal_share": 0.0} for cpu in figures_of_rounds]


def comparison(ours, theirs, name="php-hello", share=0.0):
    """What `run compare` keeps of one scenario."""
    return {"time": "2026-11-23T12:00:00+00:00", "commit": "abc", "machine": MACHINE, "options": {}, "servers": SERVERS,
            "rounds": {name: {"ephpm": rounds(*ours, share=share), "nginx-fpm": rounds(*theirs)}}}


def at_rates(ours, theirs, share="30"):
    """What `run rates` keeps, of a scenario each: (p99, how late the load was) of each round, in microseconds."""
    def kept(of_rounds):
        return [{"p50_us": 5, "p99_us": p99, "own_delay_p99_us": late, "others_share": 0.0, "steal_share": 0.0}
                for p99, late in of_rounds]
    of = {f"scenario-{number}": {"shares": {share: {"rate": 100, "rounds": {"ephpm": kept(our), "nginx-fpm": kept(their)}}}}
          for number, (our, their) in enumerate(zip(ours, theirs, strict=True))}
    return comparison([], []) | {"rates": of}


class Requests(unittest.TestCase):
    def test_a_form_with_a_file_is_one_that_others_can_read(self):
        upload = next(each for each in scenario.load(["*"]) if each.upload_bytes)
        head = f"Content-Type: {upload.headers['Content-Type']}\r\n\r\n".encode()
        author, report = email.message_from_bytes(head + scenario.form_with_file(1000)).get_payload()
        self.assertEqual(author.get_payload(), "Somebody")
        self.assertEqual(report.get_filename(), "report.txt")
        self.assertEqual(report.get_payload(decode=True), scenario.numbered_lines(1000))

    def test_files_have_their_length(self):
        for length in (0, 1, 16, 1000):
            self.assertEqual(len(scenario.numbered_lines(length)), length)

    def test_no_scenario_of_a_name_is_an_error_that_tells_the_names(self):
        with self.assertRaisesRegex(BenchError, "static-10m"):
            scenario.load(["no such*"])


class Servers(unittest.TestCase):
    def test_every_value_in_a_servers_file_is_known(self):
        known = {"binary", "www", "ini", "workers", "connections", "cpus", "nginx_site", "dir", "port", "h2_port",
                 "bare", "response"}
        for file in (server.HERE / "servers").glob("*.toml"):
            own = server.settings(file.stem)
            names = set(re.findall(r"@(\w+)@", str(own)))
            self.assertLessEqual(names, known | set(own.get("values", {})) | set(own.get("find", {})), file.name)

    def test_what_is_like_another_server_differs_in_its_values(self):
        usual, kept = server.settings("nginx-fpm"), server.settings("nginx-fpm-keepalive")
        self.assertEqual(usual["files"], kept["files"])
        self.assertEqual((usual["values"]["keep_conn"], kept["values"]["keep_conn"]), ("off", "on"))

    def test_too_many_connections_are_refused(self):
        kept = server.Server("nginx-fpm-keepalive", Path("/nowhere"), {"workers": 4, "cpus": 2})
        kept.refuse_too_many(4)
        with self.assertRaisesRegex(BenchError, "4 connections"):
            kept.refuse_too_many(5)

    def test_an_answer_is_known_to_the_byte(self):
        sent = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        listener = socket.create_server(("127.0.0.1", 0))

        def answer():
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(sent)
                connection.recv(1)

        answering = threading.Thread(target=answer)
        answering.start()
        of = server.Server("ephpm", Path("/nowhere"), {})
        of.port = listener.getsockname()[1]
        self.assertEqual(of.response(scenario.Scenario("hello", "/", "")), sent)
        answering.join()
        listener.close()

    def test_what_is_built_beside_a_server_has_its_libphp(self):
        trained, other = Path("/kept/8.4-pgo"), Path("/kept/8.4")
        def by_variable(variables):
            return trained if variables.get("PHP_PGO") == "1" else other

        for linked, chosen, ours, wanted in (
                (trained, by_variable, {"PHP_PGO": "1"}, {"PHP_PGO": "1"}),
                (trained, by_variable, {}, {"PHP_PGO": "1"}),
                (other, by_variable, {"PHP_PGO": "0"}, {"PHP_PGO": "0"}),
                (other, by_variable, {"PHP_PGO": "1"}, {}),
                (trained, lambda _: other, {"A": "b"}, {"A": "b", "LIBPHP_DIR": "/kept/8.4-pgo"})):
            with (mock.patch.object(libphp, "directory", lambda _: linked),
                  mock.patch.object(libphp, "facts", lambda _: {"trained": linked is trained}),
                  mock.patch.object(libphp, "chosen_by", chosen), mock.patch.dict("os.environ", ours, clear=True)):
                self.assertEqual(libphp.environment(Path("/x")), wanted)
        with mock.patch.object(libphp, "directory", lambda _: None), self.assertRaisesRegex(BenchError, "not known"):
            libphp.environment(Path("/x"))

    def test_ports_differ(self):
        self.assertEqual(len(set(server.free_ports(20))), 20)


class Bare(unittest.TestCase):
    REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    RESPONSE = b"HTTP/1.1 204 No Content\r\n\r\n"

    @classmethod
    def setUpClass(cls):
        place = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        bare.build(place / "bare")
        (place / "response").write_bytes(cls.RESPONSE)
        cls.port, = server.free_ports(1)
        loop = subprocess.Popen([place / "bare", str(cls.port), place / "response"])
        cls.addClassCleanup(loop.wait)
        cls.addClassCleanup(loop.kill)
        deadline = time.monotonic() + 60
        while True:
            try:
                return cls.connect().close()
            except ConnectionRefusedError:
                if loop.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    @classmethod
    def connect(cls):
        return socket.create_connection(("127.0.0.1", cls.port), timeout=60)

    def test_a_request_in_two_pieces_is_answered(self):
        with self.connect() as client, self.connect() as other:
            for length in range(1, len(self.REQUEST)):
                client.sendall(self.REQUEST[:length])
                # Whoever comes later is answered later: the loop has had the first piece.
                other.sendall(self.REQUEST)
                self.assertEqual(other.recv(1000), self.RESPONSE)
                client.sendall(self.REQUEST[length:])
                self.assertEqual(client.recv(1000), self.RESPONSE)

    def test_a_request_that_fills_the_buffer_is_answered(self):
        for length in (16384, 16385, 40000):
            with self.connect() as client:
                client.sendall(self.REQUEST.rjust(length, b"x"))
                self.assertEqual(client.recv(1000), self.RESPONSE)

    def test_who_says_no_more_is_answered_and_closed(self):
        with self.connect() as client:
            client.sendall(self.REQUEST)
            client.shutdown(socket.SHUT_WR)
            self.assertEqual((client.recv(1000), client.recv(1000)), (self.RESPONSE, b""))


class Load(unittest.TestCase):
    H2LOAD = """
finished in 1.00s, 3.00 req/s, 3.29KB/s
requests: 5 total, 5 started, 4 done, 3 succeeded, 1 failed, 0 errored, 2 timeout
status codes: 3 2xx, 0 3xx, 1 4xx, 0 5xx
traffic: 3.5KB (3600) total, 120B (120) headers (space savings 90.00%), 3.0KB (3072) data
"""
    LOG = "1795430000000000\t200\t300\n1795430000000100\t200\t100\n1795430000000200\t200\t200\n"

    def test_h2load_is_read(self):
        counts = load.h2load_counts(self.H2LOAD, io.StringIO(self.LOG), 1)
        self.assertEqual((counts["requests"], counts["bytes"], counts["p50_us"], counts["p99_us"]), (3, 3072, 200, 300))
        self.assertEqual(counts["errors"], {"failed": 1, "errored": 0, "timeout": 2, "status": 1})
        with self.assertRaises(BenchError):
            load.h2load_counts("h2load: cannot connect", io.StringIO(), 1)

    def test_a_round_with_errors_or_wrong_lengths_is_flawed(self):
        good = {"requests": 10, "bytes": 1500, "errors": {"read": 0}}
        self.assertIsNone(load.flaw(good, 100, 1))
        self.assertIn("read", load.flaw(good | {"errors": {"read": 1}}, 100, 1))
        self.assertIn("no request", load.flaw(good | {"requests": 0}, 100, 1))
        self.assertIn("bodies", load.flaw(good | {"bytes": 999}, 100, 1))
        self.assertIn("bodies", load.flaw(good | {"bytes": 20_000}, 100, 1))


class Rounds(unittest.TestCase):
    @staticmethod
    def quietest(patience, *found):
        each = iter(found)
        return figures.quietest(lambda: next(each), patience)

    def test_a_round_that_nobody_disturbed_is_taken_at_once(self):
        self.assertEqual(self.quietest([3], {"others_share": 0.05}), {"others_share": 0.05, "repeats": 0})

    def test_a_disturbed_round_is_repeated_until_one_is_not(self):
        patience = [3]
        found = self.quietest(patience, {"others_share": 0.3}, {"others_share": 0.4}, {"others_share": 0.01})
        self.assertEqual((found, patience), ({"others_share": 0.01, "repeats": 2}, [1]))

    def test_without_patience_the_least_disturbed_counts(self):
        patience = [2]
        found = self.quietest(patience, {"others_share": 0.3}, {"others_share": 0.2}, {"others_share": 0.4})
        self.assertEqual((found, patience), ({"others_share": 0.2, "repeats": 2}, [0]))
        self.assertEqual(self.quietest(patience, {"others_share": 0.9}), {"others_share": 0.9, "repeats": 0})

    def test_a_failure_is_never_hidden(self):
        self.assertEqual(self.quietest([9], {"problem": "status 500"}), {"problem": "status 500", "repeats": 0})
        self.assertIn("problem", self.quietest([9], {"others_share": 0.3}, {"problem": "status 500"}))

    def test_servers_and_idle_connections_take_turns_at_being_first(self):
        order = []
        chosen = types.SimpleNamespace(rounds=2, concurrency=1, connections=7)

        def measure(of, what, *_):
            order.append(f"{of.name} {what.name}")
            return {"others_share": 0.0}

        @contextmanager
        def opened(*_):
            order.append("open")
            yield
            order.append("closed")

        one, two = (types.SimpleNamespace(name=name, refuse_too_many=lambda _: None) for name in ("one", "two"))
        page = types.SimpleNamespace(name="page", problem=lambda _: ("not up", 0))
        with mock.patch.object(load, "measure", measure), mock.patch.object(load, "wrk"), \
                mock.patch.object(idle, "opened", opened):
            compare.rounds([one, two], page, chosen)
            self.assertEqual(order, ["one page", "two page", "two page", "one page"])
            order.clear()
            found = connections.by_turns(one, [page], page, chosen)
        self.assertEqual(order, ["one page", "open", "one page", "closed", "open", "one page", "closed", "one page"])
        self.assertEqual({name: len(of) for name, of in found["page"].items()}, {"few": 2, "many": 2})


class Rates(unittest.TestCase):
    WORST = targets.Target("p99", 1, lambda results: targets.worst_p99(results, 30),
                           remark=lambda results: targets.late_remark(results, 30))

    def test_rounds_in_which_the_load_was_late_are_left_out_of_the_worst(self):
        run = at_rates([[(100, 9), (900, 201)]], [[(100, 9), (100, 200)]])
        self.assertEqual(self.WORST.row({"rates": run})[2:], ("1.00", "met, without 1 of 4 rounds: the load was late"))

    def test_the_worst_scenario_counts_and_one_without_a_round_on_time_does_not(self):
        on_time, late = [(100, 9)], [(900, 300)]
        run = at_rates([[(150, 9)], on_time, late], [on_time, on_time, on_time])
        self.assertEqual(self.WORST.row({"rates": run})[2:],
                         ("1.50", "**missed**, without 1 of 6 rounds: the load was late; not known of scenario-2"))
        self.assertEqual(self.WORST.row({"rates": at_rates([late], [on_time])})[3],
                         "not measured, without 1 of 2 rounds: the load was late; not known of scenario-0")
        self.assertEqual(self.WORST.row({})[3], "not measured")
        self.assertEqual(self.WORST.row({"rates": at_rates([on_time], [on_time])})[3], "met")

    def test_the_table_has_what_was_on_time_and_marks_what_was_not(self):
        run = at_rates([[(100, 9), (900, 300)]], [[(700, 300)]])
        head, _, row = tables.rates(run).splitlines()
        self.assertIn("| rounds with the load late |", head)
        self.assertEqual(row, "| scenario-0 | 30 % | 100 | 0.01 | 0.10 | 0.01 ! | 0.70 ! | 2 of 3 |")

    def test_no_loss_is_told_of_rounds_that_were_late(self):
        self.assertIn("p99 of 0.90 ms", tables.losses({"rates": at_rates([[(900, 9)]], [[(100, 9)]])}))
        self.assertEqual(tables.losses({"rates": at_rates([[(900, 300)]], [[(100, 9)]])}),
                         "- scenario-0 at 30 % (`run rates`): p99 not known, without a good round of ephpm in which the load "
                         "was on time")


class Page(unittest.TestCase):
    def test_targets_are_met_missed_or_not_measured(self):
        target = targets.cpu("php-hello", 0.25)
        self.assertEqual(target.row({"compare": comparison([2, 3], [10, 12])})[1:], ("≤ 0.25", "0.23", "met"))
        self.assertEqual(target.row({"compare": comparison([3], [10])})[3], "**missed**")
        for nothing in ({}, {"compare": comparison([3], [10], name="php-json")}, {"compare": comparison([], [])}):
            self.assertEqual(target.row(nothing)[2:], ("–", "not measured"))

    def test_what_takes_more_cpus_is_not_judged(self):
        target = targets.Target("loops", 1.7, lambda _: 1.0, at_least=True, cpus_min=4)
        self.assertIn("4 CPUs", target.row({"compare": comparison([1], [1])})[3])

    def test_missed_targets_are_listed_for_their_reasons(self):
        results = {"compare": comparison([3], [10])}
        self.assertEqual(tables.missed(results), "- php-hello: CPU time beside nginx + php-fpm: ≤ 0.25, is 0.30")
        self.assertEqual(tables.missed({"compare": comparison([2], [10])}), "None.")

    def test_the_floor_is_beside_the_sum_of_each_round(self):
        of = dict(zip(("php-alone", "static-1k", "php-hello"), (rounds(2, 4), rounds(6, 6), rounds(10, 10)), strict=True))
        run = comparison([], []) | {"rounds": {"ephpm": of}}
        self.assertIn("| 3.0 | 6.0 | 10.0 | 1.12 (1.00–1.25) |", tables.floor(run))
        self.assertEqual(targets.beside_the_floor({"floor": run}), 1.125)

    def test_bytes_of_answers_stand_beside_each_other(self):
        run = comparison([1], [2]) | {"response_bytes": {"php-hello": {"ephpm": 1290, "nginx-fpm": None}}}
        self.assertIn("| php-hello | 1,290 | failed |", tables.response_bytes({"compare": run}))
        for nothing in ({}, {"compare": comparison([1], [2])}):
            self.assertEqual(tables.response_bytes(nothing), "Not measured.")

    def test_the_machine_tells_which_libphp_and_how_many_rounds_were_repeated(self):
        run = comparison([1, 1], [2])
        run["servers"] = SERVERS | {"ephpm": SERVERS["ephpm"] | {"libphp": {"name": "8.4-pgo", "trained": True}}}
        run["rounds"]["php-hello"]["ephpm"][0]["repeats"] = 3
        told = tables.machine({"compare": run, "memory": comparison([], []) | {"meantime": {"others_share": 0.5}}})
        self.assertIn("- ephpm: ephpm; PHP 8.4.1 (ZTS, 3 extensions; libphp 8.4-pgo, trained (PGO))", told)
        self.assertIn("| abc | 0% | 3 |", told)
        self.assertIn("| abc | 50% | – |", told)
        self.assertIn("during: memory.", told)

    def test_losses_are_told_whatever_their_size(self):
        self.assertIn("php-hello (`run compare`): 1.01 times", tables.losses({"compare": comparison([101], [100])}))
        self.assertNotIn("php-hello", tables.losses({"compare": comparison([99], [100])}))

    def test_fewer_requests_a_second_are_a_loss_whatever_they_cost(self):
        run = comparison([10], [20])
        run["rounds"]["php-hello"]["nginx-fpm"][0]["requests_per_second"] = 200_000
        self.assertEqual(tables.losses({"compare": run}),
                         "- php-hello (`run compare`): 100,000 requests/s beside 200,000 of nginx-fpm")

    def test_a_busy_machine_is_told(self):
        self.assertNotIn("trusted", tables.machine({"compare": comparison([1], [2])}))
        self.assertIn("not to be trusted", tables.machine({"compare": comparison([1, 1], [2], share=0.2)}))

    def test_a_failed_scenario_is_a_row_nevertheless(self):
        run = comparison([1], [2])
        run["rounds"]["php-hello"]["nginx-fpm"] = [{"problem": "status 500"}]
        self.assertIn("| php-hello | 1.0 | failed | – |", tables.comparison(run))

    def test_blocks_are_replaced_and_nothing_else(self):
        text = "a\n<!-- one -->\nold\n<!-- /one -->\nb\n<!-- two -->\n<!-- /two -->\n"
        filled = publish.filled(text, {"one": r"new \1", "two": "x"})
        self.assertEqual(filled, "a\n<!-- one -->\nnew \\1\n<!-- /one -->\nb\n<!-- two -->\nx\n<!-- /two -->\n")
        with self.assertRaisesRegex(BenchError, "three"):
            publish.filled(text, {"one": "", "three": ""})

    def test_the_page_has_a_block_for_everything(self):
        blocks = dict.fromkeys([*publish.BLOCKS, *publish.SUMMARIES], "")
        publish.filled((publish.DOCS / "performance.md").read_text(), blocks)

    def test_the_chart_is_xml_with_a_bar_for_each_server(self):
        run = comparison([1, 2], [4])
        drawn = ElementTree.fromstring(chart.draw(run["rounds"], run["servers"]))
        texts = [each.text for each in drawn.iter("{http://www.w3.org/2000/svg}text")]
        self.assertIn("100%", texts)
        self.assertIn("38%", texts)


class Commands(unittest.TestCase):
    def test_options_have_defaults_and_lists(self):
        parser = options.parser("", {"compare": compare, "publish": publish})
        chosen = parser.parse_args(["compare", "--servers", "a,b", "--scenarios", "x*"])
        self.assertEqual((chosen.servers, chosen.scenarios, chosen.concurrency), (["a", "b"], ["x*"], 16))


def load_tests(_loader, tests, _pattern):
    """With the examples in the docs of functions."""
    for module in (figures, idle, libphp, rates, report, syscalls, tables, targets):
        tests.addTests(doctest.DocTestSuite(module))
    return tests


if __name__ == "__main__":
    unittest.main()
