"""Names of nuclides: "Fe56", "56Fe" and "fe56" are (26, 30)."""

import re

from gpucrust.nearest import nearest

ELEMENTS = (
    "n H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr "
    "Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd"
).split()
"""Symbols by charge number, 0 to 60."""

_FORMS = (
    re.compile(r"(?P<symbol>[A-Za-z]{1,2})-?(?P<A>\d{1,3})"),
    re.compile(r"(?P<A>\d{1,3})(?P<symbol>[A-Za-z]{1,2})"),
)


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
