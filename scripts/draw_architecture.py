"""Draw docs/architecture.svg from the imports of the package: `python scripts/draw_architecture.py [--check]`.

A row for every package, and for every module beside them, each above all that it imports; on the right, which imports
which. With --check nothing is written: exit status 1 where the picture is not of the code as it is.
"""

import argparse
import ast
import textwrap
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "architecture.svg"

STATIONS = {"sweep": 1, "engine": 2, "profiles": 3, "results": 4}
"""Packages that a number goes through, in order, from a sweep file to a dataset."""
COLOURS = {
    "cli": "#7a869a",
    "jobs": "#7a869a",
    "sensitivity": "#aa6f9e",
    "results": "#3f8f7f",
    "profiles": "#3f8f7f",
    "sweep": "#c08a3e",
    "engine": "#3c6fa5",
    "masses": "#b5594c",
    "physics": "#b5594c",
}
GROUND = "#8a8a82"
"""Colour of what everything may stand on."""

WIDTH, MARGIN, GAP = 790, 12, 6
NAME, TOWER, CELL = 112, 450, 20
"""Widths of the names, of the rows, and of a column of the matrix."""
LINE, CHARACTER, HEADING = 15, 6.0, 96
"""Height of a line of modules, width of a character, height of the columns' headings."""


# --- what there is


def modules(package: Path) -> dict[str, Path]:
    """Files of all modules but the package itself, by their names within it; of packages, their __init__."""
    files = sorted(path for path in package.rglob("*.py") if path.parent != package or path.stem != "__init__")
    return {".".join(path.relative_to(package).with_suffix("").parts).removesuffix(".__init__"): path for path in files}


