"""The chunk engine and its one-component variant, behind the protocol of engines."""

from dataclasses import dataclass
from typing import ClassVar

from gpucrust.engine.chunk.conversion import BY_CHUNKS, Conversion
from gpucrust.engine.chunk.one_component import ALL_AT_ONCE
from gpucrust.engine.chunk.state import ChunkState, initial_state
from gpucrust.engine.chunk.step import micro_step
from gpucrust.engine.interface import Member, Output, Segments, Settings
from gpucrust.engine.network import Network


@dataclass(frozen=True)
class ChunkEngine:
    """The threshold-search stepper: reactions go a chunk at a time. It defines the result."""

    steps_per_call: ClassVar[int] = 2000
    """Micro-steps between two looks of the host: a crust takes 10,000 and more."""
    segments: ClassVar[Segments] = Segments.TEETH
    """Rows of burns set off by one reaction."""
    conversion: ClassVar[Conversion] = BY_CHUNKS
    """How much reacts at a time."""

    def step_limit(self, dlnP: float) -> int:
        """Whatever the moves: reactions are most of the steps."""
        return 2_000_000

    def record_columns(self, slots: int) -> int:
        """None: its reactions are traced instead."""
        return 0

    def init(self, member: Member, network: Network, settings: Settings) -> ChunkState:
        """The ash at the lowest pressure."""
        return initial_state(member, network, settings)

    def step(
        self, state: ChunkState, member: Member, network: Network, settings: Settings
    ) -> tuple[ChunkState, Output]:
        """One reaction, or one move in pressure."""
        return micro_step(state, member, network, settings, self.conversion)


@dataclass(frozen=True)
class OneComponentEngine(ChunkEngine):
    """The crust of one component: all nuclei convert together (Haensel & Zdunik 1990)."""

    segments: ClassVar[Segments] = Segments.JUMPS
    """Burns at one pressure each."""
    conversion: ClassVar[Conversion] = ALL_AT_ONCE
    """All nuclei react at once."""
