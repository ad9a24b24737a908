"""gpucrust run."""

import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Literal, Self

import typer

from gpucrust.cli.app import Setting, SweepFile, app, open_result, sentence
from gpucrust.cli.progress import Reporting, reporting

if TYPE_CHECKING:
    import xarray as xr

    from gpucrust.jobs.in_memory import Standing
    from gpucrust.sweep.plan import Chunks, Plan

MOST_DRAWN = 10_000
"""Members of a result that gets a figure of its own accord."""


class Stopped(Exception):
    """A run that ended before its end; the message is one line."""

    def __init__(self, message: str, exit_status: int) -> None:
        super().__init__(message)
        self.exit_status = exit_status


class Terminated(KeyboardInterrupt):
    """The process was asked to end: a job's time is over, or the machine goes down."""


@app.command()
def run(
    sweep: SweepFile,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="NAME.nc or NAME.zarr; default: SWEEP.nc here")
    ] = None,
    settings: Setting = None,
    device: Annotated[str | None, typer.Option(help="cpu or gpu; default: what JAX prefers")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on where a run to this output stopped")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="processes on this machine (needs Dask)")] = None,
    scheduler: Annotated[str | None, typer.Option(help="address of a Dask scheduler, as tcp://HOST:PORT")] = None,
    save_every: Annotated[
        int | None, typer.Option(min=1, help="evolutions saved at a time; default: by the sweep's size")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would be computed, what it costs, stop")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace an output that exists")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="no progress, no summary")] = False,
    json_lines: Annotated[bool, typer.Option("--json", help="progress and summary as lines of JSON")] = False,
) -> None:
    """Compute a sweep; write the dataset (netCDF or Zarr) and, beside it, a figure (PNG).

    \b
    gpucrust run sweeps/figure1.toml
    gpucrust run sweeps/figure1.toml -o fast.nc --set stepper.step=0.02
    gpucrust run sweeps/figure1.toml -o two.nc --set axes.g=[1e14,2e14]

    \b
    gpucrust run sweeps/ashes.toml --dry-run
        how many crusts, how much memory, disk and time
    gpucrust run large.toml -o large.zarr --resume
        go on where a run to this output stopped, if any did
    """
    from gpucrust.sweep.config import SweepError, load_sweep

    target = output or Path(sweep.stem + ".nc")
    if device not in (None, "cpu", "gpu"):
        raise SweepError(f"--device {device}: allowed are cpu and gpu")
    chosen: Literal["cpu", "gpu"] | None = "cpu" if device == "cpu" else "gpu" if device == "gpu" else None
    if workers and scheduler:
        raise SweepError("--workers starts processes here, --scheduler uses those of a cluster: give one of them")
    checked = load_sweep(sweep, settings or [])
    figure = target.with_suffix(".png")
    check_target(target)
    if not (overwrite or resume):
        check_absent(target, figure)

    from gpucrust.jobs.in_memory import meanwhile, on_device
    from gpucrust.jobs.to_file import clear_up, finished, run_to_file
    from gpucrust.sweep.plan import make_chunks, make_plan

    plan = make_plan(checked, sweep.parent)
    report = reporting(quiet, json_lines)
    for left_out in plan.left_out:
        report.note(left_out)
    with on_device(None if workers or scheduler else chosen):
        if dry_run:
            _tell_costs(plan, make_chunks(plan, save_every), target, workers or 1, report)
            return
    if resume and not overwrite and finished(plan, target):
        clear_up(plan, target)
        report.note(f"{target} is finished")
        if not figure.exists():
            _draw(open_result(target), figure)
        return
    command = ["gpucrust", "run", str(sweep), "-o", str(target), *(x for s in settings or [] for x in ("--set", s))]
    given = {"--device": device, "--workers": workers, "--scheduler": scheduler}
    command += [x for name, value in given.items() if value is not None for x in (name, str(value))]
    command += ["--resume", *(["--overwrite"] if overwrite else [])]
    started = time.perf_counter()
    with (
        _how_to_go_on(target, command, report),
        Stop(at_once=bool(workers or scheduler)) as stop,
        report,
        meanwhile(import_module, "gpucrust.results.plots"),
    ):

        def progress(state: "Standing") -> None:
            stop.check()
            report.standing(state)

        run_to_file(
            plan,
            target,
            resume=resume,
            overwrite=overwrite,
            save_every=save_every,
            device=chosen,
            workers=workers,
            scheduler=scheduler,
            progress=progress,
        )
    ds = open_result(target)
    drawn = _draw(ds, figure)
    report.finished(target, figure if drawn else None, ds, time.perf_counter() - started)


