"""Records of the slide engine as `gpucrust.record` has them: the same steps, all members of a batch at once."""

import numpy as np

from gpucrust import eos
from gpucrust.constants import DYN_PER_CM2
from gpucrust.ensemble import Evolution, Physics, Stepper, recorded_steps, sweep_settings
from gpucrust.network import N_STRIDE
from gpucrust.record import NEUTRONS, Amount, Move, Record
from gpucrust.replay import mixture_of


def record_of_engine(
    evolution: Evolution, member: int, first_pressure: float, physics: Physics, stepper: Stepper
) -> Record:
    """The Record of a member of an evolution with recorded steps. first_pressure: dyn cm^-2. float64 must be on.

    A first step is put before them: the ash at the first pressure, before anything burns.
    """
    s = recorded_steps(evolution, member)
    codes = s["nuclide"].astype(int)
    amount, move, limit = (s[name].astype(int) for name in ("amount_kind", "pressure_kind", "limit"))
    net, net_Y_n = s["net"] - s["ratio"][:, None] * s["net2"], s["net_Y_n"] - s["ratio"] * s["net2_Y_n"]
    opposed = s["ratio"] > 0
    used_up = amount == Amount.USED_UP
    Y, Y_n = s["Y"].copy(), np.where(used_up & (limit == NEUTRONS), 0.0, s["Y_n"])
    rows = np.flatnonzero(used_up & (limit >= 0))
    Y[rows, limit[rows]] = 0.0
    trigger = np.stack([s[name] for name in ("first", "second", "channel")], axis=1).astype(int)
    event = np.stack([s[name] for name in ("event_first", "event_second", "event_channel")], axis=1).astype(int)
    event = np.where((move == Move.EVENT)[:, None], np.pad(event, ((0, 0), (0, 1)), constant_values=-1), -1)
    P, grid_index = s["P"], s["grid_index"].astype(int)

    Y_start = Y[0] - s["d"][0] * s["net"][0]
    Y_start = np.where(Y_start > 1e-12, Y_start, 0.0)
    P_start = first_pressure / DYN_PER_CM2
    mixture = mixture_of(codes[0] // N_STRIDE, Y_start, np.array(0.0))
    matter = sweep_settings(physics, stepper).matter
    n_b = float(
        eos.density_at_pressure(P_start, mixture, matter, eos.cold_density_guess(P_start, mixture.Y_e), 15)
    )

    def begin(first: object, rest: np.ndarray) -> np.ndarray:
        return np.concatenate([np.asarray(first)[None], rest])

    nothing = np.zeros_like(Y_start)
    return Record(
        nuclide=begin(codes[0], codes),
        net=begin(nothing, net),
        net_Y_n=begin(0.0, net_Y_n),
        net2=begin(nothing, np.where(opposed[:, None], s["net2"], 0.0)),
        net2_Y_n=begin(0.0, np.where(opposed, s["net2_Y_n"], 0.0)),
        trigger=begin([-1, -1, -1], trigger),
        event=begin([-1, -1, -1, -1], event),
        amount=begin(int(Amount.NONE), amount),
        move=begin(int(Move.GIVEN), move),
        limit=begin(NEUTRONS, limit),
        P=begin(P_start, P),
        n_b=begin(n_b, s["n_b"]),
        Y=begin(Y_start, Y),
        Y_n=begin(0.0, Y_n),
        d=begin(0.0, s["d"]),
        heat=begin(0.0, s["heat"]),
        grid_index=begin(-1 if 0 in grid_index else 0, grid_index),
        Y_start=Y_start,
    )
