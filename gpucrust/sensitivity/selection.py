"""Choosing outputs by name: `total_heat`, `mu_e@1e30`, `layer_thickness`, ...; a place among all of a crust's."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gpucrust.engine.slide.record import Move
from gpucrust.schema import Regime
from gpucrust.sensitivity.outputs import MAX_LAYERS, Outputs, Structure
from gpucrust.sensitivity.tape import Record, nuclide_label, reaction_label
from gpucrust.support.nearest import nearest
from gpucrust.sweep.config import SweepError

SCALARS = {"total_heat": "MeV", "broken_thickness": "m", "max_J_ratio": "1"}
PROFILES = {
    "mu_e": "MeV",
    "mu_n": "MeV",
    "rho": "g cm-3",
    "Y_e": "1",
    "X_n": "1",
    "heat": "MeV",
    "equilibrium_ratio": "1",
    "J_ratio": "1",
}
LAYERS = {"layer_P_start": "dyne cm-2", "layer_P_end": "dyne cm-2", "layer_thickness": "m"}
THRESHOLDS = {"threshold_pressure": "dyne cm-2"}
ALIASES = {"R": "equilibrium_ratio"}
HELP = (
    f"{', '.join((*SCALARS, *LAYERS, *THRESHOLDS))}, "
    f"or a profile at a pressure, such as mu_e@1e30 ({', '.join(PROFILES)})"
)


class Selection(NamedTuple):
    """Outputs of an ensemble."""

    names: list[str]
    units: list[str]
    places: np.ndarray  # (members, outputs) places in `sensitivity.flat`; -1 where a member has none
    what: np.ndarray  # (members, outputs) which layer or threshold it is; empty elsewhere


def check_names(text: str, pressures: np.ndarray) -> list[tuple[str, float]]:
    """Names and pressures in dyn cm^-2 (NaN for none) of a list with commas. Raises SweepError."""
    wanted = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        name, at, where = word.partition("@")
        name = ALIASES.get(name, name)
        if not at:
            if name in PROFILES:
                raise SweepError(f"--of {word}: say at which pressure, such as {word}@1e30 (dyn cm^-2)")
            if name not in SCALARS | LAYERS | THRESHOLDS:
                meant = nearest(name, [*SCALARS, *LAYERS, *THRESHOLDS, *PROFILES])
                raise SweepError(f"--of {word}: allowed are {HELP}; did you mean {meant}?")
            wanted.append((name, np.nan))
            continue
        if name not in PROFILES:
            meant = nearest(name, PROFILES)
            raise SweepError(f"--of {word}: allowed at a pressure are {', '.join(PROFILES)}; did you mean {meant}?")
        try:
            P = float(where)
        except ValueError:
            raise SweepError(f"--of {word}: '{where}' is no pressure in dyn cm^-2") from None
        if not pressures[0] <= P <= pressures[-1]:
            raise SweepError(f"--of {word}: the sweep's pressures go from {pressures[0]:.3g} to {pressures[-1]:.3g}")
        wanted.append((name, P))
    if not wanted:
        raise SweepError(f"--of: name at least one output: {HELP}")
    return wanted


def _starts(n_pressures: int, n_steps: int) -> dict[str, int]:
    """Where each of Outputs begins in `flat`."""
    sizes = [n_pressures] * 8 + [n_steps] + [MAX_LAYERS] * 3 + [1] * 3
    return dict(zip(Outputs._fields, np.concatenate([[0], np.cumsum(sizes)[:-1]]).tolist(), strict=True))


def thresholds(record: Record) -> list[tuple[int, str]]:
    """Steps of a crust that end at a threshold or at the end of a stock, and what happens there."""
    r = Record(*(np.asarray(x) for x in record))
    found = []
    for s in np.flatnonzero((r.amount >= 0) & ((r.move == Move.EVENT) | (r.move == Move.STOCK))):
        if r.move[s] == Move.EVENT:
            found.append((int(s), reaction_label(r.event[s])))
        else:
            stock = "neutrons" if r.limit[s] < 0 else nuclide_label(r.nuclide[s, r.limit[s]])
            found.append((int(s), f"end of {stock}"))
    return found


def select(
    wanted: Sequence[tuple[str, float]],
    pressures: np.ndarray,
    records: Sequence[Record],
    structures: Sequence[Structure],
    n_steps: int,
) -> Selection:
    """Places of outputs; n_steps: padded length of the records. Layers and thresholds count from the surface."""
    start = _starts(len(pressures), n_steps)
    names: list[str] = []
    units: list[str] = []
    columns: list[list[int]] = []
    what: list[list[str]] = []

    def put(name: str, unit: str, places: list[int], labels: list[str]) -> None:
        names.append(name)
        units.append(unit)
        columns.append(places)
        what.append(labels)

    everyone = range(len(records))
    for name, P in wanted:
        if name in SCALARS:
            put(name, SCALARS[name], [start[name]] * len(records), [""] * len(records))
        elif name in PROFILES:
            nearest = int(np.argmin(np.abs(np.log(pressures / P))))
            label = f"{name}@{pressures[nearest]:.4g}"
            put(label, PROFILES[name], [start[name] + nearest] * len(records), [""] * len(records))
        else:
            rows = [_rows(name, records[m], structures[m]) for m in everyone]
            for k in range(max(map(len, rows))):
                has = [k < len(row) for row in rows]
                places = [start[name] + rows[m][k][0] if has[m] else -1 for m in everyone]
                labels = [rows[m][k][1] if has[m] else "" for m in everyone]
                put(f"{name}[{k}]", (LAYERS | THRESHOLDS)[name], places, labels)
    return Selection(names, units, np.array(columns).T.reshape(len(records), -1), np.array(what, object).T)


def _rows(name: str, record: Record, structure: Structure) -> list[tuple[int, str]]:
    if name in THRESHOLDS:
        return thresholds(record)
    regimes = np.asarray(structure.layer_regime)
    return [(int(k), Regime(int(regimes[k])).name.lower()) for k in np.flatnonzero(regimes != Regime.EQUILIBRIUM)]
