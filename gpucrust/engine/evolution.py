"""TODO."""

from dataclasses import dataclass

import numpy as np

from gpucrust.engine.slide import STEP_ARRAYS, STEP_SCALARS


@dataclass(frozen=True)
class Evolution:
    """Results: one entry per member along the first axis; failed members have NaN."""

    profiles: dict[str, np.ndarray]  # (members, pressures) each: names of stepper.RECORDED
    segments: np.ndarray  # (members, MAX_SEGMENTS, len(stepper.SEGMENT)); NaN beyond a member's last
    status: np.ndarray
    n_steps: np.ndarray
    n_reactions: np.ndarray
    max_active: np.ndarray
    mismatch: np.ndarray  # MeV per initial nucleus
    nuclides: np.ndarray | None = None  # (members, pressures, slots) codes
    abundances: np.ndarray | None = None  # (members, pressures, slots)
    trace: np.ndarray | None = None  # (members, trace, len(TRACED))
    record: np.ndarray | None = None  # (members, record, ...) see `recorded_steps`
    n_recorded: np.ndarray | None = None  # steps of each member


def recorded_steps(evolution: Evolution, member: int) -> dict[str, np.ndarray]:
    """The steps of a member by name: STEP_ARRAYS (steps, slots) and STEP_SCALARS (steps,) of `gpucrust.engine.slide`.

    Raises ValueError if no steps were recorded, or not all.
    """
    if evolution.record is None or evolution.n_recorded is None:
        raise ValueError("no steps were recorded: set Stepper(record=...)")
    n = int(evolution.n_recorded[member])
    if n > evolution.record.shape[1]:
        raise ValueError(f"member {member} took {n} steps, but there was room for {evolution.record.shape[1]}")
    rows = evolution.record[member, :n]
    slots = (rows.shape[1] - len(STEP_SCALARS)) // len(STEP_ARRAYS)
    steps = {name: rows[:, i * slots : (i + 1) * slots] for i, name in enumerate(STEP_ARRAYS)}
    return steps | {name: rows[:, len(STEP_ARRAYS) * slots + i] for i, name in enumerate(STEP_SCALARS)}
