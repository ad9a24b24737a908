"""The record of one crust: the steps of `gpucrust.scalar.recorder`, put into slots."""

from collections.abc import Mapping, Sequence

import numpy as np

from gpucrust.constants import DYN_PER_CM2
from gpucrust.eos import NEUTRON_MATTER
from gpucrust.record import NEUTRONS, Record
from gpucrust.scalar.physics import COLUMNS, Rules
from gpucrust.scalar.recorder import MAX_BURNS, run

WIDTH = 64
"""Nuclides of a net or of a state, at most."""
SLOTS = 24
"""Nuclides of a step, at most."""


class CrustError(RuntimeError):
    """A crust that could not be followed to the last pressure."""


class _Slots:
    """Slots of nuclides that come and go."""

    def __init__(self) -> None:
        self.codes = np.zeros(SLOTS, np.int64)

    def hold(self, wanted: set[int], present: set[int]) -> None:
        """Give a slot to every code wanted; those not present may lose theirs."""
        for code in wanted - set(self.codes.tolist()):
            free = [s for s, c in enumerate(self.codes.tolist()) if c not in wanted and c not in present]
            if not free:
                raise CrustError(f"more than {SLOTS} nuclides take part in one step")
            self.codes[free[0]] = code

    def spread(self, codes: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Values by code as values by slot."""
        out = np.zeros(SLOTS)
        for code, value in zip(codes, values, strict=True):
            out[self.slot(code)] += value
        return out

    def slot(self, code: int) -> int:
        return int(np.flatnonzero(self.codes == code)[0])


def record(
    mixed: np.ndarray,
    ash: Mapping[tuple[int, int], float],
    *,
    pressures: np.ndarray,
    g_mdot: float,
    step: float = 0.01,
    pycno: bool = True,
    packet: float = 0.002,
    pycno_log10_scale: float = 0.0,
    t_weak: float = 1.0,
    neutron: Sequence[float] = NEUTRON_MATTER["mackie-baym"],
) -> Record:
    """The Record of an ash (mass fractions by (Z, N)) burnt from the first to the last pressure.

    mixed: (61, 161) masses E, MeV, NaN where there is none. pressures: dyn cm^-2; g_mdot: dyn cm^-2 s^-1; step: largest
    of ln P; packet: abundance that a packet counts for in burn times, in units of the initial nuclei. Raises
    CrustError.
    """
    codes = np.array([Z * COLUMNS + N for Z, N in sorted(ash)])
    Y = np.array([ash[nuclide] / sum(nuclide) / sum(ash.values()) for nuclide in sorted(ash)])
    masses = np.ascontiguousarray(mixed, dtype=np.float64)
    ln_scale = float(pycno_log10_scale * np.log(10))
    rules = Rules(masses, tuple(neutron), packet, Y.sum(), float(g_mdot), pycno, ln_scale, float(t_weak))
    grid = np.asarray(pressures, float) / DYN_PER_CM2
    most = 4 * len(grid) + int(np.log(grid[-1] / grid[0]) / step) + 2 * MAX_BURNS
    log = (
        np.full((most, 11), -1),
        np.zeros((most, 5)),
        np.full((most, 3, WIDTH), -1),
        np.zeros((most, 3, WIDTH)),
        np.zeros((most, 2)),
        np.zeros(1, np.int64),
    )
    if not run(codes, Y, grid, rules, step, log):
        raise CrustError("a burn at constant pressure does not end, or there are too many")
    n = int(log[5][0])
    what, reals, all_codes, numbers, neutrons = (x[:n] for x in log[:5])
    table = _Slots()
    lines, present = [], set(codes.tolist())
    Y_start = None
    for s in range(n):
        own = [c[c >= 0] for c in all_codes[s]]
        now = set(own[2].tolist())
        named = {int(c) for c in (*what[s, :2], *what[s, 3:5]) if c >= 0}
        table.hold(set(own[0].tolist()) | set(own[1].tolist()) | now | present | named, present)
        net, net2, Y_after = (table.spread(c, numbers[s, k, : len(c)]) for k, c in enumerate(own))
        slot = NEUTRONS if what[s, 9] < 0 else table.slot(what[s, 9])
        lines.append((table.codes.copy(), net, net2, Y_after, slot))
        Y_start = table.spread(codes, Y) if Y_start is None else Y_start
        present = now
    nuclide, net, net2, Y_after, limit = (np.stack(x) for x in zip(*lines, strict=True))
    assert Y_start is not None
    return Record(
        nuclide=nuclide,
        net=net,
        net_Y_n=neutrons[:, 0],
        net2=net2,
        net2_Y_n=neutrons[:, 1],
        trigger=what[:, :3],
        event=what[:, 3:7],
        amount=what[:, 7],
        move=what[:, 8],
        limit=limit,
        P=reals[:, 0],
        n_b=reals[:, 1],
        Y=Y_after,
        Y_n=reals[:, 2],
        d=reals[:, 3],
        heat=np.cumsum(reals[:, 4]),
        grid_index=what[:, 10],
        Y_start=Y_start,
    )
