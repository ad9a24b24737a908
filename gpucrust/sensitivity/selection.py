"""Choosing outputs by name: `total_heat`, `mu_e@1e30`, `layer_thickness`, ...; a place among all of a crust's."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gpucrust.engine.slide.record import NEUTRONS, Move
from gpucrust.schema import Regime
from gpucrust.sensitivity.labels import nuclide_label, reaction_label
from gpucrust.sensitivity.outputs import Outputs
from gpucrust.sensitivity.structure import MAX_LAYERS, Structure
from gpucrust.sensitivity.tape import NONE, PADDING, Event, Tape
from gpucrust.support.nearest import nearest
from gpucrust.sweep.errors import SweepError

SCALARS = {"total_heat": "MeV", "broken_thickness": "m", "max_J_ratio": "1"}
"""Outputs that are one number a crust, and their units."""
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
"""Outputs at every pressure of the grid, and their units."""
LAYERS = {"layer_P_start": "dyne cm-2", "layer_P_end": "dyne cm-2", "layer_thickness": "m"}
"""Outputs of every layer out of equilibrium, and their units."""
THRESHOLDS = {"threshold_pressure": "dyne cm-2"}
"""Outputs after every step, and their units."""
ALIASES = {"R": "equilibrium_ratio"}
"""Other names of outputs."""
HELP = (
    f"{', '.join((*SCALARS, *LAYERS, *THRESHOLDS))}, "
    f"or a profile at a pressure, such as mu_e@1e30 ({', '.join(PROFILES)})"
)
"""What may be asked for, in a sentence."""


class Wanted(NamedTuple):
    """An output that is asked for."""

    name: str
    """Name of one of Outputs."""
    P: float = np.nan
    """Pressure of a profile, dyn cm^-2; not a number for what is no profile."""


class Item(NamedTuple):
    """One of a crust's layers or thresholds."""

    number: int
    """Place among what Outputs has of its kind."""
    label: str
    """What it is: a regime, a reaction, the end of a stock."""


class Column(NamedTuple):
    """One output of all members."""

    name: str
    """Its name, with the pressure or the number of the layer or threshold."""
    units: str
    """Its units, in the notation of UDUNITS."""
    places: list[int]
    """Place in `derivatives.flat`, by member; NONE where a member has none."""
    what: list[str]
    """Which layer or threshold it is, by member; empty for other outputs."""


class Selection(NamedTuple):
    """Outputs of an ensemble."""

    names: list[str]
    """(outputs,) name of each."""
    units: list[str]
    """(outputs,) units of each, in the notation of UDUNITS."""
    places: np.ndarray
    """(members, outputs) places in `derivatives.flat`; NONE where a member has none."""
    what: np.ndarray
    """(members, outputs) which layer or threshold it is; empty elsewhere."""


def check_names(text: str, pressures: np.ndarray) -> list[Wanted]:
    """The outputs of a list with commas. Raises SweepError, one line."""
    wanted = [_check_name(word, pressures) for part in text.split(",") if (word := part.strip())]
    if not wanted:
        raise SweepError(f"--of: name at least one output: {HELP}")
    return wanted


def _check_name(word: str, pressures: np.ndarray) -> Wanted:
    """One output, of a name and perhaps a pressure."""
    name, at, where = word.partition("@")
    name = ALIASES.get(name, name)
    if at and name not in PROFILES:
        meant = nearest(name, PROFILES)
        raise SweepError(f"--of {word}: allowed at a pressure are {', '.join(PROFILES)}; did you mean {meant}?")
    if at:
        return Wanted(name, _check_pressure(word, where, pressures))
    if name in PROFILES:
        raise SweepError(f"--of {word}: say at which pressure, such as {word}@1e30 (dyn cm^-2)")
    if name not in SCALARS | LAYERS | THRESHOLDS:
        meant = nearest(name, [*SCALARS, *LAYERS, *THRESHOLDS, *PROFILES])
        raise SweepError(f"--of {word}: allowed are {HELP}; did you mean {meant}?")
    return Wanted(name)


