"""The tables of docs/performance.md, in Markdown. Pure: from what a command kept to text."""

from statistics import median

from . import report, targets
from .figures import OTHERS_SHARE_MAX, beside_the_sum, good_rounds, middle, ratios, rounds_on_time
from .targets import OURS


def table(head, rows):
    """
    >>> print(table(["server", "ms"], [["a", "1"]]))
    | server | ms |
    | --- | ---: |
    | a | 1 |
    """
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *rows])


def machine(results):
    """On what, with what and when it was measured; and whether it can be trusted."""
    machines = {"{cpus} × {cpu}, Linux {kernel}".format(**run["machine"]) for run in results.values()}
    servers = {f"- {report.described(name, of)}" for run in results.values() for name, of in run["servers"].items()}
    rows = [[f"`run {name}`", run["time"][:16].replace("T", " "), run["commit"] or "–", others(run), repeats(run)]
            for name, run in results.items()]
    parts = ["\n".join(sorted(machines)), "\n".join(sorted(servers)),
             table(["run", "UTC", "commit", "others' CPU time", "repeated rounds"], rows)]
    if disturbed := [name for name, run in results.items() if others_share(run) > OTHERS_SHARE_MAX]:
        parts.append(f"**Others used more than {OTHERS_SHARE_MAX:.0%} of the machine during: {', '.join(disturbed)}. What "
                     "these found is not to be trusted.**")
    return "\n\n".join(parts)


def others(run):
    """How much of the machine others used in the middle round, as text."""
    return f"{others_share(run):.0%}" if all_rounds(run) else "–"


def repeats(run):
    """How many rounds were repeated because others disturbed them, as text."""
    found = [one["repeats"] for one in all_rounds(run) if "repeats" in one]
    return str(sum(found)) if found else "–"


def others_share(run):
    return median([one["others_share"] for one in all_rounds(run)] or [0.0])


def all_rounds(run):
    """Every good round in what a command kept, wherever it lies."""
    if isinstance(run, dict):
        return [run] if "others_share" in run else [one for value in run.values() for one in all_rounds(value)]
    return [one for value in run for one in all_rounds(value)] if isinstance(run, list) else []


def goals(results):
    return table(["target", "is to be", "is", ""], [list(target.row(results)) for target in targets.all_targets()])


def missed(results):
    """The targets that were not met, for the text beneath, which has to say why."""
    rows = [target.row(results) for target in targets.all_targets() if target.is_missed(results)]
    return "\n".join(f"- {about}: {bound}, is {figure}" for about, bound, figure, _ in rows) or "None."


def response_bytes(results):
    """A row for each scenario of `run compare`: what a server's answer has on the connection."""
    run = results.get("compare", {})
    if "response_bytes" not in run:
        return "Not measured."
    servers = list(run["servers"])
    return table(["scenario", *servers], [[scenario, *["failed" if of[name] is None else f"{of[name]:,}" for name in servers]]
                                          for scenario, of in run["response_bytes"].items()])


def comparison(run):
    """A row for each scenario: microseconds of CPU time and ratios, then requests per second."""
    first, *peers = run["servers"]
    head = ["scenario", f"{first} µs", *[text for peer in peers for text in (f"{peer} µs", "ratio (of rounds)")],
            *[f"{name} requests/s" for name in run["servers"]]]
    rows = []
    for scenario, found in run["rounds"].items():
        row = [scenario, figure(found[first], "cpu_us", ".1f")]
        for peer in peers:
            row += [figure(found[peer], "cpu_us", ".1f"), ratio_with_range(ratios(found[first], found[peer]))]
        rows.append(row + [figure(found[name], "requests_per_second", ",.0f") for name in run["servers"]])
    return table(head, rows)


def figure(rounds, name, form):
    """The median over good rounds, or that there is none."""
    good = good_rounds(rounds)
    return format(middle(good, name), form) if good else "failed"


def ratio_with_range(compared):
    return f"{median(compared):.2f} ({min(compared):.2f}–{max(compared):.2f})" if compared else "–"


def rates(run):
    head = ["scenario", "share", "requests/s", *[f"{name} {what} ms" for name in run["servers"] for what in ("p50", "p99")],
            "rounds with the load late"]
    rows = []
    for scenario, of in run["rates"].items():
        for share, at in of["shares"].items():
            waits = [ms(at["rounds"][name], what) for name in run["servers"] for what in ("p50_us", "p99_us")]
            rows.append([scenario, f"{share} %", f"{at['rate']:,.0f}", *waits, targets.left_out(at["rounds"].values())])
    return table(head, rows)