def _draw(ds: "xr.Dataset", figure: Path) -> bool:
    """Draw the figure that suits a result, unless it has too many members."""
    from gpucrust.results import plots

    drawn = ds.sizes["member"] <= MOST_DRAWN
    if drawn:
        plots.write_figure(plots.KINDS[plots.default_kind(ds)](ds), figure)
    return drawn


def check_target(target: Path) -> None:
    from gpucrust.sweep.config import SweepError

    if target.suffix not in (".nc", ".zarr"):
        raise SweepError(f"--output {target}: write netCDF, NAME.nc, or Zarr, NAME.zarr")
    try:
        str(target).encode()
    except UnicodeEncodeError:
        raise SweepError(f"--output {target}: netCDF needs a name in UTF-8") from None
    if not target.parent.is_dir():
        raise SweepError(f"--output {target}: there is no folder {target.parent}")
    if not os.access(target.parent, os.W_OK):
        raise SweepError(f"--output {target}: nothing may be written to {target.parent}")
    replaceable = (target / "zarr.json").exists() if target.suffix == ".zarr" else target.is_file()
    if target.exists() and not replaceable:
        raise SweepError(f"--output {target}: what is there is no result, and is not replaced")


def check_absent(*paths: Path) -> None:
    from gpucrust.sweep.config import SweepError

    for path in paths:
        if path.exists():
            raise SweepError(f"{path} exists: give another name with -o, or --overwrite")


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
def _how_to_go_on(target: Path, command: list[str], report: Reporting) -> Iterator[None]:
    """Turn what stops a run into one line that says what is saved and how to go on."""
    try:
        yield
    except (KeyboardInterrupt, OSError, MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        from gpucrust.jobs.partial_folder import Folder
        from gpucrust.jobs.store import Store

        folder = Folder(target)
        saved = total = 0
        if folder.store.exists():
            store = Store(folder.store)
            saved, total = len(store.status()), store.chunks.n
        report.stopped(saved, total, shlex.join(command))
        if isinstance(error, KeyboardInterrupt):
            what, status = "interrupted", 143 if isinstance(error, Terminated) else 130
        elif isinstance(error, RuntimeError):
            what, status = "the device is out of memory: give a smaller --save-every or stepper.batch", 2
        else:
            what, status = sentence(error), 2
        rest = (
            f"{saved} of {total} evolutions are saved, go on with: {shlex.join(command)}"
            if total
            else "nothing was written"
        )
        raise Stopped(f"{what}; {rest}", status) from error


def _tell_costs(plan: "Plan", chunks: "Chunks", target: Path, processes: int, report: Reporting) -> None:
    """Axes, members, evolutions and chunks; memory and disk, which must be there; time."""
    from gpucrust.jobs.costs import (
        calibrate,
        check_disk,
        check_memory,
        disk,
        free_disk,
        free_memory,
        size,
        working_memory,
    )
    from gpucrust.schema import AXES

    axes = plan.sweep.axes
    values: dict[str, list] = {name: list(getattr(axes, name)) for name in AXES if name != "sample"}
    values |= {"mass_model": [m.name for m in plan.models], "sample": list(range(axes.sample))}
    lines = {name: _axis(values[name]) for name in AXES}
    lines[""] = (
        f"{plan.n_members} members, {plan.n_evolutions} distinct evolutions, {len(plan.pressures)} pressures; "
        f"{len(chunks)} chunks of {min(chunks.size, chunks.n)}"
    )
    memory, needed = working_memory(plan, chunks) * processes, disk(plan, chunks)
    lines["memory"] = f"about {size(memory)} of {size(free_memory())} free"
    lines["disk"] = f"about {size(needed)} of {size(free_disk(target.parent))} free"
    report.plan(lines, {})
    check_disk(plan, chunks, target.parent)
    check_memory(plan, chunks, processes)
    speed = calibrate(plan, chunks)
    rate, seconds = speed.evolutions_per_second, None
    foretold = "more than can be foretold: no evolution came any further"
    if rate > 0:
        seconds = plan.n_evolutions / rate / processes + speed.compile_seconds
        bound = "" if speed.whole else ", by the beginning of some"
        foretold = f"about {_duration(seconds)} ({rate:.3g} evolutions/s a process{bound})"
    report.plan(
        {"time": foretold},
        {
            "axes": {name: len(x) for name, x in values.items()},
            "members": plan.n_members,
            "evolutions": plan.n_evolutions,
            "pressures": len(plan.pressures),
            "chunks": len(chunks),
            "evolutions_in_a_chunk": chunks.size,
            "memory_bytes": memory,
            "disk_bytes": needed,
            "seconds": seconds,
        },
    )


def _axis(values: list) -> str:
    shown = [v if isinstance(v, str) else f"{v:g}" for v in values]
    return f"{len(shown)}: " + (", ".join(shown) if len(shown) <= 6 else f"{shown[0]} to {shown[-1]}")


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.2g} s"
