"""The sweep file as its schema knows it: every key with its default, what is allowed, and what it is."""

import json
import typing
from dataclasses import dataclass
from typing import Any

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gpucrust.sweep.config import Sweep

MODELS = ["FRDM95+DZ31", "HFB21+DZ31", "DZ31"]
"""Mass models of a new sweep file: packaged, and of different kinds."""
WIDTH = 96
"""Characters of a line, at most; longer comments stand above their keys."""


@dataclass(frozen=True)
class Key:
    """One key of a sweep file."""

    section: str
    """The section that it is in; "" at the top."""
    name: str
    """The key itself."""
    kind: str
    """What its value is, for a person: number, list of numbers, ..."""
    default: str | None
    """Its default as TOML; None where there is none."""
    allowed: str
    """Bounds, or the values there are."""
    description: str
    """What it means, and in which unit."""


def settings() -> list[Key]:
    """Every key of a sweep file, in the order of the schema."""
    top, sections = [], []
    for name, field in Sweep.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            sections += [_key(name, key, inner) for key, inner in field.annotation.model_fields.items()]
        elif name == "ash":
            description = "mass fractions by nuclide, such as Fe56 = 1.0; a table for each name of axes.ash"
            sections.append(Key("ash.NAME", "NUCLIDE", "number", None, "0 to 1, together 1", description))
        else:
            top.append(_key("", name, field))
    return top + sections


def sections() -> dict[str, str]:
    """What each section is, by name."""
    return {
        name: (field.annotation.__doc__ or "").strip()
        for name, field in Sweep.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }


def _key(section: str, name: str, field: FieldInfo) -> Key:
    default = None if field.is_required() or field.default is None else _toml(field.default)
    return Key(section, name, _kind(field.annotation), default, _allowed(field), field.description or "")


def _kind(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return "name"
    if origin is typing.Annotated:
        return _kind(arguments[0])
    if origin is tuple:
        return f"list of {_kind(arguments[0])}s"
    if origin is dict:
        return f"table of {_kind(arguments[1])}s"
    if origin is not None:  # X | None
        return _kind(arguments[0])
    names = {float: "number", int: "integer", str: "text", bool: "true or false"}
    return names.get(annotation, str(annotation))


def _allowed(field: FieldInfo) -> str:
    if typing.get_origin(field.annotation) is typing.Literal:
        return ", ".join(map(str, typing.get_args(field.annotation)))
    inner = [m for a in typing.get_args(field.annotation) for m in getattr(a, "__metadata__", ())]
    bounds = [b for m in (*field.metadata, *inner) for b in getattr(m, "metadata", [m])]
    signs = {annotated_types.Gt: (">", "gt"), annotated_types.Ge: (">=", "ge")}
    signs |= {annotated_types.Lt: ("<", "lt"), annotated_types.Le: ("<=", "le")}
    found = [(signs[type(b)][0], getattr(b, signs[type(b)][1])) for b in bounds if type(b) in signs]
    return ", ".join(f"{sign} {_toml(value) if isinstance(value, float) else value}" for sign, value in found)


def _toml(value: Any) -> str:
    """A default as TOML."""
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, float):
        text = f"{value:.10g}".replace("e+", "e")
        return text if any(c in text for c in ".en") else text + ".0"
    return json.dumps(value)


def sweep_template() -> str:
    """A sweep file with every key at its default, explained."""
    lines = [
        "# A sweep of gpucrust: `gpucrust run THIS_FILE`. Every key but axes.mass_model may be left out; shown are the",
        '# defaults. Axes take a number, a list, or a range { start, stop, num, spacing = "log" or "linear" }.',
    ]
    docs, section = sections(), ""
    for key in settings():
        if key.section != section:
            section = key.section
            if section == "ash.NAME":
                lines += ["", f"# {key.description}", "[ash.fe56]", "Fe56 = 1.0"]
                continue
            lines += ["", f"# {docs[section]}", f"[{section}]"]
        elif section == "ash.NAME":
            continue
        value = key.default
        if (key.section, key.name) == ("axes", "mass_model"):
            value = json.dumps(MODELS)
        comment = key.description + (f" ({key.allowed})" if key.allowed else "")
        setting = f"{key.name} = {value}" if value is not None else f'# {key.name} = "..."'
        if len(setting) + len(comment) + 4 <= WIDTH:
            lines.append(f"{setting}  # {comment}" if comment else setting)
        else:
            lines += [f"# {comment}", setting]
    return "\n".join(lines) + "\n"
