"""Mass tables: those packaged with gpucrust, the user's own in CSV, and FRDM(2012) in the user's data directory.

A table lists atomic mass excesses Delta(Z, N) in MeV. The packaged file is written by scripts/build_mass_data.py;
each table in it carries its citation, its number of decimals and a checksum of its rows.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import platformdirs

from gpucrust.support.textfile import read_text

COLUMNS = ("Z", "N", "mass_excess")
"""Columns of a table in CSV; masses are in MeV."""

LAST_Z, LAST_N = 150, 350
"""Largest charge and neutron number of a table: no published one goes further, so a larger number is a typing error."""

IMPLAUSIBLE = 50.0
"""Median distance from AME2016 or FRDM95 from which on a table is refused, MeV: it is not one of mass excesses in MeV.
The theories in use are within 1 MeV of AME2016."""

SAME_IN_KEV = {"AME2016": 10.0, "FRDM95": 30.0}
"""Tables that a user's is compared with, in this order, and the median distance from each (MeV) below which masses that
are taken for keV agree with it: the theories in use are within 1 MeV of AME2016, and within 26 MeV of FRDM95."""

FRDM2012_FILE = "frdm2012.csv"
"""Name of the installed table in the user's data directory."""

FRDM2012_COUNT = 9318
"""Number of nuclides in FRDM(2012)."""

FRDM2012_SHA256 = "585f929aa9bf159b3986daa739cba02e755f9b1f1c281160ee764cf711410820"
"""Checksum of FRDM(2012) with two decimals, as `rows_checksum` computes it."""

FRDM2012_CITATION = (
    "FRDM(2012): P. Moeller, A. J. Sierk, T. Ichikawa, H. Sagawa, "
    "At. Data Nucl. Data Tables 109-110 (2016) 1, doi:10.1016/j.adt.2015.10.002"
)
"""Publication of FRDM(2012)."""

INSTALL_COMMAND = "gpucrust masses install frdm2012"
"""What a user types to install FRDM(2012); errors name it."""


class MassTableError(ValueError):
    """A mass table that cannot be used; the message is one line: which file, where in it, and what is wrong."""


class MissingTableError(MassTableError):
    """A table that is not on this machine; the message holds the command that installs it."""


@dataclass(frozen=True, eq=False)
class MassTable:
    """Atomic mass excesses of n nuclides, sorted by (Z, N). The arrays are read-only."""

    name: str
    """Name of the table, such as FRDM95."""
    Z: np.ndarray
    """(n,) Charge numbers, int64."""
    N: np.ndarray
    """(n,) Neutron numbers, int64."""
    mass_excess: np.ndarray
    """(n,) Atomic mass excesses, MeV."""
    citation: str
    """Publication of the table."""

    @classmethod
    def from_rows(cls, name: str, rows: Iterable[tuple[int, int, float]], citation: str) -> "MassTable":
        """The table of rows (Z, N, mass excess in MeV), which may come in any order."""
        Z, N, mass_excess = zip(*sorted(rows), strict=True)
        return cls(name, _frozen(Z, np.int64), _frozen(N, np.int64), _frozen(mass_excess, np.float64), citation)

    def __len__(self) -> int:
        return len(self.Z)


def _frozen(values: Any, dtype: type) -> np.ndarray:
    array: np.ndarray = np.array(values, dtype)
    array.setflags(write=False)
    return array


def rows_checksum(table: MassTable, decimals: int) -> str:
    """SHA-256 of the table's rows `Z,N,mass_excess`, with so many decimals, sorted, each ended by a newline."""
    # adding 0.0 turns a rounded -0.0 into 0.0
    masses = (round(float(m), decimals) + 0.0 for m in table.mass_excess)
    text = "".join(f"{Z},{N},{m:.{decimals}f}\n" for Z, N, m in zip(table.Z, table.N, masses, strict=True))
    return hashlib.sha256(text.encode()).hexdigest()


# --- the packaged tables


@cache
def _packaged() -> tuple[Mapping[str, np.ndarray], dict[str, dict[str, Any]]]:
    with as_file(files("gpucrust.masses") / "data" / "masses.npz") as path, np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return arrays, json.loads(str(arrays["provenance"]))


def packaged_provenance() -> Mapping[str, Mapping[str, Any]]:
    """What is known of each packaged table, by name: its citation, decimals, count and sha256 of its rows."""
    return MappingProxyType(_packaged()[1])


@cache
def packaged_table(name: str) -> MassTable:
    """A table that comes with gpucrust (a key of `packaged_provenance`), to the last published digit."""
    arrays, provenance = _packaged()
    about = provenance[name]
    # whole numbers over a power of ten: the same float64 as reading the decimal figure
    mass_excess = arrays[f"{name}.units"] / 10 ** about["decimals"]
    Z, N = arrays[f"{name}.Z"], arrays[f"{name}.N"]
    return MassTable(
        name, _frozen(Z, np.int64), _frozen(N, np.int64), _frozen(mass_excess, np.float64), about["citation"]
    )


# --- tables in CSV


