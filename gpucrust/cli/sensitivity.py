"""gpucrust sensitivity."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gpucrust.cli.app import Setting, SweepFile, app
from gpucrust.cli.targets import check_absent, check_target
from gpucrust.support.nearest import nearest
from gpucrust.sweep.errors import SweepError

if TYPE_CHECKING:
    import xarray as xr


Of = Annotated[
    str,
    typer.Option("--of", help="outputs: total_heat, broken_thickness, max_J_ratio, layer_thickness, mu_e@1e30, ..."),
]
Wrt = Annotated[str, typer.Option("--wrt", help="masses, dz31, liquid_drop, pycno, g, mdot, neutron_eos or lattice")]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="netCDF file; default: SWEEP-sensitivity.nc here")]
Top = Annotated[int, typer.Option(min=1, help="rows of the tables")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="replace an output that exists")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="no tables")]


@app.command()
def sensitivity(
    sweep: SweepFile,
    of: Of = "total_heat,broken_thickness,max_J_ratio",
    wrt: Wrt = "masses",
    output: Output = None,
    settings: Setting = None,
    top: Top = 10,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Derivatives of a sweep's results: which masses, or which parameters, decide where equilibrium breaks.

    \b
    gpucrust sensitivity sweeps/sensitivity.toml
    gpucrust sensitivity mine.toml --of total_heat,mu_e@1e31 -o mine-31.nc
    gpucrust sensitivity mine.toml --wrt dz31 --set axes.mass_model=DZ31
    """
    from gpucrust.sweep.config import load_sweep

    target = output or Path(f"{sweep.stem}-sensitivity.nc")
    checked = load_sweep(sweep, settings or [])
    if target.suffix != ".nc":
        raise SweepError(f"--output {target}: write a netCDF file, NAME.nc")
    check_target(target)
    if not overwrite:
        check_absent(target, target.with_suffix(".png"))

    from gpucrust.sensitivity.run import run_sensitivity
    from gpucrust.sweep.plan import make_plan

    _check_family(wrt)
    ds = run_sensitivity(make_plan(checked, sweep.parent), of, wrt, sweep.parent)
    wrote = _write(ds, target, with_chart=wrt == "masses")
    if not quiet:
        _print_rankings(ds, wrt, top)
        print(f"wrote {' and '.join(map(str, wrote))}")


def _check_family(wrt: str) -> None:
    from gpucrust.sensitivity.families import FAMILIES

    if wrt not in FAMILIES:
        raise SweepError(f"--wrt {wrt}: allowed are {', '.join(FAMILIES)}; did you mean {nearest(wrt, FAMILIES)}?")


def _write(ds: "xr.Dataset", target: Path, with_chart: bool) -> list[Path]:
    """Write the dataset, and the chart of masses if it is one of masses; returns the files."""
    from gpucrust.results.files import write_netcdf

    write_netcdf(ds, target)
    if not with_chart:
        return [target]
    from gpucrust.results.plots import write_figure
    from gpucrust.sensitivity.chart import plot_chart
    from gpucrust.sensitivity.rankings import most_telling

    figure = target.with_suffix(".png")
    write_figure(plot_chart(ds, most_telling(ds)), figure)
    return [target, figure]


def _print_rankings(ds: "xr.Dataset", wrt: str, top: int) -> None:
    """A table an output, and what the derivatives are worth."""
    from rich.console import Console
    from rich.table import Table

    from gpucrust.sensitivity.rankings import ranking

    console = Console()
    masses = wrt == "masses"
    n = ds.sizes["member"]
    for k in range(ds.sizes["output"]):
        unit = str(ds.output_units.values[k])
        unit = "" if unit == "1" else f" {unit}"
        values = ds.value.values[:, k]
        title = f"{ds.output.values[k]} = {values[0]:.5g}{unit}"
        if n > 1:
            title = f"{ds.output.values[k]}, {n} members from {values.min():.5g} to {values.max():.5g}{unit}"
        if masses:
            title += f", +- {float((ds.linear_std.values[:, k] ** 2).mean() ** 0.5):.2g} by mass errors"
        columns = ("nuclide", "derivative / MeV", "sigma / MeV", "product", "margin / MeV")
        table = Table(*(columns if masses else ("parameter", "derivative", "value", "product")), title=title)
        for row in ranking(ds, k, top):
            cells = [row.name, f"{row.derivative:.4g}", f"{row.sigma:.3g}", f"{row.product:.3g}"]
            if masses:
                beyond = " *" if row.margin < row.sigma else ""
                cells.append("" if row.margin == float("inf") else f"{row.margin:.3g}{beyond}")
            table.add_row(*cells)
        console.print(table)
    flagged = int(ds.margin_flag.sum())
    print(
        f"{flagged} of {n} members lie within a mass error of another sequence of reactions: derivatives hold for "
        + ("shifts smaller than the margin (*: the error is larger)" if masses else "small changes only")
    )
