"""The chart of nuclides: its limits, the code of a nuclide in arrays, and names.

"Fe56", "56Fe" and "fe56" are names of (Z, N) = (26, 30). A nuclide is one integer in arrays, its code
Z * N_STRIDE + N. Functions of codes take Python integers, NumPy and JAX arrays, also while JAX traces.
"""

import re
from typing import Any

from gpucrust.support.nearest import nearest

ELEMENTS = (
    "n H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr "
    "Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd"
).split()
"""Symbols by charge number, 0 to 60."""

Z_MAX, N_MAX = 60, 160
"""Largest charge and neutron number of the chart."""
N_STRIDE = N_MAX + 1
"""Codes of one element: its neutron numbers 0 to N_MAX."""
N_CODES = (Z_MAX + 1) * N_STRIDE
"""Number of codes: the length of arrays that are indexed by them."""

_FORMS = (
    re.compile(r"(?P<symbol>[A-Za-z]{1,2})-?(?P<A>\d{1,3})"),
    re.compile(r"(?P<A>\d{1,3})(?P<symbol>[A-Za-z]{1,2})"),
)


def nuclide_code(Z: Any, N: Any) -> Any:
    """Code of the nuclide (Z, N); arguments broadcast."""
    return Z * N_STRIDE + N


def nuclide_Z(code: Any) -> Any:
    """Charge number of a code."""
    return code // N_STRIDE


def nuclide_N(code: Any) -> Any:
    """Neutron number of a code."""
    return code % N_STRIDE


def daughter_code(code: Any, dZ: Any, k: Any) -> Any:
    """Code of what the nuclide `code` becomes when its charge changes by dZ and k neutrons are set free."""
    return code + dZ * N_STRIDE - dZ - k


def parse_nuclide(name: str) -> tuple[int, int]:
    """(Z, N) of a name. Raises ValueError with one line if it is none, or beyond Z 2..60, N 0..160."""
    for form in _FORMS:
        match = form.fullmatch(name.strip())
        if match is None:
            continue
        symbol, A = match["symbol"].capitalize(), int(match["A"])
        if symbol not in ELEMENTS[2:]:
            meant = nearest(symbol, ELEMENTS[2:])
            raise ValueError(f"no element '{match['symbol']}' from He to Nd in '{name}'; did you mean {meant}{A}?")
        Z = ELEMENTS.index(symbol)
        if not 0 <= A - Z <= 160:
            raise ValueError(f"'{name}' has {A - Z} neutrons; allowed are 0 to 160")
        return Z, A - Z
    raise ValueError(f"'{name}' is no nuclide; write a symbol and a mass number, such as Fe56")


def nuclide_name(Z: int, N: int) -> str:
    """Name of (Z, N), such as Fe56."""
    return f"{ELEMENTS[Z]}{Z + N}"
