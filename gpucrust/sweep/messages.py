"""What pydantic finds wrong with a sweep, in one line: where, what, and what is allowed."""

import json
import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from gpucrust.support.nearest import nearest

MOST_SHOWN = 60
"""Characters of a given value that a message repeats, at most."""


def describe(error: ValidationError, schema: type[BaseModel]) -> str:
    """The first problem that pydantic has found with a mapping, in one line. schema: what the mapping should be."""
    problem = error.errors(include_url=False)[0]
    location = [str(part) for part in problem["loc"]]
    key = ".".join(location)
    if problem["type"] == "extra_forbidden":
        known = _keys_of(schema, location[:-1])
        meant = f"; did you mean '{'.'.join([*location[:-1], nearest(location[-1], known)])}'?" if known else ""
        return f"unknown key '{key}'{meant}"
    message = problem["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    given = problem.get("input")
    shown = "" if problem["type"] in ("value_error", "missing") else f" (given: {_brief(given)})"
    if problem["type"] == "literal_error" and isinstance(given, str):
        allowed = re.findall("'(.+?)'", problem["ctx"]["expected"])
        shown += f"; did you mean '{nearest(given, allowed)}'?"
    return one_line(f"{key}: {message}{shown}" if key else message + shown)


def _keys_of(schema: type[BaseModel], location: Sequence[str]) -> list[str]:
    """Keys of the section at a place; none where there is no section."""
    model: Any = schema
    for part in location:
        field = model.model_fields.get(part) if isinstance(model, type) and issubclass(model, BaseModel) else None
        model = field.annotation if field else None
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _brief(value: Any) -> str:
    try:
        text = json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        text = repr(value)
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 3] + "..."


def one_line(text: str) -> str:
    """A text with its line breaks and other blanks as single blanks."""
    return " ".join(text.split())
