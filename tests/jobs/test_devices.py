"""What JAX computes on."""

import jax
import pytest

from gpucrust.jobs.devices import on_device
from gpucrust.sweep.errors import SweepError


def test_a_device_that_is_not_there_is_one_line():
    if any(device.platform == "gpu" for device in jax.devices()):
        pytest.skip("there is a GPU")
    with pytest.raises(SweepError, match="no GPU") as error:
        on_device("gpu")
    assert "\n" not in str(error.value)
