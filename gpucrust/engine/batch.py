"""One batch of lanes: which member each lane has, how it takes members in, and how their results are taken out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gpucrust.engine.inputs import Stepper
from gpucrust.engine.interface import RUNNING, Engine, Member, Settings
from gpucrust.engine.lanes import Lanes, refill, results_of, start_lanes
from gpucrust.engine.network import Network
from gpucrust.engine.sizes import RESULTS_AT_A_TIME, padded
from gpucrust.status import Status


class Rules(NamedTuple):
    """What all members of an ensemble are evolved by, on the device."""

    engine: Engine
    """The engine."""
    network: Network
    """Its nuclides and reactions."""
    settings: Settings
    """Physics and accuracy."""
    stepper: Stepper
    """What to record."""


@dataclass
class Batch:
    """Lanes that take micro-steps together; members go through them one after another.

    On a CPU there is a batch for every core, since XLA runs most of a step on one; on a GPU there is one.
    """

    occupant: np.ndarray
    """(lanes,) index of the member that a lane has; -1 for none."""
    lanes: Lanes | None = None
    """The lanes on the device; None before the first member."""

    @property
    def idle(self) -> bool:
        """Whether no lane has a member."""
        return bool(np.all(self.occupant < 0))

    @property
    def grid_points(self) -> int:
        """Number of recorded pressures that the members under way have reached."""
        if self.lanes is None:
            return 0
        return int(np.asarray(self.lanes.state.account.grid_index)[self.occupant >= 0].sum())

    def take_in(self, waiting: Iterator[int], everyone: Member, rules: Rules) -> None:
        """Fill free lanes with waiting members, numbers of entries of `everyone`."""
        n_lanes = len(self.occupant)
        taken = [(lane, m) for lane, m in zip(np.flatnonzero(self.occupant < 0), waiting, strict=False)]
        if not taken:
            return
        places, newcomers = (np.array(x) for x in zip(*taken, strict=True))
        self.occupant[places] = newcomers
        room = n_lanes if self.lanes is None else padded(len(taken), n_lanes)
        member = np.concatenate([newcomers, np.full(room - len(taken), newcomers[0])])
        fresh = start_lanes(
            jax.tree.map(lambda x: x[member], everyone),
            rules.network,
            rules.settings,
            len(taken),
            engine=rules.engine,
            with_composition=rules.stepper.composition,
            trace=rules.stepper.trace,
            record=rules.stepper.record,
        )
        if self.lanes is None:
            self.lanes = fresh
        else:
            beyond = np.full(room - len(taken), n_lanes)
            self.lanes = refill(self.lanes, fresh, jnp.asarray(np.concatenate([places, beyond])))

    def take_out(self, Y_initial: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
        """Take out members that have ended: their numbers, and results. Y_initial: (members,) nuclei per baryon."""
        if self.lanes is None:
            return np.empty(0, int), {}
        status = np.asarray(self.lanes.state.account.status)
        ended = np.flatnonzero((self.occupant >= 0) & (status != RUNNING))[:RESULTS_AT_A_TIME]
        members = self.occupant[ended]
        if ended.size == 0:
            return members, {}
        results = _results(self.lanes, ended)
        results["mismatch"] = results["mismatch"] / Y_initial[members]
        self.occupant[ended] = -1
        return members, results


def _results(lanes: Lanes, ended: np.ndarray) -> dict[str, Any]:
    """The results of the lanes that have ended, by name."""
    places = np.resize(ended, padded(len(ended), len(lanes.profile)))
    found = jax.tree.map(lambda x: np.asarray(x)[: len(ended)], results_of(lanes, places))
    ok = found["status"] == Status.OK
    switched = found.pop("switched")
    found["status"] = np.where(ok & switched, int(Status.SWITCHED_TO_MIXED), found["status"])
    for name in ("profile", "abundances"):  # (member, pressure, ...)
        if found[name] is not None:
            found[name] = np.where(ok[:, None, None], found[name], np.nan)
    return found
