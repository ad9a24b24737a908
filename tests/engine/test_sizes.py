"""How many lanes there are."""

from types import SimpleNamespace

import pytest

from gpucrust.engine import sizes
from gpucrust.engine.inputs import Stepper


@pytest.mark.parametrize("free", [1 << 33, 1 << 40, None])
def test_lanes_fit_the_memory_of_a_gpu(free, monkeypatch):
    """As many as do, or as are worth it; a device may not tell what it has."""
    gpu = SimpleNamespace(platform="gpu", memory_stats=lambda: free and {"bytes_limit": free})
    monkeypatch.setattr(sizes.jax, "local_devices", lambda: [gpu])
    monkeypatch.setattr(sizes, "on_cpu", lambda: False)
    size = sizes.lane_bytes(1032, Stepper())
    n_batches, lanes = sizes.batches_and_lanes(10**6, None, size)
    assert n_batches == 1
    assert lanes & (lanes - 1) == 0
    if free == 1 << 33:
        assert lanes * size < free < 4 * lanes * size
    else:
        assert lanes == sizes.MAX_LANES["gpu"] >= 50_000
