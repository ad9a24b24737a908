"""What JAX computes on."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import jax

from gpucrust.sweep.errors import SweepError

Device = Literal["cpu", "gpu"]
"""Kinds of device that a run may ask for."""


def on_device(device: Device | None) -> AbstractContextManager[Any]:
    """Context in which JAX computes on the device; None leaves the choice to JAX. Raises SweepError without a GPU."""
    if device is None:
        return nullcontext()
    try:
        return jax.default_device(jax.local_devices(backend=device)[0])
    except RuntimeError as error:
        raise SweepError(
            f"no {device.upper()} can be used by JAX here; leave --device out, or install gpucrust[cuda13]"
        ) from error


def device_name(device: Device | None) -> str:
    """What JAX computes on."""
    used = jax.local_devices(backend=device)[0] if device else jax.local_devices()[0]
    return f"{used.platform}: {used.device_kind}"
