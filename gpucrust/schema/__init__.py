"""What results are made of, said once: axes, names, units, types and attributes, and the columns of reduced evolutions.

`dataset` describes the variables of a result, which `gpucrust.results` fills; `reduced` the numbers that are kept of an
evolution, which `gpucrust.profiles` computes and `gpucrust.jobs` stores. Neither JAX nor xarray is needed here, so that
summaries, figures, the command line and the documents may read names without waiting for them.
"""

from gpucrust.schema.dataset import (
    AXES,
    COMPOSITION,
    COORDINATES,
    CS20,
    GROUND_STATE,
    LAYERS,
    LEAST_MASS_FRACTION,
    MEMBERS,
    NO_RESULT,
    NUCLIDE_COORDINATES,
    PROFILES,
    SHARED,
    VARIABLES,
    Regime,
    Variable,
)
from gpucrust.schema.reduced import (
    LAYER,
    ArrayOf,
    LayerColumns,
    ProfileColumns,
    SummaryColumns,
    columns_of,
    reduced_arrays,
)

__all__ = [
    "AXES",
    "COMPOSITION",
    "COORDINATES",
    "CS20",
    "GROUND_STATE",
    "LAYER",
    "LAYERS",
    "LEAST_MASS_FRACTION",
    "MEMBERS",
    "NO_RESULT",
    "NUCLIDE_COORDINATES",
    "PROFILES",
    "SHARED",
    "VARIABLES",
    "ArrayOf",
    "LayerColumns",
    "ProfileColumns",
    "Regime",
    "SummaryColumns",
    "Variable",
    "columns_of",
    "reduced_arrays",
]
