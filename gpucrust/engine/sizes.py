"""TODO."""

import math
import os

import jax

from gpucrust.engine.inputs import Stepper

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
