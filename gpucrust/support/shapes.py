"""Kinds of numbers in signatures: what functions take and return, by shape.

They are jaxtyping's, and only inform where gpucrust runs. Tests check every call of the packages that
tests/conftest.py names, so that a signature cannot say what is not so.
"""

import numpy as np
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float64, Int, Real, Shaped

Numbers = Real[ArrayLike, "*#shape"]
"""Real numbers to a function that works elementwise: Python's, NumPy's or JAX's, of any shape that broadcasts with the
shapes of the other arguments."""
Floats = Float64[Array, "*shape"]
"""float64 of the shape to which the arguments of an elementwise function broadcast."""
Kinds = Real[ArrayLike, "*#shape kinds"]
"""Real numbers for each kind of nuclei, along the last axis; the axes before it as in Numbers."""
SomeFloats = Float64[Array, "..."]
"""float64 of a shape that follows from some of the arguments alone."""
Scalar = Float64[Array, ""]
"""One float64."""
ScalarLike = Real[ArrayLike, ""]
"""One real number, Python's, NumPy's or JAX's."""
Pressures = Float64[ArrayLike, "n"]
"""float64 pressures, one after the other."""
IntLike = Int[ArrayLike, "*#shape"]
"""Integers that broadcast with the shapes of the other arguments."""
Codes = Int[Array, "*shape"]
"""Integers that stand for nuclides, or count protons, neutrons."""
Slots = Float64[Array, "slots"]
"""One float64 for each slot of a composition."""
SlotCodes = Int[Array, "slots"]
"""The nuclide of each slot of a composition, by its code."""
Chart = Float64[ArrayLike, "nZ nN"]
"""One float64 for each nuclide, indexed [Z, N]."""
Table = Shaped[np.ndarray, "nZ nN"]
"""One value of any type for each nuclide, indexed [Z, N]."""
Tables = Shaped[np.ndarray, "n nZ nN"]
"""Several tables of nuclides, one after the other."""
