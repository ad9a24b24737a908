"""gpucrust plot, info and models."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gpucrust.cli.app import Result, app, open_result, print_failures

if TYPE_CHECKING:
    import xarray as xr


@app.command()
def info(result: Result) -> None:
    """Summarise a result: where it comes from, its axes, failures."""
    ds = open_result(result)
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
    print_failures(ds)


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
    ds = open_result(result)
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
