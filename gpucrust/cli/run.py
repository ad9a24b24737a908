"""gpucrust run."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gpucrust.cli.app import Setting, SweepFile, app, print_failures

if TYPE_CHECKING:
    from gpucrust.ensemble import Progress


@app.command()
def run(
    sweep: SweepFile,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="netCDF file; default: SWEEP.nc here")] = None,
    settings: Setting = None,
    device: Annotated[str | None, typer.Option(help="cpu or gpu; default: what JAX prefers")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would be computed, and stop")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace an output that exists")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="no progress, no summary")] = False,
) -> None:
    """Compute a sweep; write the dataset (netCDF) and, beside it, a figure (PNG).

    \b
    gpucrust run sweeps/figure1.toml
    gpucrust run sweeps/figure1.toml -o fast.nc --set stepper.chunk=0.01 --set axes.g=[1e14,2e14]
    gpucrust run sweeps/ashes.toml --dry-run        how many crusts, how much memory
    """
    from gpucrust.config import SweepError, load_sweep

    target = output or Path(sweep.stem + ".nc")
    if device not in (None, "cpu", "gpu"):
        raise SweepError(f"--device {device}: allowed are cpu and gpu")
    chosen: Literal["cpu", "gpu"] | None = "cpu" if device == "cpu" else "gpu" if device == "gpu" else None
    checked = load_sweep(sweep, settings or [])
    figure = target.with_suffix(".png")
    check_targets(target, figure, overwrite)

    from gpucrust.dataset import write_netcdf
    from gpucrust.sweep import check_memory, compute, make_plan, on_device

    plan = make_plan(checked, sweep.parent)
    for sentence in plan.left_out:
        print(f"gpucrust: note: {sentence}", file=sys.stderr)
    if dry_run:
        print(
            f"{plan.n_members} members, {plan.n_evolutions} distinct evolutions, {len(plan.pressures)} pressures; "
            f"about {plan.memory / 2**20:.3g} MiB of memory"
        )
        check_memory(plan)
        return
    check_memory(plan)
    with on_device(chosen):
        pass
    with _progress(quiet) as progress:
        ds = compute(plan, device=chosen, progress=progress)
    write_netcdf(ds, target)
    from gpucrust.plots import KINDS, default_kind, write_figure

    write_figure(KINDS[default_kind(ds)](ds), figure)
    if not quiet:
        print(f"wrote {target} and {figure}")
        print_failures(ds)


def check_targets(target: Path, figure: Path, overwrite: bool) -> None:
    from gpucrust.config import SweepError

    if target.suffix != ".nc":
        raise SweepError(f"--output {target}: write a netCDF file, NAME.nc")
    if not target.parent.is_dir():
        raise SweepError(f"--output {target}: there is no folder {target.parent}")
    for path in (target, figure):
        if path.exists() and not overwrite:
            raise SweepError(f"{path} exists: give another name with -o, or --overwrite")


@contextmanager
def _progress(quiet: bool) -> "Iterator[Callable[[Progress], None] | None]":
    """A progress bar on standard error: members done, rate, time left."""
    if quiet:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.fields[members]} members"),
        BarColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=1.0, members="compiling: 0", rate="")

        def update(state: "Progress") -> None:
            failed = f", {state.failed} failed" if state.failed else ""
            bar.update(
                task,
                completed=state.fraction,
                members=f"{state.done}/{state.total}{failed}",
                rate=f"{state.done / state.elapsed:.3g}/s",
            )

        yield update
