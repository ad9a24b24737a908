"""`gpucrust masses install frdm2012`: put FRDM(2012) into the user's data directory.

The table may be used by anyone but not passed on with gpucrust, so it comes from its authors' file, from RIPL-4 or
from a CSV table. Whatever the file, its contents must be the published 9318 masses, digit by digit: a misread
column, a truncated download or another edition cannot be installed.

The two fixed-column layouts were taken from programs that read those files; the parsers are tested on small
synthetic files of the same layouts. The URLs have not been tried: the project was built without a network.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pooch

from gpucrust.masses.tables import (
    COLUMNS,
    FRDM2012_CITATION,
    FRDM2012_FILE,
    MassTable,
    MassTableError,
    check_frdm2012,
    read_csv,
    user_data_directory,
)

FRDM2012_URLS = (
    "https://t2.lanl.gov/nis/molleretal/publications/ADNDT-FRDM2012-TABLE.dat",
    "https://raw.githubusercontent.com/IAEA-NDS/RIPL-4/HEAD/masses/mass-frdm12.dat",
)
"""Addresses of FRDM(2012), tried in turn: the authors' page at Los Alamos, and RIPL-4 of the IAEA."""

DOWNLOAD_TIMEOUT = 60
"""Time after which a server that does not answer is given up, s."""

RIPL_MTH = slice(33, 43)
"""Columns of the theoretical mass excess Mth in RIPL's format (2i4,1x,a2,1x,i1,4f10.3,4f8.3)."""

AUTHORS_MTH = 14
"""Place of the theoretical mass excess Mth among the words of a line of the authors' table, counted from 0."""

Row = tuple[int, int, float]
"""Z, N and mass excess (MeV) of a nuclide."""


class InstallError(ValueError):
    """The table could not be installed; the message is one line and says why."""


def install_frdm2012(source: str | Path | None = None) -> Path:
    """Install FRDM(2012) and return the path of the installed table.

    source: a file or an http(s) URL with the authors' table, RIPL's mass file or a CSV table with the columns
    Z,N,mass_excess; None tries FRDM2012_URLS in turn. The target is written whole or not at all. Raises InstallError.
    """
    if source is None:
        table = _first_that_downloads(FRDM2012_URLS)
    elif str(source).startswith(("http://", "https://")):
        table = _download(str(source))
    else:
        table = read_frdm2012(Path(source), str(source))
    return _write(table, user_data_directory() / FRDM2012_FILE)


def _first_that_downloads(urls: tuple[str, ...]) -> MassTable:
    failures = []
    for url in urls:
        try:
            return _download(url)
        except InstallError as error:
            failures.append(str(error))
    raise InstallError("; ".join(failures) + "; or give a file: --from FILE")


def _download(url: str) -> MassTable:
    pooch.get_logger().setLevel("WARNING")  # it would advise the user about hashes
    with tempfile.TemporaryDirectory() as folder:
        try:
            # no hash of the file is known: what counts, the contents, is verified after reading
            downloader = pooch.HTTPDownloader(timeout=DOWNLOAD_TIMEOUT)
            file = pooch.retrieve(url, known_hash=None, fname="table", path=folder, downloader=downloader)
        except (OSError, ValueError) as error:  # what requests raises are OSErrors
            raise InstallError(f"{url}: download failed: {' '.join(str(error).split())}") from None
        return read_frdm2012(Path(file), url)


def read_frdm2012(path: Path, where: str) -> MassTable:
    """FRDM(2012) from a file in one of the three forms, verified; `where` names it in an InstallError."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InstallError(f"{where}: cannot be read: {error.strerror}") from None
    try:
        table = _parse(text, path, where)
        check_frdm2012(table)
    except MassTableError as error:
        raise InstallError(f"{where}: {error}") from None
    return table


def _parse(text: str, path: Path, where: str) -> MassTable:
    if _is_csv(text):
        return read_csv(path, "FRDM12", FRDM2012_CITATION)
    rows = list(_ripl_rows(text, where) if _is_ripl(text) else _authors_rows(text, where))
    if not rows:
        raise InstallError(
            f"{where}: not a table of FRDM(2012): needed is ADNDT-FRDM2012-TABLE.dat, "
            f"RIPL's mass-frdm12.dat or a CSV table {','.join(COLUMNS)}"
        )
    return MassTable.from_rows("FRDM12", rows, FRDM2012_CITATION)


def _is_csv(text: str) -> bool:
    headings = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return "mass_excess" in next(headings, "")


def _is_ripl(text: str) -> bool:
    return any(line.startswith("#") and "Mexp" in line and "Mth" in line for line in text.splitlines())


def _ripl_rows(text: str, where: str) -> Iterator[Row]:
    """Rows of RIPL's mass-frdm12.dat: (2i4,1x,a2,1x,i1,4f10.3,4f8.3) = Z A s fl Mexp Err Mth Emic beta2,3,4,6.

    Mexp and Err are blank where nothing is measured, Mth where the model has nothing; so columns, not words.
    """
    for number, line in enumerate(text.splitlines(), 1):
        mass_excess = line[RIPL_MTH].strip()
        if line.startswith("#") or not mass_excess:
            continue
        try:
            Z, A = int(line[0:4]), int(line[4:8])
            yield Z, A - Z, float(mass_excess)
        except ValueError:
            raise InstallError(f"{where}, line {number}: not in RIPL's format (2i4,1x,a2,1x,i1,4f10.3)") from None


def _authors_rows(text: str, where: str) -> Iterator[Row]:
    """Rows of ADNDT-FRDM2012-TABLE.dat, three integers of width 5 and sixteen numbers of width 10:

    Z N A eps2 eps3 eps4 eps6 beta2 beta3 beta4 beta6 Es+p Emic Ebind Mth Mexp sigma_exp EFLmic MFLth.
    Blanks, where nothing is measured, come after Mth: it is the 15th word of every line. Lines that do not begin
    with Z, N and A = Z + N are headings.
    """
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not all(word.isdecimal() for word in words[:3]) or len(words) < 3:
            continue
        Z, N, A = (int(word) for word in words[:3])
        if Z + N != A:
            continue
        try:
            yield Z, N, float(words[AUTHORS_MTH])
        except (IndexError, ValueError):
            raise InstallError(f"{where}, line {number}: no mass Mth in the 15th place") from None


def _write(table: MassTable, target: Path) -> Path:
    """Write the table as CSV under another name and rename it, so that half a table cannot be left behind."""
    rows = (f"{Z},{N},{m:.2f}\n" for Z, N, m in zip(table.Z, table.N, table.mass_excess, strict=True))
    text = f"# {table.citation}\n{','.join(COLUMNS)}\n" + "".join(rows)
    unfinished = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise InstallError(f"{target}: cannot be written: {error.strerror}") from None
    return target
