"""TODO."""

import numpy as np
import xarray as xr

from gpucrust.constants import DYN_PER_CM2
from gpucrust.physics.ground_state import GroundState


def add_ground_state(ds: xr.Dataset, states: list[GroundState]) -> xr.Dataset:
    """The dataset with the ground state of each mass model."""
    new: dict[str, tuple[list, str, str]] = {
        "gs_mu_e": ([s.mu_e for s in states], "MeV", "electron chemical potential, rest mass included"),
        "gs_rho": ([s.rho for s in states], "g cm-3", "baryon rest mass density"),
        "gs_Z": ([s.Z for s in states], "1", "charge number of the nuclide"),
        "gs_A": ([s.A for s in states], "1", "mass number of the nuclide"),
        "gs_dmu_e_dP_nodiff": (
            [np.asarray(s.dmu_e_dP_nodiff) / DYN_PER_CM2 for s in states],
            "MeV cm2 dyne-1",
            "slope of mu_e in diffusion equilibrium, CS20 eq. 7",
        ),
    }
    for name, (values, units, long_name) in new.items():
        ds[name] = (
            ("mass_model", "pressure"),
            np.stack([np.asarray(v) for v in values]),
            {"units": units, "long_name": f"ground state: {long_name}"},
        )
    return ds
