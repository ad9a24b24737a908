"""Nuclear masses: named models of measured, theoretical and Duflo-Zuker masses (CS20 2.1).

`registry` joins tables to models, by name and policy; `catalogue` says which there are and how good. `tables` reads
the packaged tables and the user's own, `install` fetches the one that cannot be packaged. `duflo_zuker` and
`liquid_drop` are formulas, differentiable in their coefficients. What the rest of the package takes from here is a
chart: the nuclear mass energy less A m_u, MeV, of each nuclide, indexed [Z, N].
"""

from gpucrust.masses.catalogue import ModelInfo, known_models
from gpucrust.masses.duflo_zuker import DZ31_COEFFICIENTS, DZ31_DEFORMED_NAMES, DZ31_NAMES, binding_terms, duflo_zuker
from gpucrust.masses.install import InstallError, install_frdm2012
from gpucrust.masses.registry import (
    BUILDERS,
    POLICIES,
    MassModel,
    Origin,
    Sources,
    UnknownModelError,
    electron_binding_energy,
    load_model,
    nuclear_energy,
)
from gpucrust.masses.tables import (
    MassTable,
    MassTableError,
    MissingTableError,
    packaged_provenance,
    packaged_table,
    read_user_table,
    user_data_directory,
)
from gpucrust.nuclide import N_MAX, Z_MAX

__all__ = [
    "BUILDERS",
    "DZ31_COEFFICIENTS",
    "DZ31_DEFORMED_NAMES",
    "DZ31_NAMES",
    "N_MAX",
    "POLICIES",
    "Z_MAX",
    "InstallError",
    "MassModel",
    "MassTable",
    "MassTableError",
    "MissingTableError",
    "ModelInfo",
    "Origin",
    "Sources",
    "UnknownModelError",
    "binding_terms",
    "duflo_zuker",
    "electron_binding_energy",
    "install_frdm2012",
    "known_models",
    "load_model",
    "nuclear_energy",
    "packaged_provenance",
    "packaged_table",
    "read_user_table",
    "user_data_directory",
]
