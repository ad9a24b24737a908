"""The sweep file: TOML, checked completely before anything runs.

Every error is one line that says what is wrong, where (file and key), and what is allowed.
"""

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from gpucrust.constants import FUSING_Z, NEUTRON_MATTER
from gpucrust.nuclide import ELEMENTS, parse_nuclide
from gpucrust.support.nearest import nearest
from gpucrust.support.textfile import read_text
from gpucrust.sweep.axis_values import MOST_VALUES, axis, distinct, increasing, within_floats
from gpucrust.sweep.errors import SweepError
from gpucrust.sweep.messages import describe, one_line

IRON = {"fe56": {"Fe56": 1.0}}
"""The ash that needs no table in a sweep file."""


class _Section(BaseModel):
    # strict: neither "1e14" nor true is a number
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


def _names_to_draw(names: Iterable[str]) -> None:
    """Names are drawn in figures, where a dollar begins mathematics, and text in netCDF ends at a null character."""
    for name in names:
        if not name or not name.isprintable() or "$" in name:
            raise ValueError(f"'{name}' is no name: characters that can be printed, and no $, are")


Positive = Annotated[float, Field(gt=0)]
"""A number larger than 0."""


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class Axes(_Section):
    """What is varied."""

    mass_model: tuple[str, ...] = Field(description="mass models; see `gpucrust models`")
    ash: tuple[str, ...] = Field(("fe56",), description="names of tables [ash.NAME]")
    g: tuple[Positive, ...] = Field((2e14,), description="surface gravity, cm s^-2")
    mdot: tuple[Positive, ...] = Field((3e4,), description="accretion rate, g cm^-2 s^-1")
    pycno_log10_scale: tuple[float, ...] = Field((0.0,), description="log10 of the factor on all fusion rates")
    sample: int = Field(1, ge=1, le=MOST_VALUES, description="members with perturbed masses; sample 0 is unperturbed")

    @field_validator("mass_model", "ash", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else _tuple(value)

    @field_validator("mass_model", "ash")
    @classmethod
    def _check_names(cls, value: tuple[str, ...]) -> Sequence[str]:
        return distinct(value)

    @field_validator("g", "mdot", "pycno_log10_scale", mode="before")
    @classmethod
    def _ranges(cls, value: Any) -> Any:
        return axis(value)

    @field_validator("g", "mdot", "pycno_log10_scale")
    @classmethod
    def _check_ranges(cls, value: tuple[float, ...]) -> Sequence[float]:
        return increasing(value)

    @field_validator("g", "mdot")
    @classmethod
    def _within_floats(cls, value: tuple[float, ...]) -> Sequence[float]:
        return within_floats(value)


class PhysicsSection(_Section):
    """Rules shared by all members."""

    ame: Literal["AME2016", "AME2020"] = Field("AME2016", description="measured masses")
    policy: Literal["mixed", "unmixed", "aligned"] = Field("unmixed", description="how masses are read across tables")
    pycno: bool = Field(True, description="pycnonuclear fusion")
    t_weak: float = Field(1.0, gt=0, description="s; a fusion faster than this goes before electron captures")
    lattice: bool = Field(False, description="Coulomb lattice energy")
    neutron_eos: str = Field("mackie-baym", description="energy of neutron matter: " + ", ".join(NEUTRON_MATTER))
    neutrino_fraction: float = Field(0.0, ge=0, le=1, description="of electron captures' energy, lost in neutrinos")
    one_component: bool = Field(False, description="all nuclei convert together, as in Haensel & Zdunik (1990)")
    fusion_density: dict[str, Positive] = Field(
        {}, description="g cm^-3 by element, Be to Si, from which it fuses; those not named never do; {}: by burn time"
    )

    @field_validator("fusion_density")
    @classmethod
    def _elements(cls, value: dict[str, float]) -> dict[str, float]:
        lightest, heaviest = FUSING_Z
        for name in value:
            if name not in ELEMENTS[lightest : heaviest + 1]:
                raise ValueError(f"'{name}' is no element from Be to Si, and no other fuses")
        return value

    @model_validator(mode="after")
    def _one_component_alone(self) -> Self:
        if self.one_component and self.policy == "unmixed":
            raise ValueError('one_component needs policy = "mixed" or "aligned": nuclei convert by one mass table')
        if self.fusion_density and not (self.one_component and self.pycno):
            raise ValueError("fusion_density needs one_component = true and pycno = true")
        return self

    @field_validator("neutron_eos")
    @classmethod
    def _known_eos(cls, value: str) -> str:
        if value not in NEUTRON_MATTER:
            raise ValueError(f"allowed are {', '.join(NEUTRON_MATTER)}; did you mean {nearest(value, NEUTRON_MATTER)}?")
        return value


class PerturbationSection(_Section):
    """Errors of theory masses, for samples other than 0."""

    sigma: float = Field(0.5, ge=0, description="MeV, standard deviation; theory masses only")
    seed: int = Field(0, ge=0, lt=2**31, description="a member's masses follow from seed and sample alone")


class StepperSection(_Section):
    """Accuracy and range."""

    engine: Literal["slide", "chunk"] = Field(
        "slide", description="slide: the limit of small chunks; chunk: reactions in chunks, which defines it"
    )
    step: float = Field(0.01, ge=1e-4, le=0.05, description="engine slide: largest move in ln P")
    chunk: float = Field(
        0.002,
        gt=0,
        le=0.1,
        description="engine chunk: largest part of all nuclei that reacts in one go; slide: too few to fuse with",
    )
    slots: int = Field(16, ge=2, le=64, description="nuclides present at a time, at most")
    max_steps: int = Field(0, ge=0, description="micro-steps of a member, at most; 0 lets gpucrust choose")
    P_start: float = Field(1e27, ge=1e24, lt=1e33, description="dyn cm^-2")
    P_end: float = Field(3e31, gt=1e24, le=1e33, description="dyn cm^-2; beyond 3e31 nuclear volume matters")
    dlnP: float = Field(0.01, ge=1e-4, le=0.5, description="largest step of the recorded pressures, in ln P")
    batch: int = Field(0, ge=0, le=1_000_000, description="lanes computed at a time; 0 lets gpucrust choose")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.P_end < 1.001 * self.P_start:
            raise ValueError(f"P_end ({self.P_end:g}) must be larger than P_start ({self.P_start:g}), by 0.1 per cent")
        return self


class OutputSection(_Section):
    """What is written."""

    profiles: bool = Field(True, description="false: summaries and layers of each member only")
    composition: bool = Field(False, description="abundances of nuclides at every pressure")
    ground_state: bool = Field(True, description="ground state of each mass model")
    layer_cut: float = Field(1.0, ge=0, description="m; layers thinner than this are left out")


class MassesSection(_Section):
    """Mass tables of your own."""

    tables: dict[str, str] = Field({}, description="CSV files (Z,N,mass_excess in MeV) by name")
    liquid_drop: str | None = Field(None, description="TOML file of constants of MB-refit in place of its own")

    @field_validator("tables")
    @classmethod
    def _check_names(cls, value: dict[str, str]) -> dict[str, str]:
        _names_to_draw(value)
        return value


class Sweep(_Section):
    """A sweep, checked. `ash` holds mass fractions by nuclide name."""

    title: str = Field("", description="of the result, its figures and reports")
    optional_models: tuple[str, ...] = Field((), description="mass models left out where their table is missing")
    axes: Axes
    ash: dict[str, dict[str, float]] = IRON
    physics: PhysicsSection = PhysicsSection()
    perturbation: PerturbationSection = PerturbationSection()
    stepper: StepperSection = StepperSection()
    output: OutputSection = OutputSection()
    masses: MassesSection = MassesSection()

    @field_validator("ash", mode="before")
    @classmethod
    def _iron_too(cls, value: Any) -> Any:
        return IRON | value if isinstance(value, dict) else value

    @field_validator("title")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError("must be one line of characters that can be printed")
        return value

    @field_validator("optional_models", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        return _tuple(value)

    @field_validator("ash")
    @classmethod
    def _check_ashes(cls, ashes: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
        _names_to_draw(ashes)
        for name, fractions in ashes.items():
            nuclides = [parse_nuclide(nuclide) for nuclide in fractions]
            if len(set(nuclides)) < len(nuclides):
                raise ValueError(f"ash '{name}' names a nuclide twice")
            if any(not 0 < x <= 1 for x in fractions.values()):
                raise ValueError(f"mass fractions of ash '{name}' must lie between 0 and 1")
            total = math.fsum(fractions.values())
            if abs(total - 1) > 1e-6:
                raise ValueError(f"mass fractions of ash '{name}' add up to {total:.9g}, not to 1")
        return ashes

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        for name in self.axes.ash:
            if name not in self.ash:
                meant = nearest(name, self.ash)
                raise ValueError(f"axes.ash: no table [ash.{name}]; did you mean {meant}? ({', '.join(self.ash)})")
            if self.physics.one_component and len(self.ash[name]) > 1:
                raise ValueError(f"physics.one_component: ash '{name}' has more than one nuclide")
            if len(self.ash[name]) > self.stepper.slots:
                raise ValueError(f"ash '{name}' has more nuclides than stepper.slots = {self.stepper.slots}")
        for name in self.optional_models:
            if name not in self.axes.mass_model:
                raise ValueError(f"optional_models: '{name}' is not among axes.mass_model")
        return self

    def ash_fractions(self) -> list[dict[tuple[int, int], float]]:
        """Mass fractions by (Z, N) of each ash of the axis."""
        return [{parse_nuclide(k): x for k, x in self.ash[name].items()} for name in self.axes.ash]


def load_sweep(path: Path | str, overrides: Sequence[str] = ()) -> Sweep:
    """Read and check a sweep file; `overrides` are KEY=VALUE strings with dotted keys and TOML values."""
    try:
        text = read_text(Path(path))
    except ValueError as error:
        raise SweepError(f"{path}: {error}") from error
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SweepError(f"{path}: not valid TOML: {one_line(str(error))}") from error
    for override in overrides:
        _apply(override, data)
    return check_sweep(data, str(path))


def check_sweep(data: Mapping[str, Any], where: str = "sweep") -> Sweep:
    """A sweep from a nested mapping, as TOML gives it. Raises SweepError."""
    try:
        return Sweep.model_validate(data)
    except ValidationError as error:
        raise SweepError(f"{where}: {describe(error, Sweep)}") from error


def _apply(override: str, data: dict[str, Any]) -> None:
    """Set one dotted key; `axis.` is understood as `axes.`, and bare words as strings."""
    key, separator, value = override.partition("=")
    path = [part.strip() for part in key.split(".")]
    if not separator or not all(path):
        raise SweepError(f"--set {override}: write KEY=VALUE, such as axes.g=[1e14,2e14]")
    path[0] = "axes" if path[0] == "axis" else path[0]
    try:
        parsed = tomllib.loads(f"x = {value}")["x"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    target = data
    for part in path[:-1]:
        target = target.setdefault(part, {})
        if not isinstance(target, dict):
            raise SweepError(f"--set {override}: '{part}' is not a section")
    target[path[-1]] = parsed
