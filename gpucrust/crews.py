"""Crews: batches of lanes, one for every core of a CPU or one for a GPU, and which member each lane has."""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from gpucrust.lanes import Lanes, refill, results_of, start_lanes
from gpucrust.network import Network
from gpucrust.status import Status
from gpucrust.stepper import RUNNING, Member, Settings

if TYPE_CHECKING:
    from gpucrust.ensemble import Stepper

LANE_GROUP = 8
"""Lanes come in whole groups: an XLA loop's remainder is compiled otherwise and may round otherwise."""
MAX_LANES = {"cpu": 256, "gpu": 65536}
"""Of one crew. A GPU is also bound by its memory."""
HARVEST = 16384
"""Lanes whose results are taken out at a time, at most; those of others that have ended wait for the next time."""
LANE, LANE_POINT = 200_000, 80
"""Bytes of the device a lane, and recorded pressure of it: masses with errors, segments, state; the profile."""
SHARE = 0.8
"""Of a GPU's memory that lanes may take."""


def device() -> jax.Device:
    """What JAX computes on here."""
    return jax.config.jax_default_device or jax.local_devices()[0]  # type: ignore[attr-defined]


def on_cpu() -> bool:
    """Whether JAX computes on a CPU here."""
    return device().platform == "cpu"


def point_bytes(stepper: "Stepper") -> int:
    """Of what is recorded at one pressure."""
    return LANE_POINT + (16 * stepper.slots if stepper.composition else 0)


def lane_bytes(n_pressures: int, stepper: "Stepper") -> int:
    """Of a lane, on the device."""
    return LANE + point_bytes(stepper) * n_pressures


def most_lanes(size: int) -> int:
    """Of one crew, a power of two; size: bytes of a lane."""
    if on_cpu():
        return MAX_LANES["cpu"]
    memory = (device().memory_stats() or {}).get("bytes_limit", math.inf)
    fits = int(min(MAX_LANES["gpu"], max(LANE_GROUP, SHARE * memory / size)))
    return 1 << (fits.bit_length() - 1)


def crews_and_lanes(n_members: int, batch: int | None, size: int) -> tuple[int, int]:
    """Number of crews (batches that run side by side, one a core of a CPU) and of lanes in each.

    Lanes are `batch`, in whole groups, or a power of two, so that sweeps of many sizes share one compiled program.
    size: bytes of a lane.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    most_crews = cores if on_cpu() else 1
    if batch:
        lanes = -(-batch // LANE_GROUP) * LANE_GROUP
        return min(most_crews, -(-n_members // lanes)), lanes
    crews = min(most_crews, -(-n_members // LANE_GROUP))
    share = -(-n_members // crews)
    return crews, min(most_lanes(size), max(LANE_GROUP, 1 << (share - 1).bit_length()))


def padded(n: int, n_lanes: int) -> int:
    """At least n of n_lanes lanes: of few sizes, so that few programs are compiled."""
    return next(size for size in (LANE_GROUP, 64, 512, 4096, HARVEST, n_lanes) if n <= size <= n_lanes)


@dataclass
class Crew:
    """One batch of lanes, and which member each has; -1 for none."""

    occupant: np.ndarray
    lanes: Lanes | None = None

    @property
    def idle(self) -> bool:
        return bool(np.all(self.occupant < 0))

    @property
    def grid_points(self) -> int:
        """Pressures that the members under way have reached."""
        if self.lanes is None:
            return 0
        return int(np.asarray(self.lanes.state.grid_index)[self.occupant >= 0].sum())

    def take(
        self,
        waiting: Iterator[int],
        everyone: Member,
        network: Network,
        settings: Settings,
        slide: bool,
        stepper: "Stepper",
    ) -> None:
        """Fill free lanes with waiting members."""
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
            network,
            settings,
            len(taken),
            slide=slide,
            with_composition=stepper.composition,
            trace=stepper.trace,
            record=stepper.record,
        )
        if self.lanes is None:
            self.lanes = fresh
        else:
            beyond = np.full(room - len(taken), n_lanes)
            self.lanes = refill(self.lanes, fresh, jnp.asarray(np.concatenate([places, beyond])))

    def harvest(self, Y_initial: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
        """Take out members that have ended: their numbers, and results. Y_initial: (members,) nuclei per baryon."""
        if self.lanes is None:
            return np.empty(0, int), {}
        status = np.asarray(self.lanes.state.status)
        ended = np.flatnonzero((self.occupant >= 0) & (status != RUNNING))[:HARVEST]
        members = self.occupant[ended]
        if ended.size == 0:
            return members, {}
        results = _harvest(self.lanes, ended)
        results["mismatch"] = results["mismatch"] / Y_initial[members]
        self.occupant[ended] = -1
        return members, results


def _harvest(lanes: Lanes, ended: np.ndarray) -> dict[str, Any]:
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
