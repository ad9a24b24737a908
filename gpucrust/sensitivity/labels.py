"""Names of nuclides and reactions, for people."""

from gpucrust.nuclide import daughter_code, nuclide_N, nuclide_name, nuclide_Z
from gpucrust.physics.reactions import CHANNEL_DZ, CHANNEL_K, CHANNELS
from gpucrust.sensitivity.tape import PRODUCT, Event, Reaction


def nuclide_label(code: int) -> str:
    """Name of the nuclide of a code, such as Mg44."""
    return nuclide_name(nuclide_Z(int(code)), nuclide_N(int(code)))


def reaction_label(reaction: Reaction | Event) -> str:
    """Name of a reaction, such as 'Mg44+e -> Na42+2n', or of the reaction of an event."""
    first, second, channel = int(reaction.first), int(reaction.second), int(reaction.channel)
    if channel == CHANNELS:
        return f"{nuclide_label(first)}+{nuclide_label(second)}"
    if channel == PRODUCT:
        return f"fusion to {nuclide_label(second)}+{first - second}n, not {nuclide_label(first)}"
    dZ, k = int(CHANNEL_DZ[channel]), int(CHANNEL_K[channel])
    taken = _particles(-dZ, "e") + _particles(-k, "n")
    free = _particles(k, "n") + _particles(dZ, "e")
    return f"{nuclide_label(first)}{taken} -> {nuclide_label(daughter_code(first, dZ, k))}{free}"


def _particles(n: int, symbol: str) -> str:
    """So many electrons, or neutrons where one is written with its number too."""
    if n <= 0:
        return ""
    return f"+{symbol}" if n == 1 and symbol == "e" else f"+{n}{symbol}"
