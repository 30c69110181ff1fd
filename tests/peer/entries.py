"""tests/peer/entries.py: the kinds of entries in the tables of what PyTorch computes.

An entry is a function of a case (see stream.py) and its operands that returns a tensor or a tuple of
them. In the tables stand its makers.
"""


class Missing(Exception):
    """Nobody has said what PyTorch computes here."""


class NotComparable(Exception):
    """It cannot be said, for this reason."""


def plain(function):
    """A function of the operands alone."""
    return lambda case, *x: function(*x)


def by_sample(*functions):
    """Sample i is functions[i] of the operands, as the samples in the C file have it."""

    def entry(case, *x):
        if case.sample >= len(functions) or functions[case.sample] is None:
            raise Missing('no entry')
        return functions[case.sample](*x)

    return entry


def with_arguments(function, *arguments):
    """Sample i is function(operands, *arguments[i])."""

    def entry(case, *x):
        if case.sample >= len(arguments) or arguments[case.sample] is None:
            raise Missing('no entry')
        return function(*x, *arguments[case.sample])

    return entry


def not_compared(reason):

    def entry(case, *x):
        raise NotComparable(reason)

    entry.reason = reason
    return entry
