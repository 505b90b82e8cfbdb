"""What is made of measured figures: percentiles, and medians of rounds that were good. No clock, no files, no servers."""

from statistics import median

OTHERS_SHARE_MAX = 0.05
"""Of the machine's CPU time: with more used by others, figures tell nothing."""
LOAD_LATE_MAX_US = 200
"""The 99th percentile of how late a request was sent although its connection was free: with more, the load has waited for
a CPU, and percentiles of that order are its own."""


def good_rounds(rounds):
    """Those in which nothing went wrong."""
    return [one for one in rounds if "problem" not in one]


def is_disturbed(one):
    """Whether others used too much of the machine during a round that went well.

    >>> is_disturbed({"others_share": 0.06}), is_disturbed({"others_share": 0.05}), is_disturbed({"problem": "x"})
    (True, False, False)
    """
    return one.get("others_share", 0) > OTHERS_SHARE_MAX


def rounds_on_time(rounds):
    """The good ones in which the load came when it was to come.

    >>> rounds_on_time([{"own_delay_p99_us": 200}, {"own_delay_p99_us": 201}, {"problem": "x"}])
    [{'own_delay_p99_us': 200}]
    """
    return [one for one in good_rounds(rounds) if one["own_delay_p99_us"] <= LOAD_LATE_MAX_US]


def quietest(measure, patience):
    """What `measure()` finds in the first round that nobody disturbed, or else in the least disturbed one, with how often
    it was repeated. `patience` holds how many rounds may still be. One that fails is kept, since it is to be told.

    >>> shares = iter([0.2, 0.1, 0.3, 0.0])
    >>> quietest(lambda: {"others_share": next(shares)}, patience := [2]), patience
    ({'others_share': 0.1, 'repeats': 2}, [0])
    """
    found, repeats = measure(), 0
    while patience[0] > 0 and is_disturbed(found):
        patience[0] -= 1
        repeats += 1
        again = measure()
        if "problem" in again or again["others_share"] < found["others_share"]:
            found = again
    return found | {"repeats": repeats}


def middle(good, figure):
    """The median of one figure over rounds.

    >>> middle([{"cpu_us": 3}, {"cpu_us": 1}, {"cpu_us": 2}], "cpu_us")
    2
    """
    return median(one[figure] for one in good)


def ratios(first, own, figure="cpu_us"):
    """Of each round that both have: the first server's figure to this one's. None of the first to itself.

    >>> ratios([{"cpu_us": 2}, {"problem": "x"}, {"cpu_us": 6}], [{"cpu_us": 4}, {"cpu_us": 1}, {"cpu_us": 4}])
    [0.5, 1.5]
    """
    return [] if own is first else [a[figure] / b[figure] for a, b in zip(first, own, strict=True)
                                    if "problem" not in a and "problem" not in b]


def beside_the_sum(one, other, both):
    """Of each round: what `both` cost beside what `one` and `other` cost together.

    >>> cost = lambda *of_rounds: [{"cpu_us": cpu} for cpu in of_rounds]
    >>> beside_the_sum(cost(2, 2, 2), cost(6, 2, 2), cost(12, 6, 1)[:2] + [{"problem": "x"}])
    [1.5, 1.5]
    """
    return [c["cpu_us"] / (a["cpu_us"] + b["cpu_us"]) for a, b, c in zip(one, other, both, strict=True)
            if not any("problem" in each for each in (a, b, c))]


def percentile(ordered, percent):
    """The least of some sorted figures that `percent` of them do not exceed, or 0 if there is none.

    >>> [percentile(range(1, 201), percent) for percent in (0, 50, 99, 100)]
    [1, 100, 198, 200]
    >>> percentile([], 99)
    0
    """
    if not ordered:
        return 0
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(rank, 1) - 1]


def per_second_expected(workers, seconds):
    """Requests a second if each of `workers` does nothing but wait `seconds` for each.

    >>> per_second_expected(4, 0.02)
    200.0
    """
    return workers / seconds
