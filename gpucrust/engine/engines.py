"""The engines there are, and which one a problem asks for. A new engine is a package beside these, and a line here."""

from collections.abc import Callable, Mapping

from gpucrust.engine.chunk import ChunkEngine, OneComponentEngine
from gpucrust.engine.inputs import Physics, Stepper
from gpucrust.engine.interface import Engine
from gpucrust.engine.slide import SlideEngine

ENGINES: Mapping[str, Callable[[Stepper], Engine]] = {
    "slide": lambda stepper: SlideEngine(remembers_cascades=stepper.record > 0),
    "chunk": lambda stepper: ChunkEngine(),
}
"""Engines by the name that `stepper.engine` of a sweep file has for them."""


def engine_of(physics: Physics, stepper: Stepper) -> Engine:
    """The engine for these rules. A crust of one component has its own, whatever `stepper.engine` is."""
    return OneComponentEngine() if physics.one_component else ENGINES[stepper.engine](stepper)