def read_csv(path: Path, name: str, citation: str | None = None) -> MassTable:
    """Read a CSV table with the columns Z, N, mass_excess (MeV); others are ignored.

    Lines that begin with # are comments; the citation, where none is given, is the first of them. Raises
    MassTableError for anything but a sound table. Whether its numbers are plausible `read_user_table` asks.
    """
    try:
        lines = read_text(path).splitlines()
    except ValueError as error:
        raise MassTableError(f"{path}: {error}") from None
    numbered = [(i, line) for i, line in enumerate(lines, 1) if line.strip() and not line.lstrip().startswith("#")]
    if not numbered:
        raise MassTableError(f"{path}: the file is empty")
    header = [column.strip() for column in numbered[0][1].split(",")]
    for column in COLUMNS:
        if column not in header:
            raise MassTableError(f"{path}, line {numbered[0][0]}: no column {column}; needed: {','.join(COLUMNS)}")
    if len(numbered) == 1:
        raise MassTableError(f"{path}: no masses after the header")
    where = [header.index(column) for column in COLUMNS]

    masses: dict[tuple[int, int], float] = {}
    for number, line in numbered[1:]:
        fields = line.split(",")
        if len(fields) != len(header):
            raise MassTableError(f"{path}, line {number}: {len(fields)} values where the header has {len(header)}")
        Z, N, mass_excess = _read_row(f"{path}, line {number}", *(fields[i].strip() for i in where))
        if (Z, N) in masses:
            raise MassTableError(f"{path}, line {number}: Z = {Z}, N = {N} is there twice")
        masses[Z, N] = mass_excess
    if citation is None:
        citation = next((line.lstrip("# ").strip() for line in lines if line.startswith("#")), str(path))
    return MassTable.from_rows(name, ((Z, N, m) for (Z, N), m in masses.items()), citation)


def _read_row(where: str, *fields: str) -> tuple[int, int, float]:
    numbers = []
    for column, field in zip(COLUMNS, fields, strict=True):
        try:
            numbers.append(float(field))
        except ValueError:
            raise MassTableError(f"{where}: {column} = '{field}' is not a number") from None
        if not np.isfinite(numbers[-1]):
            raise MassTableError(f"{where}: {column} = {field} is not finite")
    for column, field, number, last in zip(COLUMNS, fields, numbers, (LAST_Z, LAST_N), strict=False):
        if number != int(number):
            raise MassTableError(f"{where}: {column} = {field} is not a whole number")
        if number < 0:
            raise MassTableError(f"{where}: {column} = {field} is negative")
        if number > last:
            raise MassTableError(f"{where}: {column} = {field} is off the chart, which ends at {column} = {last}")
    return int(numbers[0]), int(numbers[1]), numbers[2]


def read_user_table(path: Path, name: str) -> MassTable:
    """Read a user's CSV table (see `read_csv`) and refuse one that cannot be atomic mass excesses in MeV.

    It is held against AME2016 where both have a mass, and if they share none against FRDM95, which goes to the drip
    lines: keV, and binding energies, are hundreds of MeV off.
    """
    table = read_csv(path, name)
    for against in SAME_IN_KEV:
        ours, known = common_masses(table, packaged_table(against))
        if len(ours):
            break
    if len(ours) == 0 or np.median(np.abs(ours - known)) < IMPLAUSIBLE:
        return table
    if np.median(np.abs(ours / 1000 - known)) < SAME_IN_KEV[against]:
        raise MassTableError(f"{path}: the masses are in keV; MeV are needed")
    distance = np.median(np.abs(ours - known))
    raise MassTableError(
        f"{path}: half the masses are more than {distance:.0f} MeV from {against}; "
        "atomic mass excesses in MeV are needed"
    )


def common_masses(first: MassTable, second: MassTable) -> tuple[np.ndarray, np.ndarray]:
    """Mass excesses of the m nuclides that two tables share, (m,) each, MeV."""
    key = LAST_N + 1
    _, in_first, in_second = np.intersect1d(
        first.Z * key + first.N, second.Z * key + second.N, assume_unique=True, return_indices=True
    )
    return first.mass_excess[in_first], second.mass_excess[in_second]


# --- FRDM(2012), which may be used but not passed on


def user_data_directory() -> Path:
    """Where `gpucrust masses install` puts tables: GPUCRUST_DATA if that is set, else the platform's place."""
    override = os.environ.get("GPUCRUST_DATA")
    return Path(override) if override else platformdirs.user_data_path("gpucrust", appauthor=False)


def check_frdm2012(table: MassTable) -> None:
    """Raise MassTableError unless the table is FRDM(2012) as published: every nuclide, every digit."""
    if len(table) != FRDM2012_COUNT:
        raise MassTableError(f"{len(table)} nuclides where FRDM(2012) has {FRDM2012_COUNT}")
    if rows_checksum(table, decimals=2) != FRDM2012_SHA256:
        raise MassTableError("the masses differ from those of FRDM(2012) as published")


@cache
def _read_frdm2012(path: Path, modified: int) -> MassTable:
    """The installed table; `modified` (ns) makes the cache see a file that was written again."""
    table = read_csv(path, "FRDM12", FRDM2012_CITATION)
    try:
        check_frdm2012(table)
    except MassTableError as error:
        raise MassTableError(f"{path}: {error}; run: {INSTALL_COMMAND}") from None
    return table


def frdm2012_table() -> MassTable:
    """FRDM(2012) from the user's data directory, verified; MissingTableError says how to get it."""
    path = user_data_directory() / FRDM2012_FILE
    if not path.is_file():
        raise MissingTableError(f"FRDM(2012) is not installed; run: {INSTALL_COMMAND}")
    return _read_frdm2012(path, path.stat().st_mtime_ns)
