"""Derivatives of crusts: which nuclear masses, or which other parameters, decide where diffusion equilibrium breaks.

What the steps of the slide engine decide is recorded on a *tape*. At the fixed sequence of reactions that a tape
holds, a crust is a smooth function of masses and all other parameters, and a replay of the tape is differentiable.
Modules, each using those before it: `tape` (what is recorded), `labels` (names of reactions), `parameters` (what
crusts depend on), `thresholds` (where reactions become possible), `events` and `recording` (tapes, by the engine);
`replay`, `sides` (the replayed crust around every step), `layers` and `structure` (where on a tape outputs lie),
`outputs`; `decisions` and `margins` (how far another sequence is); `derivatives`, which joins these; and for the
command `gpucrust sensitivity` `families`, `selection`, `rankings`, `dataset`, `chart` and `run`.

Names below are for other code: `run_sensitivity` for the dataset of a sweep; `crusts_of` for its crusts, and for each
of them `linearize` (values, forward and reverse derivative) or `crust_outputs`, a function for use with JAX.
"""

from gpucrust.sensitivity.derivatives import (
    Crust,
    Crusts,
    Derivatives,
    Linearized,
    crust_outputs,
    derivatives,
    linearize,
    make_crusts,
)
from gpucrust.sensitivity.families import FAMILIES, Family, FamilyError, family_of
from gpucrust.sensitivity.margins import Margins
from gpucrust.sensitivity.outputs import Outputs
from gpucrust.sensitivity.parameters import Parameters
from gpucrust.sensitivity.rankings import Ranked, most_telling, ranking
from gpucrust.sensitivity.run import crusts_of, run_sensitivity
from gpucrust.sensitivity.tape import Tape, sequence_hash

__all__ = [
    "FAMILIES",
    "Crust",
    "Crusts",
    "Derivatives",
    "Family",
    "FamilyError",
    "Linearized",
    "Margins",
    "Outputs",
    "Parameters",
    "Ranked",
    "Tape",
    "crust_outputs",
    "crusts_of",
    "derivatives",
    "family_of",
    "linearize",
    "make_crusts",
    "most_telling",
    "ranking",
    "run_sensitivity",
    "sequence_hash",
]