def ms(rounds, name):
    """The median over the rounds in which the load was on time; over all, and marked, if it never was. Marked otherwise if
    that was in fewer than half.

    >>> late, on_time = {"p99_us": 9000, "own_delay_p99_us": 900}, {"p99_us": 1000, "own_delay_p99_us": 9}
    >>> ms([late, on_time], "p99_us"), ms([late], "p99_us"), ms([{"problem": "x"}], "p99_us")
    ('1.00', '9.00 !', 'failed')
    >>> ms([late, on_time, late], "p99_us")
    '1.00 ?'
    """
    good = good_rounds(rounds)
    on_time = rounds_on_time(rounds)
    mark = " !" if not on_time else " ?" if 2 * len(on_time) < len(good) else ""
    return f"{middle(on_time or good, name) / 1e3:.2f}{mark}" if good else "failed"


def memory(run):
    return table(["server", "HTTP/1.1: bytes/connection", "HTTP/2: bytes/connection", "before, MiB"],
                 [[name, *[f"{of[protocol]['pss_per_connection']:,.0f}" for protocol in ("http1", "http2")],
                   f"{of['http1']['before']['pss'] / 2**20:.0f}"] for name, of in run["memory"].items()])


def connections(run):
    rows = [[name, scenario, figure(found["few"], "cpu_us", ".1f"), figure(found["many"], "cpu_us", ".1f"),
             ratio_with_range(ratios(found["many"], found["few"]))]
            for name, of in run["connections"].items() for scenario, found in of.items()]
    return table(["server", "scenario", "µs alone", f"µs beside {run['options']['connections']:,}", "ratio (of rounds)"], rows)


def start(run):
    return table(["server", "ms (of starts)"],
                 [[name, f"{median(found):.0f} ({min(found):.0f}–{max(found):.0f})"] for name, found in run["start_ms"].items()])


def waiting(run):
    return table(["server", "requests/s", "of the most"],
                 [[name, figure(rounds, "requests_per_second", ".1f"),
                   f"{middle(good_rounds(rounds), 'requests_per_second') / run['expected_per_second']:.1%}"]
                  for name, rounds in run["rounds"]["php-sleep20ms"].items()])


def floor(run):
    of = run["rounds"][OURS]
    return table(["PHP alone, µs", "static-1k, µs", "php-hello, µs", "php-hello beside the sum"],
                 [[*[figure(rounds, "cpu_us", ".1f") for rounds in of.values()], ratio_with_range(beside_the_sum(*of.values()))]])


def syscalls(run):
    of = run["calls_per_request"][OURS]
    scenarios = list(next(iter(of.values())))
    return table(["connections", *scenarios],
                 [[count, *[f"{sum(columns[name].values()):.1f}" for name in scenarios]] for count, columns in of.items()])


def losses(results):
    """Every comparison in which a peer did better, and those that could not be made."""
    found = []
    for command in ("compare", "keepalive", "lighttpd", "http2", "wordpress"):
        for scenario, of in results.get(command, {}).get("rounds", {}).items():
            found += [f"- {scenario} (`run {command}`): {median(compared):.2f} times the CPU time of {peer}"
                      for peer, rounds in of.items() if (compared := ratios(of[OURS], rounds)) and median(compared) > 1]
            served = {name: middle(good, "requests_per_second") for name, each in of.items() if (good := good_rounds(each))}
            found += [f"- {scenario} (`run {command}`): {served[OURS]:,.0f} requests/s beside {other:,.0f} of {peer}"
                      for peer, other in served.items() if served.get(OURS, other) < other]
    for scenario, of in results.get("rates", {}).get("rates", {}).items():
        for share, at in of["shares"].items():
            middles = {name: targets.p99(rounds) for name, rounds in at["rounds"].items() if rounds_on_time(rounds)}
            found += [f"- {scenario} at {share} % (`run rates`): p99 of {middles[OURS] / 1e3:.2f} ms beside "
                      f"{other / 1e3:.2f} ms of {name}" for name, other in middles.items() if middles.get(OURS, 0) > other]
            if unknown := [name for name in at["rounds"] if name not in middles]:
                found.append(f"- {scenario} at {share} % (`run rates`): p99 not known, without a good round of "
                             f"{' and '.join(unknown)} in which the load was on time")
    for protocol, called in (("http1", "HTTP/1.1"), ("http2", "HTTP/2")):
        of = {name: each[protocol]["pss_per_connection"] for name, each in results.get("memory", {}).get("memory", {}).items()}
        found += [f"- an idle {called} connection (`run memory`): {of[OURS]:,.0f} bytes beside {other:,.0f} of {name}"
                  for name, other in of.items() if of[OURS] > other]
    starts = {name: median(each) for name, each in results.get("start", {}).get("start_ms", {}).items()}
    found += [f"- the start (`run start`): {starts[OURS]:.0f} ms beside {other:.0f} ms of {name}"
              for name, other in starts.items() if starts[OURS] > other]
    return "\n".join(found) or "In nothing that was measured."
