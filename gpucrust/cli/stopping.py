"""How a run ends before its end: on Ctrl-C, on the signal of a batch system, or because it cannot go on."""

import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Self

from gpucrust.cli.app import sentence
from gpucrust.cli.progress import Reporting


class Stopped(Exception):
    """A run that ended before its end; the message is one line."""

    def __init__(self, message: str, exit_status: int) -> None:
        super().__init__(message)
        self.exit_status = exit_status


class Terminated(KeyboardInterrupt):
    """The process was asked to end: a job's time is over, or the machine goes down."""


class Stop:
    """Ctrl-C, and the signal by which batch systems ask a job to end: a run ends at its next step, or at once if
    asked again or told to.

    An exception raised just anywhere may be lost: JAX has functions that the garbage collector calls.
    """

    def __init__(self, at_once: bool) -> None:
        self.at_once = at_once
        self.asked: type[KeyboardInterrupt] | None = None

    def __enter__(self) -> Self:
        self.before = {number: signal.signal(number, self.ask) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def ask(self, number: int, _: FrameType | None) -> None:
        """The handler of the signals."""
        at_once = self.at_once or self.asked is not None
        self.asked = Terminated if number == signal.SIGTERM else KeyboardInterrupt
        if at_once:
            raise self.asked
        if sys.stderr.isatty():
            print("\ngpucrust: stopping at the next step; once more to stop at once", file=sys.stderr)

    def check(self) -> None:
        """Raise KeyboardInterrupt if asked to stop."""
        if self.asked is not None:
            raise self.asked


@contextmanager
def saying_how_to_go_on(target: Path, command: list[str], report: Reporting) -> Iterator[None]:
    """Turn what stops a run to `target` into one line that says what is saved and how to go on: by `command`."""
    try:
        yield
    except (KeyboardInterrupt, OSError, MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        saved, total = _saved(target)
        report.stopped(saved, total, shlex.join(command))
        if isinstance(error, KeyboardInterrupt):
            what, status = "interrupted", 143 if isinstance(error, Terminated) else 130
        elif isinstance(error, RuntimeError):
            what, status = "the device is out of memory: give a smaller --save-every or stepper.batch", 2
        else:
            what, status = sentence(error), 2
        rest = "nothing was written"
        if total:
            rest = f"{saved} of {total} evolutions are saved, go on with: {shlex.join(command)}"
        raise Stopped(f"{what}; {rest}", status) from error


def _saved(target: Path) -> tuple[int, int]:
    """Evolutions that a run to `target` has saved, and all of its sweep; zeros where nothing is saved."""
    from gpucrust.jobs.partial_folder import PartialFolder
    from gpucrust.jobs.store import Store

    folder = PartialFolder(target)
    if not folder.store.exists():
        return 0, 0
    store = Store(folder.store)
    return len(store.status()), store.portions.n
