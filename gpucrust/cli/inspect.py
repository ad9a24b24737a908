"""gpucrust info, plot and models."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gpucrust.cli.app import Result, app, checked_result, print_failures
from gpucrust.support.nearest import nearest
from gpucrust.sweep.errors import SweepError

if TYPE_CHECKING:
    import xarray as xr
    from rich.console import Console

KINDS = ("profile", "map", "layers", "probability", "composition")
"""Kinds of figure, for shells to complete."""
LETTERS = ".v-/"
"""A regime in a strip, by the number of its `Regime`: equilibrium, decreasing, flat, steep."""
RAMP = " ▁▂▃▄▅▆▇█"
"""Shares from none to all, in a strip."""
PLAIN_RAMP = " .:-=+*%@"
"""The same for terminals without Unicode."""
COLUMNS = 56
"""Characters of a strip."""
SHOWN_LAYERS = 8
"""Rows of the table of layers, at most; it is left out if there are more than ten times as many layers."""


@app.command()
def info(result: Result) -> None:
    """Summarise a result on one screen: its axes, where equilibrium breaks, its layers, failures.

    \b
    gpucrust info figure1.nc
    """
    from rich.console import Console

    from gpucrust.results.summary import axes_of, axis_text

    ds = checked_result(result)
    console = Console(highlight=False)
    print(f"{ds.attrs.get('title', result.name)}")
    print(f"{ds.attrs['history']}; device {ds.attrs['device']}, {ds.attrs['wall_time_seconds']:.3g} s")
    single = []
    for name in axes_of(ds):
        units = ds[name].attrs.get("units", "")
        text = f"{axis_text(ds, name, few=8)} {'' if units == '1' else units}".rstrip()
        if ds.sizes[name] == 1:
            single.append(f"{name} {text}")
        else:
            print(f"  {name} ({ds.sizes[name]}): {text}")
    print("  " + "; ".join(single))
    _print_strips(ds, console)
    _print_breaks(ds, console)
    _print_layers(ds, console)
    print_failures(ds)


def _print_strips(ds: "xr.Dataset", console: "Console") -> None:
    """A line a mass model: the regime along lg P of its one member, or the share of members out of equilibrium."""
    import numpy as np

    from gpucrust.results.summary import broken_probability, first_shown, has_result, regimes_at

    first, last = first_shown(ds), float(ds.pressure[-1])
    P = np.geomspace(first, last, COLUMNS)
    names = [str(name) for name in ds.mass_model.values]
    width = max(map(len, names))
    if ds.sizes["member"] == len(names):
        letters = ["".join(LETTERS[kind] for kind in row) for row in regimes_at(ds, P)]
        rows = [row if good else "no result" for row, good in zip(letters, has_result(ds), strict=True)]
        key = ". equilibrium, v mu_e falls, - flat, / steep"
    else:
        ramp = RAMP if "utf" in console.encoding else PLAIN_RAMP
        share = broken_probability(ds, P).fillna(0).values
        rows = ["".join(ramp[int(np.ceil(x * (len(ramp) - 1)))] for x in row) for row in share]
        key = "height: share of members out of diffusion equilibrium"
    print(f"\n{'lg P':>{width}}  {np.log10(first):<{COLUMNS // 2}.2f}{np.log10(last):>{COLUMNS - COLUMNS // 2}.2f}")
    for name, row in zip(names, rows, strict=True):
        print(f"{name:>{width}}  {row}")
    print(f"{'':>{width}}  {key}\n")


def _print_breaks(ds: "xr.Dataset", console: "Console") -> None:
    """Where diffusion equilibrium breaks: by mass model, over all other axes."""
    from rich.table import Table

    from gpucrust.results.summary import by_mass_model, show_range

    columns = ("mass model", "members", "mu_e falls in", "broken / m", "largest J_n/J_acc", "heat / MeV")
    table = Table(*columns, box=None, pad_edge=False)
    for s in by_mass_model(ds):
        ranges = (show_range(x) for x in (s.thickness, s.flux, s.heat))
        table.add_row(s.mass_model, str(s.members), str(s.falling), *ranges)
    console.print(table)


def _print_layers(ds: "xr.Dataset", console: "Console") -> None:
    """The thickest layers, if the result has so few members that single layers say something."""
    import numpy as np
    from rich.table import Table

    from gpucrust.results.summary import member_label
    from gpucrust.schema import Regime

    n = ds.sizes["layer"]
    if n == 0 or n > 10 * SHOWN_LAYERS:
        return
    chosen = np.sort(np.argsort(-ds.layer_thickness.values, kind="stable")[:SHOWN_LAYERS])
    remark = f"the {SHOWN_LAYERS} thickest of {n} layers" if n > SHOWN_LAYERS else f"layers ({n})"
    table = Table("member", "regime", "lg P", "thickness / m", box=None, pad_edge=False)
    for i in chosen:
        row = ds.isel(layer=i)
        lg_P = f"{np.log10(float(row.layer_P_start)):.3f} to {np.log10(float(row.layer_P_end)):.3f}"
        label = member_label(ds, int(row.layer_member))
        table.add_row(label, Regime(int(row.layer_regime)).name.lower(), lg_P, f"{float(row.layer_thickness):.3g}")
    print(f"\n{remark}")
    console.print(table)


@app.command()
def plot(
    result: Result,
    kind: Annotated[
        str | None,
        typer.Option(
            help="profile, map, layers, probability or composition; default: what suits the result",
            autocompletion=lambda: list(KINDS),
        ),
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="figure; default: RESULT-KIND.png here")] = None,
) -> None:
    """Draw a figure of a result: PNG, PDF or SVG by the name of the output.

    \b
    profile      mu_e against pressure with its layers, as figure 1 of CS20
    map          J_n/J_acc in layers, maximum and mean, over g and accretion rate
    layers       extent and thickness of layers, a row a member
    probability  share of members out of equilibrium at each pressure
    composition  mass fractions at each pressure

    \b
    gpucrust plot figure1.nc
    gpucrust plot figure1.nc --kind layers -o layers.pdf
    """
    from gpucrust.results import plots

    if kind is not None and kind not in plots.KINDS:
        names = ", ".join(plots.KINDS)
        raise SweepError(f"--kind {kind}: did you mean {nearest(kind, plots.KINDS)}? (one of {names})")
    ds = checked_result(result)
    chosen = kind or plots.default_kind(ds)
    target = output or Path(f"{result.stem}-{chosen}.png")
    plots.write_figure(plots.KINDS[chosen](ds), target)
    print(f"wrote {target}")


@app.command()
def models() -> None:
    """List the mass models: what can be used, what is missing, and how far from measured masses they are.

    \b
    gpucrust models
    """
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
