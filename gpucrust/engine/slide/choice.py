"""Which reaction of those at a trial is to be followed: the most urgent one, or the one that is marginal."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from gpucrust.engine import urgency
from gpucrust.engine.interface import ReactionName
from gpucrust.engine.network import Network
from gpucrust.engine.slide.cascade import FUSION_THRESHOLD
from gpucrust.engine.slide.evaluate import View, find, pair_index, product_of
from gpucrust.engine.slide.state import Memory
from gpucrust.physics.reactions import CHANNEL_CLASS, CHANNELS

MARGINAL = 2e-4
"""Affinity in MeV within which a channel that has burned is marginal: the crust may slide along it."""
FUSION_MARGINAL = 4e-3
"""Logarithm of burn time over compression time within which a fusion that has burned is marginal."""


class Choice(NamedTuple):
    """A reaction chosen at the trial; a pytree of scalars."""

    found: Array
    """Whether there is one."""
    first: Array
    """Slot of its parent."""
    second: Array
    """Slot of its second parent; of a channel its parent again."""
    channel: Array
    """Channel; CHANNELS for a fusion."""
    product: tuple[Array, Array, Array]
    """Code, neutrons set free and energy released (MeV) of a fusion."""

    def name(self, nuclide: Array) -> ReactionName:
        """Its name among slots of these codes."""
        return ReactionName(nuclide[self.first], nuclide[self.second], self.channel)


def most_urgent(view: View, network: Network) -> Choice:
    """What happens first of all that is allowed: lowest class, then most negative affinity or shortest burn time."""
    slots = view.here.Y.shape[0]
    lowest, flat, _ = urgency.most_urgent(view.allowed, view.g, jnp.asarray(CHANNEL_CLASS)[:, None])
    channel, first = flat // slots, flat % slots
    if view.fusions is None:
        nothing = (jnp.array(0), jnp.array(0), jnp.array(0.0))
        return Choice(jnp.isfinite(lowest), first, first, channel, nothing)
    burning = view.ln_time_ratio < FUSION_THRESHOLD
    pair, product = urgency.fastest_fusion(burning, view.ln_time_ratio, lambda p: product_of(p, view, network))
    of_pair = urgency.fusion_class(view.ln_time_ratio[pair] + view.here.ln_t_acc, view.here.ln_t_weak)
    fusion_class = jnp.where(product[2] > 0, of_pair, jnp.inf)
    fuses = fusion_class < lowest
    i, j = jnp.asarray(view.fusions.first)[pair], jnp.asarray(view.fusions.second)[pair]
    return Choice(
        found=jnp.isfinite(lowest) | fuses,
        first=jnp.where(fuses, i, first),
        second=jnp.where(fuses, j, first),
        channel=jnp.where(fuses, CHANNELS, channel),
        product=product,
    )


def next_marginal(memory: Memory, view: View, network: Network) -> Choice:
    """The reaction that is marginal at the trial: the channel that burned last or its partner, else the last fusion."""

    def marginal_channel(name: ReactionName) -> tuple[Array, Array]:
        i, _, there = find(name, view)
        c = jnp.clip(name.channel, 0, CHANNELS - 1)
        return i, there & (name.channel < CHANNELS) & (jnp.abs(view.g[c, i]) < MARGINAL)

    (i, last), (j, other) = marginal_channel(memory.last_channel), marginal_channel(memory.partner)
    slot = jnp.where(last, i, j)
    channel = jnp.where(last, memory.last_channel.channel, memory.partner.channel)
    if view.fusions is None:
        nothing = (jnp.array(0), jnp.array(0), jnp.array(0.0))
        return Choice(last | other, slot, slot, channel, nothing)
    m, n, there = find(memory.last_fusion, view)
    pair = pair_index(m, n, view.here.Y.shape[0])
    product = product_of(pair, view, network)
    fusion = there & (jnp.abs(view.ln_time_ratio[pair]) < FUSION_MARGINAL) & (product[2] > 0)
    return Choice(
        found=last | other | fusion,
        first=jnp.where(last | other, slot, m),
        second=jnp.where(last | other, slot, n),
        channel=jnp.where(last | other, channel, CHANNELS),
        product=product,
    )
