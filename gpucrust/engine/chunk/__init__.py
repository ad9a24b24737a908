"""The threshold-search stepper of CS20 section 2.3.1, which defines the result, and its one-component variant.

`step` has the micro-step; `evaluate` what is seen at a state, `urgent` which reaction goes first, `threshold_search`
how a move in pressure finds the next threshold, `conversion` how much converts at a time, `one_component` how all does,
`bookkeeping` what a reaction changes and what is recorded. Others use the engines alone.
"""

from gpucrust.engine.chunk.engine import ChunkEngine, OneComponentEngine

__all__ = ["ChunkEngine", "OneComponentEngine"]
