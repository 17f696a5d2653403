"""Tests in Python: a function marked @case is one test and prints one line of TAP.

Cases run in the order of the file, each also when one before it failed.
"""
import contextlib
import sys
import traceback

_cases = []


def case(description):
    def mark(function):
        _cases.append((description, function))
        return function
    return mark


def skip_all(reason):
    print(f"1..0 # SKIP {reason}")
    sys.exit()


def same(got, wanted):
    if got != wanted:
        raise AssertionError(f"got {got!r}, wanted {wanted!r}")


@contextlib.contextmanager
def raises(kind):
    """The block must end with an exception of just this class; the caller gets it in .value."""
    class Caught:
        value = None
    try:
        yield Caught
    except kind as error:
        if type(error) is not kind:
            raise AssertionError(f"{type(error).__name__} instead of {kind.__name__}") from error
        Caught.value = error
    else:
        raise AssertionError(f"no {kind.__name__} was raised")


def run(after_each=lambda: None):
    """Runs all cases, and after_each() between them: what a failed case left behind goes there."""
    print(f"1..{len(_cases)}", flush=True)
    failed = 0
    for number, (description, function) in enumerate(_cases, 1):
        try:
            function()
            print(f"ok {number} - {description}", flush=True)
        except Exception:
            failed += 1
            print(f"not ok {number} - {description}")
            print("# " + traceback.format_exc(limit=-3).rstrip().replace("\n", "\n# "), flush=True)
        after_each()
    sys.exit(1 if failed else 0)
