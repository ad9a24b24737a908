"""gpucrust run."""

import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gpucrust.cli.app import Setting, SweepFile, app, checked_result
from gpucrust.cli.dry_run import tell_costs
from gpucrust.cli.progress import Reporting, reporting
from gpucrust.cli.stopping import Stop, saying_how_to_go_on
from gpucrust.cli.targets import check_absent, check_target
from gpucrust.sweep.errors import SweepError

if TYPE_CHECKING:
    import xarray as xr

    from gpucrust.jobs.progress import Standing
    from gpucrust.sweep.plan import Plan

MOST_DRAWN = 10_000
"""Members up to which a result gets a figure of its own accord."""

Output = Annotated[Path | None, typer.Option("-o", "--output", help="NAME.nc or NAME.zarr; default: SWEEP.nc here")]
DeviceName = Annotated[str | None, typer.Option(help="cpu or gpu; default: what JAX prefers")]
Resume = Annotated[bool, typer.Option("--resume", help="go on where a run to this output stopped")]
Workers = Annotated[int | None, typer.Option(min=1, help="processes on this machine (needs Dask)")]
Scheduler = Annotated[str | None, typer.Option(help="address of a Dask scheduler, as tcp://HOST:PORT")]
SaveEvery = Annotated[int | None, typer.Option(min=1, help="evolutions saved at a time; default: by the sweep's size")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="say what would be computed, what it costs, stop")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="replace an output that exists")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="no progress, no summary")]
JsonLines = Annotated[bool, typer.Option("--json", help="progress and summary as lines of JSON")]


@dataclass(frozen=True)
class Request:
    """What a run is asked to do."""

    sweep: Path
    target: Path
    settings: list[str]
    device: str | None
    resume: bool
    workers: int | None
    scheduler: str | None
    save_every: int | None
    overwrite: bool

    @property
    def figure(self) -> Path:
        """The figure beside the result."""
        return self.target.with_suffix(".png")

    @property
    def on(self) -> Literal["cpu", "gpu"] | None:
        """The device that is asked for; None leaves the choice to JAX."""
        return "cpu" if self.device == "cpu" else "gpu" if self.device == "gpu" else None

    @property
    def here(self) -> Literal["cpu", "gpu"] | None:
        """What this process itself computes on, while others may compute on the device that is asked for."""
        return None if self.workers or self.scheduler else self.on

    @property
    def command_to_resume(self) -> list[str]:
        """The command that goes on where this run stops."""
        command = ["gpucrust", "run", str(self.sweep), "-o", str(self.target)]
        command += [word for setting in self.settings for word in ("--set", setting)]
        given = {"--device": self.device, "--workers": self.workers, "--scheduler": self.scheduler}
        command += [word for name, value in given.items() if value is not None for word in (name, str(value))]
        return [*command, "--resume", *(["--overwrite"] if self.overwrite else [])]


@app.command()
def run(
    sweep: SweepFile,
    output: Output = None,
    settings: Setting = None,
    device: DeviceName = None,
    resume: Resume = False,
    workers: Workers = None,
    scheduler: Scheduler = None,
    save_every: SaveEvery = None,
    dry_run: DryRun = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json_lines: JsonLines = False,
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
    target = output or Path(sweep.stem + ".nc")
    request = Request(sweep, target, settings or [], device, resume, workers, scheduler, save_every, overwrite)
    plan, report = plan_of(request), reporting(quiet, json_lines)
    for left_out in plan.left_out:
        report.note(left_out)
    if not _only_told(plan, request, dry_run, report) and not _finished_before(plan, request, report):
        _compute(plan, request, report)


def plan_of(request: Request) -> "Plan":
    """The plan of a sweep file; raises SweepError for what cannot be done, before anything is computed."""
    from gpucrust.sweep.config import load_sweep

    if request.device not in (None, "cpu", "gpu"):
        raise SweepError(f"--device {request.device}: allowed are cpu and gpu")
    if request.workers and request.scheduler:
        raise SweepError("--workers starts processes here, --scheduler uses those of a cluster: give one of them")
    checked = load_sweep(request.sweep, request.settings)
    check_target(request.target)
    if not (request.overwrite or request.resume):
        check_absent(request.target, request.figure)

    from gpucrust.sweep.plan import make_plan

    return make_plan(checked, request.sweep.parent)


def _only_told(plan: "Plan", request: Request, dry_run: bool, report: Reporting) -> bool:
    """Tell what a run costs, if that is all that was asked for; raises SweepError without the device asked for."""
    from gpucrust.jobs.devices import on_device
    from gpucrust.sweep.plan import make_portions

    with on_device(request.here):
        if dry_run:
            tell_costs(plan, make_portions(plan, request.save_every), request.target, request.workers or 1, report)
    return dry_run


def _finished_before(plan: "Plan", request: Request, report: Reporting) -> bool:
    """Whether the result is there already; then what may be missing beside it is completed."""
    from gpucrust.jobs.to_file import clear_up, finished

    if not request.resume or request.overwrite or not finished(plan, request.target):
        return False
    clear_up(plan, request.target)
    report.note(f"{request.target} is finished")
    if not request.figure.exists():
        _draw(checked_result(request.target), request.figure)
    return True


def _compute(plan: "Plan", request: Request, report: Reporting) -> None:
    """Compute the sweep, write its result, and draw a figure of it."""
    from gpucrust.jobs.to_file import run_to_file
    from gpucrust.support.threads import meanwhile

    started = time.perf_counter()
    with (
        saying_how_to_go_on(request.target, request.command_to_resume, report),
        Stop(at_once=bool(request.workers or request.scheduler)) as stop,
        report,
        meanwhile(import_module, "gpucrust.results.plots"),
    ):

        def progress(state: "Standing") -> None:
            stop.check()
            report.standing(state)

        run_to_file(
            plan,
            request.target,
            resume=request.resume,
            overwrite=request.overwrite,
            save_every=request.save_every,
            device=request.on,
            workers=request.workers,
            scheduler=request.scheduler,
            progress=progress,
        )
    ds = checked_result(request.target)
    drawn = _draw(ds, request.figure)
    report.finished(request.target, request.figure if drawn else None, ds, time.perf_counter() - started)


def _draw(ds: "xr.Dataset", figure: Path) -> bool:
    """Draw the figure that suits a result, unless it has too many members."""
    from gpucrust.results import plots

    drawn = ds.sizes["member"] <= MOST_DRAWN
    if drawn:
        plots.write_figure(plots.KINDS[plots.default_kind(ds)](ds), figure)
    return drawn
