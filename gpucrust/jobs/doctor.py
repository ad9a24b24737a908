"""Is this installation sound? A small ensemble on every device, against numbers of a plain code without JAX.

A compiler that makes wrong code shows here, and not in a paper.
"""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import jax
import numpy as np

from gpucrust.engine.ensemble import evolve
from gpucrust.engine.inputs import Members, Physics, Problem, Stepper
from gpucrust.masses import load_model
from gpucrust.physics import eos

FAULTY_JAX = {
    "0.10.2": "miscompiles a vmapped matrix-vector product on the CPU, silently (jax#39103)",
    "0.11.0": "has known faults (jax#40633)",
    "0.11.1": "has known faults (jax#40101)",
}
"""What is wrong with versions of JAX that are not to be used."""
CLOSE_TO_STORED = 1e-3
"""Relative deviation from the stored numbers up to which a device is sound: the engine's moves end a little beyond
thresholds, and those of the plain code that made the numbers do not."""
CLOSE_TO_CPU = 1e-9
"""Relative deviation from the CPU up to which another device is sound: both compute the same."""
QUANTITIES = ("mu_e", "n_b", "Y_e")
"""Profiles that are compared."""


@dataclass(frozen=True)
class Checkup:
    """What was found on one device."""

    device: str
    """Platform and kind of the device."""
    members_per_second: float
    """Crusts a second, of a second run."""
    first_run: float
    """Time of the first run, with compilation, s."""
    worst_stored: float
    """Largest relative deviation from the stored numbers."""
    worst_cpu: float
    """Largest relative deviation from the CPU."""
    failed: int
    """Crusts without a result."""

    @property
    def sound(self) -> bool:
        """Whether this device can be relied on."""
        return self.failed == 0 and self.worst_stored < CLOSE_TO_STORED and self.worst_cpu < CLOSE_TO_CPU


def stored_crusts() -> dict:
    """The numbers of `scripts/build_doctor.py`: models, ashes, pressures, and QUANTITIES by member."""
    return json.loads((files("gpucrust") / "data" / "doctor.json").read_text())


def devices() -> Iterator[jax.Device]:
    """The CPU, then everything else that JAX can use."""
    yield jax.local_devices(backend="cpu")[0]
    if jax.default_backend() != "cpu":
        yield from jax.local_devices()


def examine() -> Iterator[Checkup]:
    """Check every device, the CPU first."""
    stored = stored_crusts()
    models = [load_model(name, policy="mixed") for name in stored["mass_models"]]
    ashes = [{(z, n): x for z, n, x in ash} for ash in stored["ashes"]]
    model, ash = (np.array(x) for x in zip(*stored["members"], strict=True))
    n = len(model)
    members = Members(model, ash, np.zeros(n), np.zeros(n, int), np.full(n, stored["g_mdot"]))
    pressures = np.array(stored["pressures"])
    on_cpu: dict[str, np.ndarray] = {}
    for device in devices():
        times = []
        with jax.default_device(device):
            for _ in range(2):
                start = time.perf_counter()
                result = evolve(members, Problem(models, ashes, pressures, Physics(), Stepper()))
                times.append(time.perf_counter() - start)
        p = result.profiles
        with jax.enable_x64(True):
            values = {"mu_e": np.asarray(eos.electron_chemical_potential(p["n_b"] * p["Y_e"])), **p}
        values = {name: values[name] for name in QUANTITIES}
        on_cpu = on_cpu or values
        yield Checkup(
            device=f"{device.platform}: {device.device_kind}",
            members_per_second=n / times[1],
            first_run=times[0],
            worst_stored=max(_worst(values[name], np.array(stored[name])) for name in QUANTITIES),
            worst_cpu=max(_worst(values[name], on_cpu[name]) for name in QUANTITIES),
            failed=int(np.sum(result.status > 0)),
        )


def _worst(values: np.ndarray, expected: np.ndarray) -> float:
    return float(np.max(np.abs(values / expected - 1)))


def cache_state() -> str:
    """One line on the cache of compiled programs."""
    folder = os.environ.get("JAX_COMPILATION_CACHE_DIR", "")
    if not folder or not Path(folder).is_dir():
        return "none yet"
    sizes = [path.stat().st_size for path in Path(folder).iterdir() if path.is_file()]
    return f"{len(sizes)} files, {sum(sizes) / 2**20:.3g} MiB in {folder}"