def _check_pressure(word: str, where: str, pressures: np.ndarray) -> float:
    """The pressure of a profile, dyn cm^-2."""
    try:
        P = float(where)
    except ValueError:
        raise SweepError(f"--of {word}: '{where}' is no pressure in dyn cm^-2") from None
    if not pressures[0] <= P <= pressures[-1]:
        raise SweepError(f"--of {word}: the sweep's pressures go from {pressures[0]:.3g} to {pressures[-1]:.3g}")
    return P


def starts_in_flat(n_pressures: int, n_steps: int) -> dict[str, int]:
    """Where each of Outputs begins in `derivatives.flat`; n_steps: padded length of the tapes."""
    sizes = {
        **dict.fromkeys(PROFILES, n_pressures),
        **dict.fromkeys(THRESHOLDS, n_steps),
        **dict.fromkeys(LAYERS, MAX_LAYERS),
        **dict.fromkeys(SCALARS, 1),
    }
    ends = np.cumsum([sizes[name] for name in Outputs._fields]).tolist()
    return dict(zip(Outputs._fields, [0, *ends[:-1]], strict=True))


def thresholds(tape: Tape) -> list[Item]:
    """Steps of a crust that end at a threshold or at the end of a stock, and what happens there."""
    found = []
    for s in np.flatnonzero(tape.amount != PADDING).tolist():
        if tape.move[s] == Move.EVENT:
            found.append(Item(s, reaction_label(Event(*(x[s] for x in tape.event)))))
        elif tape.move[s] == Move.STOCK:
            of_neutrons = tape.limit[s] == NEUTRONS
            stock = "neutrons" if of_neutrons else nuclide_label(tape.nuclide[s, tape.limit[s]])
            found.append(Item(s, f"end of {stock}"))
    return found


def layers_of(structure: Structure) -> list[Item]:
    """Layers of a crust that are out of equilibrium, and their regimes."""
    regimes = np.asarray(structure.layers.regime)
    return [Item(int(k), Regime(int(regimes[k])).name.lower()) for k in np.flatnonzero(regimes != Regime.EQUILIBRIUM)]


def select(
    wanted: Sequence[Wanted],
    pressures: np.ndarray,
    tapes: Sequence[Tape],
    structures: Sequence[Structure],
    n_steps: int,
) -> Selection:
    """Places of outputs; n_steps: padded length of the tapes. Layers and thresholds count from the surface."""
    start, n = starts_in_flat(len(pressures), n_steps), len(tapes)
    columns: list[Column] = []
    for name, P in wanted:
        if name in SCALARS:
            columns.append(Column(name, SCALARS[name], [start[name]] * n, [""] * n))
        elif name in PROFILES:
            at = int(np.argmin(np.abs(np.log(pressures / P))))
            columns.append(Column(f"{name}@{pressures[at]:.4g}", PROFILES[name], [start[name] + at] * n, [""] * n))
        elif name in LAYERS:
            columns += _numbered(name, LAYERS[name], start[name], [layers_of(x) for x in structures])
        else:
            columns += _numbered(name, THRESHOLDS[name], start[name], [thresholds(x) for x in tapes])
    if not columns:
        raise SweepError(f"--of: no member of this sweep has {', '.join(name for name, _ in wanted)}")
    names, units, places, what = map(list, zip(*columns, strict=True))
    return Selection(names, units, np.array(places).T, np.array(what, object).T)


def _numbered(name: str, units: str, start: int, items: Sequence[Sequence[Item]]) -> list[Column]:
    """Columns of the first, second, ... item of every member, as many as the member with most has."""
    columns = []
    for k in range(max(map(len, items))):
        own = [of_member[k] if k < len(of_member) else None for of_member in items]
        places = [NONE if item is None else start + item.number for item in own]
        columns.append(Column(f"{name}[{k}]", units, places, ["" if item is None else item.label for item in own]))
    return columns
