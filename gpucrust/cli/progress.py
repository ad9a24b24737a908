"""What `gpucrust run` tells: a bar and tables for people, lines of JSON for programs, nothing if asked to be quiet.

Lines of JSON go to standard output, each an object with the key `event`: note, plan, progress, stopped, finished.
"""

import json
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import xarray as xr

    from gpucrust.jobs.progress import Standing


class Reporting:
    """Says nothing but what must be known."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def note(self, sentence: str) -> None:
        """Something to know."""
        print(f"gpucrust: note: {sentence}", file=sys.stderr)

    def plan(self, lines: dict[str, str], values: dict[str, Any]) -> None:
        """What would be computed and what it costs: for people, and for programs."""
        for name, text in lines.items():
            print(f"{name}: {text}" if name else text, flush=True)

    def standing(self, state: "Standing") -> None:
        """Where the run stands."""

    def finished(self, target: Path, figure: Path | None, ds: "xr.Dataset", seconds: float) -> None:
        """The result is there."""

    def stopped(self, saved: int, total: int, command: str) -> None:
        """The run ends before its end."""


class Bar(Reporting):
    """A progress bar on standard error: evolutions done, failures, rate, time left; and a closing summary."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichBar

        columns = (
            TextColumn("{task.fields[evolutions]} evolutions"),
            BarColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left {task.fields[left]}"),  # rich's own knows the last 30 s only: no chunk of a worker
        )
        self.bar = RichBar(*columns, console=Console(stderr=True))
        self.task: Any = None

    def __exit__(self, *_: object) -> None:
        if self.task is not None:  # a bar that was never drawn would end a line
            self.bar.stop()

    def standing(self, state: "Standing") -> None:
        """Draw the bar anew."""
        if self.task is None:
            # started only now: errors before are one line
            self.task = self.bar.add_task("", total=1.0, evolutions="", rate="", left="")
            self.bar.start()
        failed = f", {state.failed} failed" if state.failed else ""
        doing = "writing " if state.phase == "writing" else ""
        left = seconds_left(state)
        self.bar.update(
            self.task,
            completed=state.fraction,
            evolutions=f"{doing}{state.done}/{state.total}{failed}",
            rate=f"{rate(state):.3g}/s",
            left="-:--:--" if left is None else str(timedelta(seconds=round(left))),
        )

    def finished(self, target: Path, figure: Path | None, ds: "xr.Dataset", seconds: float) -> None:
        """See Reporting."""
        from gpucrust.cli.app import print_failures

        print(f"wrote {target}" + (f" and {figure}" if figure else ""))
        print_failures(ds)


class JsonLines(Reporting):
    """Lines of JSON; of progress, about one a second."""

    def __init__(self) -> None:
        self.last = -1.0

    def _tell(self, event: str, **values: Any) -> None:
        print(json.dumps({"event": event, **values}), flush=True)

    def note(self, sentence: str) -> None:
        """See Reporting."""
        self._tell("note", message=sentence)

    def plan(self, lines: dict[str, str], values: dict[str, Any]) -> None:
        """See Reporting."""
        if values:
            self._tell("plan", **values)

    def standing(self, state: "Standing") -> None:
        """See Reporting."""
        if time.monotonic() - self.last < 1 and state.done < state.total:
            return
        self.last = time.monotonic()
        self._tell(
            "progress",
            phase=state.phase,
            done=state.done,
            failed=state.failed,
            total=state.total,
            fraction=round(state.fraction, 6),
            per_second=rate(state),
            seconds=round(state.elapsed, 3),
            seconds_left=seconds_left(state),
        )

    def finished(self, target: Path, figure: Path | None, ds: "xr.Dataset", seconds: float) -> None:
        """See Reporting."""
        from gpucrust.results.summary import count_statuses

        counts = {status.name.lower(): n for status, n in count_statuses(ds).items() if n}
        shown = None if figure is None else str(figure)
        self._tell("finished", output=str(target), figure=shown, members=counts, seconds=round(seconds, 3))

    def stopped(self, saved: int, total: int, command: str) -> None:
        """See Reporting."""
        self._tell("stopped", saved=saved, total=total, resume=command)


def rate(state: "Standing") -> float:
    """Evolutions a second, of this run."""
    return (state.done - state.resumed) / state.elapsed if state.elapsed > 0 else 0.0


def seconds_left(state: "Standing") -> float | None:
    """Of the computation, at the pace of this run so far; None while nothing is known."""
    work = state.fraction - state.resumed / state.total
    return state.elapsed * (1 - state.fraction) / work if work > 0 and state.phase == "computing" else None


def reporting(quiet: bool, json_lines: bool) -> Reporting:
    """As the options of `gpucrust run` say."""
    return JsonLines() if json_lines else Reporting() if quiet else Bar()
