"""What goes wrong for a reason that the user can do something about."""


class BenchError(Exception):
    """One line for the user: what was found and what was wanted."""
