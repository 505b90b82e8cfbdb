"""What the project has set itself, and what was measured of it. Pure: from the results of all commands to rows."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from .figures import good_rounds, middle, ratios

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

    def row(self, results):
        """(about, bound, figure, verdict) as text."""
        bound = f"{'≥' if self.at_least else '≤'} {self.bound:g}"
        try:
            figure = self.figure(results)
        except (LookupError, ValueError):
            return self.about, bound, "–", "not measured"
        return self.about, bound, short(figure), self.verdict(figure, results)

    def verdict(self, figure, results):
        if any(run["machine"]["cpus"] < self.cpus_min for run in results.values()):
            return f"takes {self.cpus_min} CPUs to tell"
        good = figure >= self.bound if self.at_least else figure <= self.bound
        return "met" if good else "**missed**"


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
                     lambda results, share=share: worst_p99(results, share)) for share in (30, 60, 90)],
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
    return median(one["php-hello"] / (one["floor"] + one["static-1k"])
                  for one in results["floor"]["rounds"] if one["server"] == OURS)


def calls(results):
    return sum(results["syscalls"]["calls_per_request"][OURS]["16"]["php-hello"].values())


def worst_p99(results, share):
    """Of all scenarios: our p99 beside the peer's at its worst."""
    return max(p99(rounds[OURS]) / p99(rounds[FPM])
               for of in results["rates"]["rates"].values() for rounds in [of["shares"][str(share)]["rounds"]])


def p99(rounds):
    return middle(good_rounds(rounds), "p99_us")


def waiting(results):
    run = results["waiting"]
    served = middle(good_rounds(run["rounds"]["php-sleep20ms"][OURS]), "requests_per_second")
    return served / run["expected_per_second"]


def growth(results):
    return max(median(ratios(found["many"], found["few"])) for found in results["connections"]["connections"][OURS].values())


def two_loops(results):
    rounds = results["loops"]["rounds"]["static-1k"]
    return median(ratios(rounds["ephpm-2-loops"], rounds[OURS], "requests_per_second"))
