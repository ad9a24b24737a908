"""What commands may write to, checked before anything is computed."""

import os
from pathlib import Path

from gpucrust.sweep.errors import SweepError


def check_target(target: Path) -> None:
    """Raise SweepError if a dataset cannot be written to `target`."""
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
    """Raise SweepError if one of them exists."""
    for path in paths:
        if path.exists():
            raise SweepError(f"{path} exists: give another name with -o, or --overwrite")
