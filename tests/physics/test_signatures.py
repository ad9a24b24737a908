"""The checks themselves: a signature that does not hold is refused, and JAX promotes nothing silently."""

import inspect
import pkgutil
from importlib import import_module
from typing import get_args, get_type_hints

import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array
from jax.dtypes import TypePromotionError
from jaxtyping import TypeCheckError

from gpucrust import physics
from gpucrust.physics import eos, ground_state, potentials, reactions

MODULES = [import_module(f"gpucrust.physics.{module.name}") for module in pkgutil.iter_modules(physics.__path__)]
MATTER = eos.Matter()
ONE = jnp.asarray(1.0)
AT = potentials.Potentials(ONE, ONE, ONE)


def public_functions():
    return [
        inspect.unwrap(function)
        for module in MODULES
        for name, function in vars(module).items()
        if callable(function)
        and not inspect.isclass(function)
        and not name.startswith("_")
        and getattr(function, "__module__", "") == module.__name__
    ]


def test_the_package_names_its_modules():
    assert sorted(physics.__all__) == sorted(module.__name__.rpartition(".")[2] for module in MODULES)


@pytest.mark.parametrize(
    "function", public_functions(), ids=lambda f: f"{f.__module__.rpartition('.')[2]}.{f.__name__}"
)
def test_every_public_function_says_the_shapes_of_its_arrays(function):
    for name, kind in get_type_hints(function).items():
        bare = [part for part in (kind, *get_args(kind)) if part in (Array, np.ndarray)]
        assert not bare, f"{name}: {kind}"


# Wrong calls that NumPy and JAX would answer with a number
@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda: potentials.sums_of(jnp.arange(3), jnp.ones(1), ONE), id="one abundance for three slots"),
        pytest.param(lambda: potentials.sums_of(jnp.arange(3), jnp.ones(3), jnp.ones(3)), id="neutrons by slot"),
        pytest.param(lambda: potentials.channel_affinities(jnp.ones(12), jnp.ones(()), AT), id="charge not an integer"),
        pytest.param(lambda: ground_state.mass_of(jnp.ones(61), ONE, ONE), id="a chart of one dimension"),
        pytest.param(lambda: reactions.daughters(np.ones((3, 61, 161)), np.nan), id="several tables for one"),
        pytest.param(lambda: eos.pressure(1e-3, (0.3, 0.1, 1.0), MATTER), id="a tuple for a mixture"),
        pytest.param(lambda: eos.electron_pressure(1e-3j), id="a complex density"),
        pytest.param(lambda: eos.pressure(1e-3, eos.Mixture(0.3, 0.1, 1.0), [1.0, 0.0]), id="a list for matter"),
    ],
)
def test_wrong_arguments_are_refused(call):
    with pytest.raises(TypeCheckError, match="Type-check error whilst checking the parameters"):
        call()


def test_a_channel_less_is_refused():
    with pytest.raises((TypeError, ValueError), match="shape"):
        potentials.channel_affinities(jnp.ones((11, 3)), jnp.arange(3), AT)


def test_integers_do_not_silently_become_floats():
    with pytest.raises(TypePromotionError):
        jnp.arange(3) * jnp.ones(3)


def test_arrays_of_unequal_rank_do_not_silently_meet():
    with pytest.raises(ValueError, match="jax_numpy_rank_promotion"):
        jnp.ones((2, 3)) + jnp.ones(3)
