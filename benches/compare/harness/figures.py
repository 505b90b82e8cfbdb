"""What is made of measured figures: percentiles, and medians of rounds that were good. No clock, no files, no servers."""

from statistics import median


def good_rounds(rounds):
    """Those in which nothing went wrong."""
    return [one for one in rounds if "problem" not in one]


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
