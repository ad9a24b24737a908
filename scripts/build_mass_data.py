"""Write gpucrust/masses/data/masses.npz from a folder of CSV tables (columns Z,N,mass_excess; first line: whose).

    python scripts/build_mass_data.py ../shared/data

The same tables give the same bytes. FRDM(2012) may not be redistributed and is not among them.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from gpucrust.masses.tables import MassTable, read_csv, rows_checksum

FILES = {
    "AME2016": "ame2016.csv",
    "AME2020": "ame2020.csv",
    "FRDM95": "frdm1995.csv",
    "HFB21": "hfb21.csv",
    "HFB24": "hfb24.csv",
    "HFB26": "hfb26.csv",
    "BSkG3": "bskg3.csv",
    "BSkG4": "bskg4.csv",
}
TARGET = Path(__file__).parents[1] / "gpucrust" / "masses" / "data" / "masses.npz"


def decimals_needed(mass_excess: np.ndarray) -> int:
    """The fewest decimals that lose nothing."""
    return next(d for d in range(10) if np.array_equal(np.rint(mass_excess * 10**d) / 10**d, mass_excess))


def packed(table: MassTable) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """The arrays to store, masses as whole numbers of the last decimal, and what is to be said of them."""
    decimals = decimals_needed(table.mass_excess)
    arrays = {
        f"{table.name}.Z": table.Z.astype("u1"),
        f"{table.name}.N": table.N.astype("<u2"),
        f"{table.name}.units": np.rint(table.mass_excess * 10**decimals).astype("<i4"),
    }
    about = {
        "citation": table.citation,
        "decimals": decimals,
        "count": len(table),
        "sha256": rows_checksum(table, decimals),
    }
    return arrays, about


def build(folder: Path, target: Path) -> None:
    """Read every table of FILES from the folder and write the packaged file."""
    arrays: dict[str, np.ndarray] = {}
    provenance = {}
    for name, file in FILES.items():
        table_arrays, provenance[name] = packed(read_csv(folder / file, name))
        arrays |= table_arrays
    target.parent.mkdir(parents=True, exist_ok=True)
    # numpy dates every member of the archive 1980: the bytes depend on the contents alone
    np.savez_compressed(target, provenance=np.array(json.dumps(provenance)), **arrays)  # type: ignore[arg-type]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the CSV tables are")
    parser.add_argument("--target", type=Path, default=TARGET)
    arguments = parser.parse_args()
    build(arguments.folder, arguments.target)