def imports(path: Path, package: Path, known: Iterable[str]) -> set[str]:
    """Modules of the package that a file imports, also while types are checked or within functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if _within(name, package) in known else node.module for name in names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in (_within(full, package) for full in found) if name in known}


def _within(name: str, package: Path) -> str:
    return name.removeprefix(f"{package.name}.") if name.startswith(f"{package.name}.") else ""


def reach(graph: Mapping[str, set[str]], name: str) -> set[str]:
    """All that is imported, directly or not."""
    found: set[str] = set()
    left = set(graph[name])
    while left:
        found |= left
        left = set().union(*(graph[other] for other in left)) - found
    return found


def packages(graph: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """What each package (or module beside them) imports from others, from the last to import to the first imported."""
    names = {name.partition(".")[0] for name in graph}
    needs = {
        name: {
            other.partition(".")[0]
            for module, imported in graph.items()
            if module.partition(".")[0] == name
            for other in imported
        }
        - {name}
        for name in names
    }
    ordered: list[str] = []
    while len(ordered) < len(names):
        ready = sorted(name for name in names - set(ordered) if needs[name] <= set(ordered))
        if not ready:
            raise SystemExit(f"packages import each other in a circle: {', '.join(sorted(names - set(ordered)))}")
        ordered += sorted(ready, reverse=True)
    return {name: needs[name] for name in reversed(ordered)}


# --- the picture


def text(x: float, y: float, what: str, kind: str = "", more: str = "") -> str:
    """A line of text."""
    return f'<text x="{x:g}" y="{y:g}" class="{kind}"{more}>{escape(what)}</text>'


def box(x: float, y: float, width: float, height: float, colour: str, opacity: float = 0.13) -> str:
    """A rounded box."""
    place = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5"'
    return f'<rect {place} fill="{colour}" fill-opacity="{opacity:g}" stroke="{colour}" stroke-opacity="0.7"/>'


def wrapped(names: Iterable[str], width: float) -> list[str]:
    """Names of modules in lines of a width, with dots between those of one line."""
    in_lines = textwrap.wrap(" ".join(sorted(names)).replace(" ", ". "), int(width / CHARACTER), break_on_hyphens=False)
    return [line.rstrip(".").replace(". ", " · ") for line in in_lines]


def lines(x: float, y: float, what: Iterable[str]) -> list[str]:
    """Lines of text below each other, the first with its middle half a line below y."""
    return [text(x, y + LINE * (i + 0.5) + 4, line, "module") for i, line in enumerate(what)]


def plain_row(y: float, name: str, inside: Iterable[str], colour: str) -> tuple[list[str], float]:
    """A package and its modules; and the height."""
    body = wrapped(inside, TOWER - NAME - 8)
    height = 10 + LINE * max(1, len(body))
    return [box(MARGIN, y, TOWER, height, colour), *lines(MARGIN + NAME, y + 5, body)], height


def nested_row(
    y: float, name: str, inside: Mapping[str, set[str]], graph: Mapping[str, set[str]], colour: str
) -> tuple[list[str], float]:
    """A package with packages inside: above them its modules that import them, below those that they import."""
    x, width = MARGIN + NAME, TOWER - NAME - 8
    inner = {sub: own for sub, own in inside.items() if own}
    subs = {f"{name}.{sub}" for sub in inner}
    alone = [module for module in inside if module not in inner]
    stands_on = {module for module in alone if any(_in(part, subs) for part in reach(graph, f"{name}.{module}"))}
    above = wrapped(stands_on, width)
    parts, top = lines(x, y + 5, above), y + 5 + LINE * len(above) + 4
    each = (width - GAP * (len(inner) - 1)) / len(inner)
    bodies = {sub: wrapped(own, each - 14) for sub, own in inner.items()}
    tall = 24 + LINE * max(len(body) for body in bodies.values())
    for i, (sub, body) in enumerate(bodies.items()):
        left = x + i * (each + GAP)
        parts += [box(left, top, each, tall, colour, 0.16), text(left + 8, top + 16, sub, "inner")]
        parts += lines(left + 8, top + 20, body)
    top += tall + 4
    below = wrapped(set(alone) - stands_on, width)
    height = top + LINE * len(below) + 5 - y
    return [box(MARGIN, y, TOWER, height, colour), *parts, *lines(x, top, below)], height


def _in(module: str, packages: set[str]) -> bool:
    return module in packages or module.rpartition(".")[0] in packages


def contents(graph: Mapping[str, set[str]], name: str) -> dict[str, set[str]]:
    """Modules of a package, each with the modules inside if it is a package itself."""
    own = [module.removeprefix(f"{name}.") for module in graph if module.startswith(f"{name}.")]
    return {
        module: {other.removeprefix(f"{module}.") for other in own if other.startswith(f"{module}.")}
        for module in own
        if "." not in module and module != "__main__"
    }


def matrix(rows: Mapping[str, tuple[float, float]], needs: Mapping[str, set[str]]) -> list[str]:
    """Which package imports which: a square in the row of the one and the column of the other."""
    left, names = MARGIN + TOWER + 22, list(needs)
    last = sum(rows[names[-1]])
    parts = []
    for i, name in enumerate(names):
        x = left + CELL * (i + 0.5)
        (y, height), colour = rows[name], COLOURS.get(name, GROUND)
        turned = f' transform="rotate(-58 {x:g} {HEADING - 8:g})"'
        parts.append(text(x, HEADING - 8, name, "heading", turned))
        parts.append(f'<path d="M{x:g} {HEADING:g}V{last:g}" class="grid"/>')
        parts.append(f'<path d="M{left:g} {y + height / 2:g}h{CELL * len(names):g}" class="grid"/>')
        parts.append(f'<circle cx="{x:g}" cy="{y + height / 2:g}" r="3.5" fill="{colour}"/>')
    for name, needed in needs.items():
        y, height = rows[name]
        for other in sorted(needed, key=names.index):
            x = left + CELL * (names.index(other) + 0.5)
            place = f'x="{x - 7:g}" y="{y + height / 2 - 7:g}" width="14" height="14" rx="2"'
            parts.append(f'<rect {place} fill="{COLOURS.get(name, GROUND)}"/>')
    return parts


STYLE = """
text { font-family: "Segoe UI", "Helvetica Neue", "DejaVu Sans", Arial, sans-serif; fill: #24292f; }
.name { font-size: 14px; font-weight: 600; } .inner { font-size: 12px; font-weight: 600; }
.module { font-size: 11px; fill: #4a525a; } .heading { font-size: 12px; } .note { font-size: 11.5px; fill: #4a525a; }
.number { font-size: 11px; font-weight: 600; fill: #ffffff; text-anchor: middle; } .grid { stroke: #d9dde2; }
"""


def picture(package: Path) -> str:
    """The picture of a package as SVG."""
    files = modules(package)
    graph = {name: imports(path, package, files) for name, path in files.items()}
    needs = packages(graph)
    parts: list[str] = []
    rows: dict[str, tuple[float, float]] = {}
    y: float = HEADING
    for name in needs:
        inside, colour = contents(graph, name), COLOURS.get(name, GROUND)
        drawn, height = (
            nested_row(y, name, inside, graph, colour) if any(inside.values()) else plain_row(y, name, inside, colour)
        )
        parts += [*drawn, text(MARGIN + 9, y + 19, name, "name")]
        if name in STATIONS:
            x = MARGIN + NAME - 18
            parts += [
                f'<circle cx="{x:g}" cy="{y + 14:g}" r="8" fill="{colour}"/>',
                text(x, y + 18, str(STATIONS[name]), "number"),
            ]
        rows[name] = y, height
        y += height + GAP
    notes = (
        "Each row imports only from rows below it.",
        "Right: a square where the package of the row imports",
        "the package of the column; circles are the diagonal.",
        "1 to 4: from the sweep file to the dataset.",
    )
    parts += [text(MARGIN, 22 + 17 * i, note, "note") for i, note in enumerate(notes)]
    parts += matrix(rows, needs)
    height = y + MARGIN - GAP
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {height:g}" role="img">'
    title = f"<title>The packages of {package.name}, and which imports which</title>"
    ground = f'<rect width="{WIDTH:g}" height="{height:g}" rx="8" fill="#ffffff"/>'
    return "\n".join([head, title, f"<style>{STYLE}</style>", ground, *parts, "</svg>\n"])


def main() -> None:
    """Write the picture, or check it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 if it would change")
    check = parser.parse_args().check
    drawn = picture(ROOT / "gpucrust")
    if not check:
        PICTURE.write_text(drawn)
    elif not PICTURE.exists() or PICTURE.read_text() != drawn:
        raise SystemExit("docs/architecture.svg is not of the code as it is: python scripts/draw_architecture.py")


if __name__ == "__main__":
    main()
