"""Documents: what they generate is complete, and what they say of the code, names, files, commands, is so."""

import ast
import importlib.util
import json
import re
import shlex
import tomllib
from importlib import import_module

import pytest
from typer.main import get_command

from gpucrust.cli import app
from gpucrust.sweep.config import check_sweep
from gpucrust.sweep.template import settings
from paths import ROOT
from published import HZ90, PROFILES

pytest.importorskip("mkdocs")
import yaml


def script(name):
    """A program of the folder `scripts` as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def hook():
    return script("docs_hook")


def test_every_equation_of_cs20_has_a_function(hook):
    rows = hook.equations().splitlines()[2:]
    assert {int(row.split("|")[1]) for row in rows} == set(range(1, 12))


def test_every_key_of_the_schema_is_in_the_reference(hook):
    text = hook.sweep_keys()
    for key in settings():
        assert f"| `{key.name}` |" in text
        assert key.section in ("", *re.findall(r"## \[(.+?)\]", text))


def test_every_published_number_stands_beside_ours(hook):
    text = hook.validation()
    for name, P in HZ90:
        assert re.search(rf"\| {name}( \(ours \w+\))? \| " + re.escape(f"{P:.4g} |"), text), name
    for rows in PROFILES.values():
        for row in rows:
            assert f"| {row[0]:.1f} | {row[1]:.4g} / " in text


def test_every_notebook_has_a_page_with_its_figures(hook):
    for path in hook.notebook_files():
        assert f"notebooks/{path.stem}.md" in hook.notebooks()
        stored = json.dumps(json.loads(path.read_text())).count('"image/png"')
        assert hook.notebook_page(path).count("](data:image/png;base64,") == stored >= 2


# --- the reference of the API


PACKAGE = ROOT / "gpucrust"
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
    if not path.stem.startswith("__") and path.parent.name != "cli"
}


def documented():
    """(module, options) of every module on the pages of the API, in order."""
    found = []
    for page in sorted((ROOT / "docs" / "api").glob("*.md")):
        for name, options in re.findall(r"^::: ([\w.]+)\n((?:    .*\n)*)", page.read_text() + "\n", re.MULTILINE):
            found.append((name, (yaml.safe_load(options) or {}).get("options", {})))
    return found


def test_every_module_is_in_the_reference_once():
    names = [name for name, _ in documented()]
    assert set(names) - MODULES == set(), "on a page of docs/api, but there is none"
    assert set(MODULES) - set(names) == set(), "on no page of docs/api: put it where its concept is"
    assert [name for name in names if names.count(name) > 1] == []


def test_members_chosen_for_the_reference_are_there():
    chosen = [(module, member) for module, options in documented() for member in options.get("members", [])]
    assert chosen
    for module, member in chosen:
        assert hasattr(import_module(module), member), f"{module}.{member}"


# --- what pages say of the code


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCED = re.compile(r"^ *```([^\n]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
FOLDERS = ("gpucrust", "tests", "docs", "scripts", "benchmarks", "notebooks", "sweeps")
FILES = {path.name for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}
per_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def blocks(page, language):
    """Fenced blocks of a language that are not files of a recipe."""
    return [code for head, code in FENCED.findall(page.read_text()) if head.strip() == language]


def codes(page):
    """What stands between backticks, but for blocks."""
    return re.findall(r"`([^`\n]+)`", FENCED.sub("", page.read_text()))


def assert_there(name):
    """A module, or something in one: a field of a class counts."""
    parts = name.split(".")
    length = next(n for n in range(len(parts), 0, -1) if find_spec_or_none(".".join(parts[:n])))
    thing = import_module(".".join(parts[:length]))
    for part in parts[length:]:
        assert hasattr(thing, part) or part in getattr(thing, "__annotations__", {}), name
        thing = getattr(thing, part, None)


def find_spec_or_none(name):
    try:
        return importlib.util.find_spec(name)
    except ModuleNotFoundError:  # of a parent that is no package
        return None


@per_page
def test_names_of_the_code_are_there(page):
    for code in codes(page):
        if re.fullmatch(r"gpucrust(\.\w+)+", code) and not code.endswith((".def", ".sif")):
            assert_there(code)


@per_page
def test_files_are_there(page):
    for code in codes(page):
        for word in code.split():
            if word.partition("/")[0] in FOLDERS and "/" in word:
                assert (ROOT / word).exists(), word
            elif word.endswith(".py"):
                assert word in FILES, word


@per_page
def test_what_examples_import_is_there(page):
    for code in blocks(page, "python"):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("gpucrust"):
                for alias in node.names:
                    assert_there(f"{node.module}.{alias.name}")


@per_page
def test_sweeps_in_pages_are_sweeps(page):
    for code in blocks(page, "toml"):
        if "[axes]" in code:
            check_sweep(tomllib.loads(code))


@per_page
def test_commands_in_pages_are_commands(page):
    lines = [line for _, code in FENCED.findall(page.read_text()) for line in code.splitlines()]
    for line in [*lines, *codes(page)]:
        if line.startswith("gpucrust ") and not line.startswith("gpucrust: "):
            words = shlex.split(line, comments=True)[1:]
            command = get_command(app)
            while words and words[0] in getattr(command, "commands", {}):
                command = command.commands[words.pop(0)]
            known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
            known |= {"--help", "--install-completion"}
            assert not hasattr(command, "commands") or not words or words[0].startswith("-"), line
            for word in words:
                assert not word.startswith("-") or word.partition("=")[0] in known, f"{line}: {word}"


@pytest.mark.parametrize("file", ["CONTRIBUTING.md", ".ci/run"])
def test_tasks_that_are_named_are_in_the_makefile(file):
    tasks = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", (ROOT / file).read_text(), re.MULTILINE))
    assert named
    assert named <= tasks


# --- the picture of the architecture


@pytest.fixture(scope="module")
def drawing():
    return script("draw_architecture")


def test_the_picture_is_of_the_code_as_it_is(drawing):
    same = drawing.PICTURE.read_text() == drawing.picture(PACKAGE)
    assert same, "draw it anew: make picture"


def write_package(folder, **modules):
    for name, code in modules.items():
        path = folder / "p" / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(code)
    return folder / "p"


def test_the_picture_has_importers_above_what_they_import(drawing, tmp_path):
    low, one, two = "import math\n", "def f():\n    from p import low\n", "from p.high import one\n"
    package = write_package(tmp_path, low=low, high__one=one, mid__two=two)
    files = drawing.modules(package)
    graph = {name: drawing.imports(path, package, files) for name, path in files.items()}
    assert graph["high.one"] == {"low"}
    assert graph["mid.two"] == {"high.one"}
    needs = drawing.packages(graph)
    assert needs == {"mid": {"high"}, "high": {"low"}, "low": set()}
    assert list(needs) == ["mid", "high", "low"]


def test_packages_that_import_each_other_cannot_be_drawn(drawing, tmp_path):
    package = write_package(tmp_path, a__one="import p.b.two\n", b__two="from p.a.one import f\n")
    with pytest.raises(SystemExit, match="circle: a, b"):
        drawing.picture(package)


def test_every_page_is_used_and_fills_what_it_asks_for(hook):
    nav = (ROOT / "mkdocs.yml").read_text()
    for page in (ROOT / "docs").rglob("*.md"):
        assert str(page.relative_to(ROOT / "docs")) in nav, page
        assert set(re.findall(r"\{\{ (\w+) \}\}", page.read_text())) <= set(hook.FILLED), page
