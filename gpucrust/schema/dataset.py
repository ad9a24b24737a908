"""The variables of a result: names, dimensions, units, types and attributes, by the CF conventions.

A variable lacks those of its dimensions that it does not depend on: without fusion neither its scale nor g nor mdot
matters to a composition.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from gpucrust.status import Status

AXES = ("mass_model", "ash", "pycno_log10_scale", "sample", "g", "mdot")
"""Dimensions of a sweep, in the order of the dataset."""
CS20 = (
    "Chugunov & Shchechilin 2020, MNRAS Lett. 495, L32 (CS20); Shchechilin & Chugunov 2019, MNRAS 490, 3454; "
    "Mackie & Baym 1977, Nucl. Phys. A 285, 332; Yakovlev et al. 2006, PRC 74, 035803; "
    "Yakovlev et al. 2010, PRC 82, 044609"
)
"""Papers that every result follows, but for those of its masses."""
LEAST_MASS_FRACTION = 1e-9
"""Mass fraction that a nuclide must exceed somewhere to be in `composition`."""
NO_RESULT = -1
"""Value of `regime` in a member that has no result."""


class Regime(IntEnum):
    """Kinds of slope: equilibrium 0.5 <= R <= 1.5, decreasing R < 0, flat 0 <= R < 0.5, steep R > 1.5."""

    EQUILIBRIUM = 0
    DECREASING = 1
    FLAT = 2
    STEEP = 3


class Variable(NamedTuple):
    """A variable of the dataset."""

    dims: tuple[str, ...]
    """Dimensions, where everything matters to it."""
    attributes: Mapping[str, Any]
    """Units, a long name, and whatever else the CF conventions have; a comment may have places for values."""
    dtype: type[np.generic] = np.float64
    """Type of its entries."""

    @property
    def nbytes(self) -> int:
        """Bytes of an entry."""
        return np.dtype(self.dtype).itemsize

    def attributes_with(self, **values: Any) -> dict[str, Any]:
        """The attributes, with values in their places of the comment, if it has any."""
        comment = self.attributes.get("comment")
        return dict(self.attributes) if comment is None else {**self.attributes, "comment": comment.format(**values)}


def _profile(units: str, long_name: str) -> Variable:
    """A number at every pressure of every member."""
    return Variable((*AXES, "pressure"), {"units": units, "long_name": long_name})


def _ground_state(units: str, long_name: str) -> Variable:
    """A number at every pressure of the ground state of a mass model."""
    return Variable(("mass_model", "pressure"), {"units": units, "long_name": f"ground state: {long_name}"})


_LAYERS_KEPT = "layers of {layer_cut:g} m or more, and jumps of mu_e at one pressure"
_STATUS = {
    "flag_values": np.array([int(s) for s in Status], np.int8),
    "flag_meanings": " ".join(s.name.lower() for s in Status),
}
_REGIME = {
    "flag_values": np.array([NO_RESULT, *(int(r) for r in Regime)], np.int8),
    "flag_meanings": "no_result " + " ".join(r.name.lower() for r in Regime),
}

COORDINATES: Mapping[str, Mapping[str, Any]] = {
    "mass_model": {"long_name": "nuclear mass model"},
    "ash": {"long_name": "composition at the first pressure"},
    "pycno_log10_scale": {"units": "1", "long_name": "log10 of the factor on all fusion rates"},
    "sample": {"units": "1", "long_name": "number of the draw of mass errors; 0 is unperturbed"},
    "g": {"units": "cm s-2", "long_name": "surface gravity"},
    "mdot": {"units": "g cm-2 s-1", "long_name": "accretion rate per unit area"},
    "pressure": {"units": "dyne cm-2", "long_name": "pressure", "positive": "down"},
}
"""Attributes of the coordinates of AXES and of the recorded pressures, each along the dimension of its own name."""

NUCLIDE_COORDINATES: Mapping[str, Mapping[str, Any]] = {
    "nuclide": {"long_name": "nuclide"},
    "nuclide_Z": {"units": "1", "long_name": "charge number of the nuclide"},
    "nuclide_A": {"units": "1", "long_name": "mass number of the nuclide"},
}
"""Attributes of the coordinates along the dimension `nuclide` of `composition`."""

SHARED: Mapping[str, Variable] = {
    "J_acc": Variable(("mdot",), {"units": "cm-2 s-1", "long_name": "baryon flux of accretion"}),
    "column_depth": Variable(("g", "pressure"), {"units": "g cm-2", "long_name": "column depth P/g"}),
}
"""What follows from coordinates alone."""

GROUND_STATE: Mapping[str, Variable] = {
    "gs_mu_e": _ground_state("MeV", "electron chemical potential, rest mass included"),
    "gs_rho": _ground_state("g cm-3", "baryon rest mass density"),
    "gs_Z": _ground_state("1", "charge number of the nuclide"),
    "gs_A": _ground_state("1", "mass number of the nuclide"),
    "gs_dmu_e_dP_nodiff": _ground_state("MeV cm2 dyne-1", "slope of mu_e in diffusion equilibrium, CS20 eq. 7"),
}
"""The ground state of each mass model."""

MEMBERS: Mapping[str, Variable] = {
    "status": Variable(
        AXES,
        {
            **_STATUS,
            "long_name": "how the member ended",
            "comment": "; ".join(f"{s.name.lower()}: {s.sentence}" for s in Status),
        },
        np.int8,
    ),
    "n_steps": Variable(AXES, {"units": "1", "long_name": "micro-steps taken"}, np.int32),
    "max_active": Variable(AXES, {"units": "1", "long_name": "most nuclides at a time"}, np.int32),
    "table_mismatch": Variable(
        AXES,
        {
            "units": "MeV",
            "long_name": "energy released by reading masses from several tables, per initial nucleus, "
            "beyond one table's",
        },
    ),
    "total_heat": Variable(AXES, {"units": "MeV", "long_name": "heat released per baryon up to the last pressure"}),
    "broken_thickness": Variable(
        AXES,
        {
            "units": "m",
            "long_name": "thickness of all layers out of diffusion equilibrium",
            "comment": _LAYERS_KEPT,
        },
    ),
    "max_J_ratio": Variable(
        AXES, {"units": "1", "long_name": "largest J_n over J_acc, by size, in layers out of diffusion equilibrium"}
    ),
}
"""How each member ended, and its whole crust in a number each."""

PROFILES: Mapping[str, Variable] = {
    # functions of the composition
    "mu_e": _profile("MeV", "electron chemical potential, rest mass included"),
    "mu_n": _profile("MeV", "neutron chemical potential, rest mass not included"),
    "rho": _profile("g cm-3", "baryon rest mass density n_b m_u"),
    "n_b": _profile("fm-3", "baryon number density"),
    "Y_e": _profile("1", "electrons per baryon"),
    "X_n": _profile("1", "fraction of baryons that are free neutrons"),
    "Z_mean": _profile("1", "mean charge number of nuclei, by number"),
    "A_mean": _profile("1", "mean mass number of nuclei, by number"),
    "Q_imp": _profile("1", "impurity parameter, variance of the charge number of nuclei"),
    "heat": _profile("MeV", "heat released per baryon since the first pressure"),
    "P_e": _profile("dyne cm-2", "pressure of electrons"),
    "P_n": _profile("dyne cm-2", "pressure of free neutrons"),
    "dmu_e_dP": _profile("MeV cm2 dyne-1", "slope of mu_e along the profile"),
    "dmu_e_dP_nodiff": _profile("MeV cm2 dyne-1", "slope of mu_e in diffusion equilibrium, CS20 eq. 7"),
    "equilibrium_ratio": _profile("1", "R: slope of mu_e over that of diffusion equilibrium"),
    "residual_ei": _profile("1", "relative residual of eq. 8, electrons and nuclei"),
    "residual_n": _profile("1", "relative residual of eq. 9, free neutrons; 0 where there are none"),
    # of g too, or mdot
    "f_in": _profile("dyne", "friction per nucleus, outwards, eq. 6"),
    "J_n": _profile("cm-2 s-1", "neutron flux that would hold the nuclei up, outwards, eq. 10"),
    "J_ratio": _profile("1", "J_n over J_acc"),
    "depth": _profile("m", "depth below the first pressure"),
    "regime": Variable(
        (*AXES, "pressure"),
        {
            **_REGIME,
            "long_name": "regime of the slope of mu_e",
            "comment": "decreasing: R < 0; flat: 0 <= R < 0.5; steep: R > 1.5",
        },
        np.int8,
    ),
}
"""What a member is like at every recorded pressure."""

COMPOSITION: Mapping[str, Variable] = {
    "composition": Variable(
        (*AXES, "pressure", "nuclide"),
        {
            "units": "1",
            "long_name": "mass fraction",
            "comment": f"nuclides that somewhere exceed {LEAST_MASS_FRACTION:g}",
        },
    )
}
"""Nuclei at every recorded pressure, if they are wanted."""

LAYERS: Mapping[str, Variable] = {
    "layer_count": Variable(
        ("member",),
        {"sample_dimension": "layer", "long_name": "number of layers of each member", "units": "1"},
        np.int32,
    ),
    "layer_member": Variable(
        ("layer",),
        {
            "units": "1",
            "long_name": "member that a layer belongs to",
            "comment": "members count through {axes}, last fastest",
        },
        np.int32,  # int64 where there are more members
    ),
    "layer_regime": Variable(("layer",), {"long_name": "regime of a layer", **_REGIME}, np.int8),
    "layer_P_start": Variable(("layer",), {"units": "dyne cm-2", "long_name": "pressure at the top of a layer"}),
    "layer_P_end": Variable(("layer",), {"units": "dyne cm-2", "long_name": "pressure at the bottom of a layer"}),
    "layer_thickness": Variable(
        ("layer",), {"units": "m", "long_name": "thickness of a layer", "comment": _LAYERS_KEPT}
    ),
    "layer_J_n": Variable(
        ("layer",),
        {
            "units": "cm-2 s-1",
            "long_name": "mean of J_n in a layer, outwards, eq. 10",
            "comment": "by depth, over the recorded pressures within; 0 without any",
        },
    ),
}
"""Layers out of diffusion equilibrium, a CF contiguous ragged array: those of one member after those of another."""

VARIABLES: Mapping[str, Variable] = {**SHARED, **GROUND_STATE, **MEMBERS, **PROFILES, **COMPOSITION, **LAYERS}
"""All of them but coordinates, by name."""
