"""The command line. Expected errors are one line on standard error and exit status 2."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

import gpucrust

if TYPE_CHECKING:
    import xarray as xr

    from gpucrust.ensemble import Progress

app = typer.Typer(
    name="gpucrust",
    help="Ensemble sweeps for the crusts of accreting neutron stars.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
masses_app = typer.Typer(help="Mass tables that cannot be packaged.", no_args_is_help=True)
app.add_typer(masses_app, name="masses")

SweepFile = Annotated[Path, typer.Argument(help="sweep file (TOML)", show_default=False)]
Result = Annotated[Path, typer.Argument(help="result of a sweep (netCDF)", show_default=False)]
Setting = Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE over the file's, as axes.g=[1e14,2e14]")]


def main() -> None:
    """Entry point of the command `gpucrust`."""
    try:
        status = app(standalone_mode=False)
    except typer.Abort:
        raise SystemExit(130) from None
    except (ValueError, OSError, MemoryError) as error:
        print(f"gpucrust: {_sentence(error)}", file=sys.stderr)
        raise SystemExit(2) from None
    except Exception as error:
        # a wrong option or argument; the class is typer's or click's, by version
        if not hasattr(error, "format_message"):
            raise
        print(f"gpucrust: {' '.join(error.format_message().split())}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("gpucrust: interrupted; nothing was written", file=sys.stderr)
        raise SystemExit(130) from None
    raise SystemExit(status if isinstance(status, int) else 0)


def _sentence(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "out of memory: take fewer members, or raise stepper.dlnP"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split())


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

    Example: gpucrust run sweeps/figure1.toml --set stepper.chunk=0.01
    """
    from gpucrust.config import SweepError, load_sweep

    target = output or Path(sweep.stem + ".nc")
    if device not in (None, "cpu", "gpu"):
        raise SweepError(f"--device {device}: allowed are cpu and gpu")
    chosen: Literal["cpu", "gpu"] | None = "cpu" if device == "cpu" else "gpu" if device == "gpu" else None
    checked = load_sweep(sweep, settings or [])
    figure = target.with_suffix(".png")
    _check_targets(target, figure, overwrite)

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
        _print_failures(ds)


def _check_targets(target: Path, figure: Path, overwrite: bool) -> None:
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


def _print_failures(ds: "xr.Dataset") -> None:
    """A table of members that have no result, or a remark."""
    from rich.console import Console
    from rich.table import Table

    from gpucrust.status import Status

    counts = {status: int((ds.status == int(status)).sum()) for status in Status}
    if counts[Status.OK] == ds.status.size:
        return
    table = Table("status", "members", "meaning", title="not every member ended plainly")
    for status, count in counts.items():
        if count:
            table.add_row(status.name.lower(), str(count), status.sentence)
    Console().print(table)


@app.command()
def plot(
    result: Result,
    kind: Annotated[str | None, typer.Option(help="profile, map or layers; default: what suits the result")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="figure; default: RESULT-KIND.png here")] = None,
) -> None:
    """Draw a figure of a result."""
    from gpucrust import plots
    from gpucrust.config import SweepError

    if kind not in (None, *plots.KINDS):
        raise SweepError(f"--kind {kind}: allowed are {', '.join(plots.KINDS)}")
    ds = _open(result)
    chosen = kind or plots.default_kind(ds)
    target = output or Path(f"{result.stem}-{chosen}.png")
    plots.write_figure(plots.KINDS[chosen](ds), target)
    print(f"wrote {target}")


@app.command()
def models() -> None:
    """List the mass models: what can be used, what is missing, and how far from measured masses they are."""
    from rich.console import Console
    from rich.table import Table

    from gpucrust.masses import known_models

    table = Table("model", "measured", "theory", "DZ31", "rms / MeV", "over", "", title="mass models (with AME2016)")
    for model in known_models():
        counts = [str(model.nuclides.get(origin, "")) for origin in _origins()]
        rms = [f"{model.rms:.3f}", str(model.rms_nuclides)] if model.rms is not None else ["", ""]
        table.add_row(model.name, *counts, *rms, "" if model.available else model.missing)
    Console().print(table)


def _origins() -> tuple[Any, ...]:
    from gpucrust.masses.registry import Origin

    return Origin.MEASURED, Origin.THEORY, Origin.DUFLO_ZUKER


@masses_app.command()
def install(
    table: Annotated[str, typer.Argument(help="frdm2012", show_default=False)],
    source: Annotated[str | None, typer.Option("--from", help="file or URL; default: the authors' table")] = None,
) -> None:
    """Install a mass table that cannot be packaged into your data folder (GPUCRUST_DATA overrides which)."""
    from gpucrust.masses.install import InstallError, install_frdm2012

    if table.lower() != "frdm2012":
        raise InstallError(f"masses install {table}: the only table to install is frdm2012")
    print(f"installed {install_frdm2012(source)}")


@app.command()
def info(result: Result) -> None:
    """Summarise a result: where it comes from, its axes, failures."""
    ds = _open(result)
    print(f"{ds.attrs.get('title', result.name)}\n{ds.attrs['source']}, {ds.attrs['history']}")
    print(f"device {ds.attrs['device']}, {ds.attrs['wall_time_seconds']} s")
    for name in ds.sizes:
        if name in ds.coords:
            values = ds[name].values
            few = values.size <= 8 or values.dtype.kind in "UO"
            shown = ", ".join(str(v) for v in values) if few else f"{values[0]:.4g} to {values[-1]:.4g}"
            print(f"  {name} ({values.size}): {shown} {ds[name].attrs.get('units', '')}".rstrip())
    print(f"variables: {', '.join(str(v) for v in ds.data_vars)}")
    _print_breaks(ds)
    _print_failures(ds)


def _print_breaks(ds: "xr.Dataset") -> None:
    """Where diffusion equilibrium breaks: by mass model, over all other axes."""
    from rich.console import Console
    from rich.table import Table

    from gpucrust.layers import Regime

    columns = ("mass model", "members", "with mu_e falling", "thickness out of equilibrium / m", "largest J_n/J_acc")
    table = Table(*columns, title="where diffusion equilibrium breaks")
    per_model = ds.sizes["member"] // ds.sizes["mass_model"]
    falling = ds.layer_member.values[ds.layer_regime.values == Regime.DECREASING]
    for i, model in enumerate(ds.mass_model.values):
        own = ds.isel(mass_model=i)
        count = len({m for m in falling if m // per_model == i})
        spread = [f"{float(x.min()):.3g} to {float(x.max()):.3g}" for x in (own.broken_thickness, own.max_J_ratio)]
        table.add_row(str(model), str(per_model), str(count), *spread)
    Console().print(table)


def _open(path: Path) -> "xr.Dataset":
    import xarray as xr

    from gpucrust.config import SweepError

    if not path.is_file():
        raise SweepError(f"{path}: there is no such file")
    try:
        ds = xr.load_dataset(path, engine="netcdf4")
    except (OSError, ValueError) as error:
        raise SweepError(f"{path}: not a netCDF file that can be read") from error
    if "gpucrust" not in ds.attrs.get("source", ""):
        raise SweepError(f"{path}: not a result of gpucrust")
    return ds


@app.callback(invoke_without_command=True)
def version_option(
    version: Annotated[bool, typer.Option("--version", help="show the version and stop")] = False,
) -> None:
    """Ensemble sweeps for the crusts of accreting neutron stars."""
    if version:
        print(f"gpucrust {gpucrust.__version__}")
        raise typer.Exit
