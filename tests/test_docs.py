"""What the documents generate: every equation, key, published number and notebook is there."""

import importlib.util
import json
import re

import pytest

from gpucrust.sweep.template import settings
from paths import ROOT
from published import HZ90, PROFILES

pytest.importorskip("mkdocs")


@pytest.fixture(scope="module")
def hook():
    spec = importlib.util.spec_from_file_location("docs_hook", ROOT / "scripts" / "docs_hook.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


HELPERS = {"cache", "folder", "minimum", "nearest", "precision", "ragged", "textfile"}
"""Modules that nobody calls from outside."""


def test_every_module_is_in_the_api_reference():
    text = "\n".join(page.read_text() for page in (ROOT / "docs" / "api").glob("*.md"))
    documented = set(re.findall(r"^::: gpucrust\.([\w.]+)$", text, re.MULTILINE))
    package = ROOT / "gpucrust"
    modules = {".".join(path.relative_to(package).with_suffix("").parts) for path in package.rglob("*.py")}
    modules = {name.removesuffix(".__init__") for name in modules if not name.startswith(("cli", "__init__"))}
    assert modules - documented == HELPERS | {"masses"}  # whose names are those of its modules


def test_every_page_is_used_and_fills_what_it_asks_for(hook):
    nav = (ROOT / "mkdocs.yml").read_text()
    for page in (ROOT / "docs").rglob("*.md"):
        assert str(page.relative_to(ROOT / "docs")) in nav, page
        assert set(re.findall(r"\{\{ (\w+) \}\}", page.read_text())) <= set(hook.FILLED), page
