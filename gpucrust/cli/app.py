"""The application, its errors, and what the commands share."""

import difflib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import gpucrust

if TYPE_CHECKING:
    import xarray as xr

ORDER = ("init", "run", "info", "plot", "report", "export", "sensitivity", "models", "masses", "doctor")
"""Commands in help: as one works, not as modules are imported."""


class _InOrder(typer.core.TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))


app = typer.Typer(
    name="gpucrust",
    cls=_InOrder,
    epilog="Documents: the folder docs, or mkdocs serve. Every command has examples: gpucrust COMMAND --help",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

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


def nearest(given: str, valid: Iterable[str]) -> str:
    """The valid name most like the one given, whatever its case."""
    names = {name.lower(): name for name in valid}
    return names[difflib.get_close_matches(given.lower(), names, n=1, cutoff=0.0)[0]]


def open_result(path: Path) -> "xr.Dataset":
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


def print_failures(ds: "xr.Dataset") -> None:
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


@app.callback(invoke_without_command=True)
def version_option(
    version: Annotated[bool, typer.Option("--version", help="show the version and stop")] = False,
) -> None:
    """Ensemble sweeps for the crusts of accreting neutron stars: where does diffusion equilibrium break, how strongly?

    A sweep file names axes: mass models, ashes, gravities, accretion rates,
    mass errors, fusion rates. Each combination is a crust. The result is a
    netCDF file.

    \b
    gpucrust init mine.toml                  a sweep file with every setting explained
    gpucrust run mine.toml                   compute it: mine.nc and mine.png
    gpucrust info mine.nc                    what came out, on one screen
    gpucrust report mine.nc                  the same with figures, as a page
    """
    if version:
        print(f"gpucrust {gpucrust.__version__}")
        raise typer.Exit
