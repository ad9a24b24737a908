"""The part of the dataset on the ground states of mass models."""

from typing import Any

import numpy as np
import xarray as xr

from gpucrust.constants import DYN_PER_CM2
from gpucrust.physics.ground_state import GroundState
from gpucrust.schema import GROUND_STATE


def ground_state_variables(states: list[GroundState]) -> dict[str, xr.Variable]:
    """Variables of the ground state of each mass model, by name; none without states."""
    if not states:
        return {}
    values: dict[str, list[Any]] = {
        "gs_mu_e": [s.mu_e for s in states],
        "gs_rho": [s.rho for s in states],
        "gs_Z": [s.Z for s in states],
        "gs_A": [s.A for s in states],
        "gs_dmu_e_dP_nodiff": [np.asarray(s.dmu_e_dP_nodiff) / DYN_PER_CM2 for s in states],
    }
    return {
        name: xr.Variable(variable.dims, np.stack([np.asarray(x) for x in values[name]]), variable.attributes)
        for name, variable in GROUND_STATE.items()
    }
