"""What the project has set itself, and what was measured of it. Pure: from the results of all commands to rows."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from .figures import beside_the_sum, good_rounds, middle, ratios, rounds_on_time

OURS = "ephpm"
FPM, FPM_KEPT, APACHE = "nginx-fpm", "nginx-fpm-keepalive", "apache-mod-php"
NAMES = {FPM: "nginx + php-fpm", FPM_KEPT: "nginx + php-fpm, FastCGI kept open", APACHE: "Apache + mod_php"}
PHP = ["php-hello", "php-json", "php-10k", "php-post-1k", "php-upload-1m", "php-1m-output", "close-hello"]


@dataclass
class Target:
    """A figure and what it is to be."""

    about: str
    bound: float
    figure: Callable
    """From {command: results} to the figure; raises LookupError, or StatisticsError, where it was not measured."""
    at_least: bool = False
    """Whether the bound is the least that is good enough, and not the most."""
    cpus_min: int = 1
    """On fewer the figure tells nothing."""
    remark: Callable = lambda _: ""
    """From {command: results} to what has to be said beside the verdict."""

    def row(self, results):
        """(about, bound, figure, verdict) as text."""
        bound = f"{'≥' if self.at_least else '≤'} {self.bound:g}"
        figure = self.measured(results)
        if figure is None:
            return self.about, bound, "–", "not measured" + self.said(results)
        return self.about, bound, short(figure), self.verdict(figure, results) + self.said(results)

    def measured(self, results):
        """The figure, or None."""
        try:
            return self.figure(results)
        except (LookupError, ValueError):
            return None

    def said(self, results):
        """The remark, or nothing where nothing was measured."""
        try:
            return self.remark(results)
        except LookupError:
            return ""

    def verdict(self, figure, results):
        if self.is_beyond(results):
            return f"takes {self.cpus_min} CPUs to tell"
        return "met" if self.is_good(figure) else "**missed**"

    def is_missed(self, results):
        figure = self.measured(results)
        return figure is not None and not self.is_beyond(results) and not self.is_good(figure)

    def is_good(self, figure):
        return figure >= self.bound if self.at_least else figure <= self.bound

    def is_beyond(self, results):
        """Whether the machine is too small to tell."""
        return any(run["machine"]["cpus"] < self.cpus_min for run in results.values())


def short(figure):
    """
    >>> short(0.254), short(3.96), short(108.24), short(725.1)
    ('0.25', '3.96', '108', '725')
    """
    return f"{figure:.2f}" if figure < 10 else f"{figure:,.0f}"


def all_targets():
    """In the order in which they are told."""
    targets = [cpu("php-hello", 0.25), cpu("php-hello", 0.45, "keepalive", FPM_KEPT), cpu("php-hello", 0.60, peer=APACHE)]
    targets += [cpu(name, bound) for name, bound in [
        ("php-json", 0.55), ("php-10k", 0.75), ("php-post-1k", 0.35), ("php-upload-1m", 0.90), ("php-1m-output", 0.55),
        ("close-hello", 0.50)]]
    targets += [cpu(name, 1, peer=APACHE) for name in PHP[1:]]
    targets += [cpu("static-1k", 0.55), cpu("static-100k", 1), cpu("static-10m", 1), cpu("static-304", 0.60)]
    targets += [cpu("static-1k ×32", 0.50, "http2", about="HTTP/2, 32 streams: static-1k"),
                cpu("php-hello ×32", 0.30, "http2", about="HTTP/2, 32 streams: php-hello")]
    return [*targets,
            Target(f"WordPress, front page: pages per CPU second beside {NAMES[FPM]}", 1.25,
                   lambda results: 1 / median_ratio(results, "wordpress", "front-page", FPM), at_least=True),
            Target("php-hello: CPU time beside PHP alone + static-1k", 1.25, beside_the_floor),
            Target("php-hello: system calls per request at concurrency 16", 4, calls),
            *[Target(f"p99 at {share} % of the slower server's maximum, worst scenario, beside {NAMES[FPM]}", 1,
                     lambda results, share=share: worst_p99(results, share),
                     remark=lambda results, share=share: late_remark(results, share)) for share in (30, 60, 90)],
            Target("php-sleep20ms: requests/s beside threads / 20 ms", 0.98, waiting, at_least=True),
            Target("bytes of memory per idle HTTP/1.1 connection, of 10,000", 1024,
                   lambda results: results["memory"]["memory"][OURS]["http1"]["pss_per_connection"]),
            Target("CPU time per request beside 10,000 idle connections and without, worst scenario", 1.10, growth),
            Target("ms from the start to the first answer of PHP", 150,
                   lambda results: median(results["start"]["start_ms"][OURS])),
            Target("static-1k: requests/s of two event loops beside one", 1.7, two_loops, at_least=True, cpus_min=4)]


def cpu(scenario, bound, command="compare", peer=FPM, about=None):
    """CPU time per request beside a peer's."""
    return Target(f"{about or scenario}: CPU time beside {NAMES[peer]}", bound,
                  lambda results: median_ratio(results, command, scenario, peer))


def median_ratio(results, command, scenario, peer):
    rounds = results[command]["rounds"][scenario]
    return median(ratios(rounds[OURS], rounds[peer]))


def beside_the_floor(results):
    of = results["floor"]["rounds"][OURS]
    return median(beside_the_sum(of["php-alone"], of["static-1k"], of["php-hello"]))


def calls(results):
    return sum(results["syscalls"]["calls_per_request"][OURS]["16"]["php-hello"].values())


def worst_p99(results, share):
    """Of all scenarios: our p99 beside the peer's at its worst, without the rounds in which the load was late."""
    pairs = [(rounds[OURS], rounds[FPM]) for rounds in rounds_at(results, share)]
    return max(p99(ours) / p99(theirs) for ours, theirs in pairs if rounds_on_time(ours) and rounds_on_time(theirs))


def rounds_at(results, share):
    """Of each scenario: the rounds of all servers at a rate."""
    return [of["shares"][str(share)]["rounds"] for of in results["rates"]["rates"].values()]


def late_remark(results, share):
    """How many rounds were left out for the load, and the scenarios of which nothing is left."""
    told = left_out([own for rounds in rounds_at(results, share) for own in rounds.values()])
    if told.startswith("0 "):
        return ""
    unknown = [name for name, rounds in zip(results["rates"]["rates"], rounds_at(results, share), strict=True)
               if not all(rounds_on_time(rounds[name]) for name in (OURS, FPM))]
    return f", without {told} rounds: the load was late" + (f"; not known of {', '.join(unknown)}" if unknown else "")


def left_out(of_servers):
    """In how many of all good rounds the load was late.

    >>> left_out([[{"own_delay_p99_us": 20}, {"own_delay_p99_us": 300}], [{"own_delay_p99_us": 7}, {"problem": "x"}]])
    '1 of 3'
    """
    good = sum(len(good_rounds(rounds)) for rounds in of_servers)
    return f"{good - sum(len(rounds_on_time(rounds)) for rounds in of_servers)} of {good}"


def p99(rounds):
    return middle(rounds_on_time(rounds), "p99_us")


def waiting(results):
    run = results["waiting"]
    served = middle(good_rounds(run["rounds"]["php-sleep20ms"][OURS]), "requests_per_second")
    return served / run["expected_per_second"]


def growth(results):
    return max(median(ratios(found["many"], found["few"])) for found in results["connections"]["connections"][OURS].values())


def two_loops(results):
    rounds = results["loops"]["rounds"]["static-1k"]
    return median(ratios(rounds["ephpm-2-loops"], rounds[OURS], "requests_per_second"))
