"""The application, its errors, and what the commands share."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from gpucrust.status import Status
from gpucrust.support.cache import use_cache
from gpucrust.sweep.errors import SweepError
from gpucrust.version import __version__

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
Result = Annotated[Path, typer.Argument(help="result of a sweep (netCDF or Zarr)", show_default=False)]
Setting = Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE over the file's, as axes.g=[1e14,2e14]")]


def main() -> None:
    """Entry point of the command `gpucrust`."""
    use_cache()
    try:
        status = app(standalone_mode=False)
    except typer.Abort:
        raise SystemExit(130) from None
    except (ValueError, OSError, MemoryError) as error:
        _fail(sentence(error), 2)
    except Exception as error:
        if hasattr(error, "exit_status"):  # a run that was stopped
            _fail(str(error), error.exit_status)
        # a wrong option or argument; the class is typer's or click's, by version
        if not hasattr(error, "format_message"):
            raise
        message = error.format_message()
        if not message:  # no command was given, and the help has been shown
            raise SystemExit(2) from None
        _fail(message, 2)
    except KeyboardInterrupt:
        _fail("interrupted", 130)
    raise SystemExit(status if isinstance(status, int) else 0)


def _fail(message: str, status: int) -> NoReturn:
    """One line on standard error, whatever characters names in it have."""
    line = " ".join(message.split())
    print("gpucrust: " + "".join(c if c.isprintable() else repr(c)[1:-1] for c in line), file=sys.stderr)
    raise SystemExit(status) from None


def sentence(error: Exception) -> str:
    """What went wrong, in one line."""
    if isinstance(error, MemoryError):
        return "out of memory: take fewer members, or raise stepper.dlnP"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def checked_result(path: Path) -> "xr.Dataset":
    """A result of a sweep, netCDF or Zarr, whose variables are read when they are used. Raises SweepError if not."""
    from gpucrust.results.files import open_result

    if not path.exists():
        raise SweepError(f"{path}: there is no such file")
    try:
        ds = open_result(path)
    except (OSError, ValueError) as error:
        raise SweepError(f"{path}: not a netCDF file or Zarr store that can be read") from error
    if "gpucrust" not in ds.attrs.get("source", ""):
        raise SweepError(f"{path}: not a result of gpucrust")
    if "status" not in ds:
        raise SweepError(f"{path}: derivatives of a sweep, by `gpucrust sensitivity`; this takes what `run` writes")
    return ds


def print_failures(ds: "xr.Dataset") -> None:
    """A table of members by how they ended, unless all ended plainly."""
    from rich.console import Console
    from rich.table import Table

    from gpucrust.results.summary import count_statuses

    counts = count_statuses(ds)
    if counts[Status.OK] == ds.sizes["member"]:
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
    gpucrust init mine.toml     a sweep file with every setting explained
    gpucrust run mine.toml      compute it: mine.nc and mine.png
    gpucrust info mine.nc       what came out, on one screen
    gpucrust report mine.nc     the same with figures, as a page
    """
    if version:
        print(f"gpucrust {__version__}")
        raise typer.Exit
