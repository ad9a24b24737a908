"""Strict tests: float64 on (warnings are errors: see pyproject.toml)."""

import jax

jax.config.update("jax_enable_x64", True)

# fixtures
from recorded_sweep import command, half, plan, replayed, undisturbed, work  # noqa: E402, F401
