"""What can be tested of the comparison without a server: `python3 -B benches/compare/tests.py`, as `make check` does."""

import doctest
import email
import io
import re
import unittest
from pathlib import Path
from xml.etree import ElementTree

from harness import chart, compare, figures, idle, load, options, publish, scenario, server, syscalls, tables, targets
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
        known = {"binary", "www", "ini", "workers", "connections", "cpus", "nginx_site", "dir", "port", "h2_port"}
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

    def test_ports_differ(self):
        self.assertEqual(len(set(server.free_ports(20))), 20)


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

    def test_losses_are_told_whatever_their_size(self):
        self.assertIn("php-hello (`run compare`): 1.01 times", tables.losses({"compare": comparison([101], [100])}))
        self.assertNotIn("php-hello", tables.losses({"compare": comparison([99], [100])}))

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
    for module in (figures, idle, syscalls, tables, targets):
        tests.addTests(doctest.DocTestSuite(module))
    return tests


if __name__ == "__main__":
    unittest.main()
