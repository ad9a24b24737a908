"""The validation page of the documents: published numbers, and what gpucrust gives, side by side."""

import json
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])


def validation() -> str:
    """Published numbers and ours, side by side."""
    sys.path.insert(0, str(ROOT / "tests"))
    published = import_module("published")
    ours = json.loads((ROOT / "docs" / "measured.json").read_text())
    parts = (
        _statements,
        _layers,
        _one_component,
        _profiles,
        _ground_state,
        _masses,
        _flux,
        _fusion,
        _equation_of_state,
    )
    return "\n\n".join(paragraph for part in parts for paragraph in part(published, ours))


def side_by_side(head: Sequence[str], rows: Iterable[tuple[str, float, float]], form: str = ".4g") -> str:
    """A table of published numbers and ours."""
    cells = [
        (name, f"{theirs:{form}}", f"{own:{form}}", f"{own / theirs - 1:+.2%}" if theirs else "")
        for name, theirs, own in rows
    ]
    return table((*head, "difference"), cells)


def _one_component(published: Any, ours: dict[str, Any]) -> list[str]:
    zipped = zip(published.HZ90, ours["one component"], strict=True)
    return [
        "## The one-component crust",
        f"{published.HAENSEL_ZDUNIK}: what the crust becomes, and at what pressure (dyn cm⁻²). Ours with `MB-refit`, "
        "`sweeps/one_component.toml`; which thresholds were fitted, and why 56Ti differs, is in "
        "[its page](one_component.md).",
        side_by_side(
            ("nuclide", "published", "ours"),
            ((a if a == b else f"{a} (ours {b})", P, Q) for (a, P), (b, Q) in zipped),
        ),
    ]


def _profiles(published: Any, ours: dict[str, Any]) -> list[str]:
    parts = [
        "## Profiles",
        f"Against {published.SCALAR_CODE}. ρ in g cm⁻³, energies in MeV. Theirs / ours. Heat differs "
        "by 0.008 MeV throughout, by what burns before lg P = 28 and where a run begins.",
    ]
    for model, rows in published.PROFILES.items():
        lines = [
            (f"{own[0]:.1f}", *(f"{a:.4g} / {b:.4g}" for a, b in zip(row[1:], own[1:], strict=True)))
            for row, own in zip(rows, ours["profiles"][model], strict=True)
        ]
        parts += [f"**{model}**", table(("lg P", "ρ", "μ_e", "μ_n", "X_n", "heat"), lines)]
    return parts


def _ground_state(published: Any, ours: dict[str, Any]) -> list[str]:
    drip = ours["neutron drip"]
    theirs = [_nuclide(Z, A) for Z, A in published.OUTER_CRUST]
    same = [name for name in drip["nuclides"] if name in theirs]
    return [
        "## Ground state",
        f"{published.PEARSON_GORIELY_CHAMEL}, AME and HFB21 with the lattice. Their outer crust: {', '.join(theirs)}. "
        f"Ours, from 10²⁵ dyn cm⁻² down: {', '.join(same)}.",
        side_by_side(("", "published", "ours"), [("neutron drip, n_b / fm⁻³", published.NEUTRON_DRIP, drip["n_b"])]),
    ]


def _masses(published: Any, ours: dict[str, Any]) -> list[str]:
    return [
        "## Masses",
        f"Mass excess (MeV) by {published.DUFLO_ZUKER}.",
        side_by_side(
            ("nuclide", "published", "ours"),
            ((_nuclide(Z, Z + N), m, own) for (Z, N, m), own in zip(published.DZ31, ours["DZ31"], strict=True)),
            ".3f",
        ),
        "Root mean square against AME2016 (MeV), Z and N from 8 on, 2408 nuclides: that each theory's table was taken "
        "over as published.",
        side_by_side(
            ("table", "separately", "ours"),
            ((name, rms, ours["rms"][name]) for name, rms in published.RMS.items()),
            ".3f",
        ),
    ]


def _flux(published: Any, ours: dict[str, Any]) -> list[str]:
    return [
        "## Flux",
        f"{published.CS20}, cm⁻² s⁻¹, at A = 70, g = 10¹⁴ cm s⁻², ρ_n = 10¹² g cm⁻³.",
        side_by_side(
            ("", "published", "ours"),
            [
                ("eq. 11, middle form", published.FLUX_EQ_11, ours["eq 11"]),
                ("eq. 11, right-hand form", published.FLUX_EQ_11_ROUNDED, ours["eq 11 rounded"]),
                ("baryon flux of Eddington accretion", published.FLUX_EDDINGTON, ours["Eddington"]),
            ],
        ),
    ]


def _fusion(published: Any, ours: dict[str, Any]) -> list[str]:
    s_factors = (
        (f"S, {_nuclide(Z1, A1)} + {_nuclide(Z2, A2)}", value, own)
        for ((Z1, A1, Z2, A2), value), own in zip(published.S_FACTORS, ours["S factors"], strict=True)
    )
    rates = (
        (f"rate, {_nuclide(*nuclides[0])} + {_nuclide(*nuclides[-1])} at {rho:.4g} g cm⁻³", value, own)
        for (nuclides, rho, _, _, value), own in zip(published.RATES, ours["rates"], strict=True)
    )
    return [
        "## Fusion",
        f"{published.FUSION}: log₁₀ of S (MeV barn) at 0.1 MeV and of the rate (cm⁻³ s⁻¹).",
        side_by_side(("", "separately", "ours"), [*s_factors, *rates]),
    ]


def _equation_of_state(published: Any, ours: dict[str, Any]) -> list[str]:
    rows = [
        (*map(str, row[:3]), *(f"{a:.7g} / {b:.7g}" for a, b in zip(row[3:], own, strict=True)))
        for row, own in zip(published.EOS, ours["equation of state"], strict=True)
    ]
    return [
        "## Equation of state",
        f"{published.EQUATION_OF_STATE}: μ_e, μ_n (MeV), P (dyn cm⁻²). Theirs / ours.",
        table(("n_b / fm⁻³", "Y_e", "Y_n", "μ_e", "μ_n", "P"), rows),
    ]


def _statements(published: Any, ours: dict[str, Any]) -> list[str]:
    """What CS20 state, what a run gives, and whether it agrees."""
    rows, holding = [], 0
    for name, statement in published.CS20_STATEMENTS.items():
        value = ours["CS20"][name]
        values = list(value.values()) if isinstance(value, dict) else [value]
        true = sum(statement.least <= x <= statement.most for x in values)
        holding += bool(statement.section) and true == len(values)
        given = (
            ", ".join(f"{model.removesuffix('+DZ31')} {x:.3g}" for model, x in value.items())
            if isinstance(value, dict)
            else f"{value:.3g}"
        )
        agrees = "yes" if true == len(values) else "**no**" if true == 0 else f"**in {true} of {len(values)}**"
        rows.append((statement.section, statement.says, f"{statement.measured}: {given}", agrees))
    return [
        "## CS20, statement by statement",
        "The statements of CS20's sections 2 and 3 that a run can check, in our words, beside what a run gives: "
        "`sweeps/figure1_liquid_drop.toml` unless said otherwise, ⁵⁶Fe ash, g = 2×10¹⁴ cm s⁻², ṁ = 3×10⁴ g cm⁻² s⁻¹. A "
        "statement without a number counts as true where what is small is below 0.1, what is strong is CS20's own "
        "|R - 1| > 0.5, and what is of the order is within a factor of ten. Rows without a section look into the "
        f"statement above them. {holding} of {sum(bool(row[0]) for row in rows)} statements hold in all they say.",
        table(("section", "statement of CS20", "what a run gives", "agrees?"), rows),
    ]


def _layers(published: Any, ours: dict[str, Any]) -> list[str]:
    """Layers out of equilibrium of every mass model, by regime."""
    rows = []
    for model, found in ours["layers of figure 1"].items():
        cells = [
            ", ".join(
                f"{start / 1e30:.3g}-{end / 1e30:.3g} ({thickness:.2g} m)"
                for regime, start, end, thickness, _ in found
                if regime == kind
            )
            for kind in ("decreasing", "flat", "steep")
        ]
        rows.append((model, *cells))
    return [
        "## Layers of figure 1",
        "Layers of 1 m or more out of diffusion equilibrium in those crusts: pressures in 10³⁰ dyn cm⁻², and "
        "thickness.",
        table(("mass model", "μ_e falls, R < 0", "flat (blue), 0 ≤ R < 0.5", "steep (red), R > 1.5"), rows),
    ]


def _nuclide(Z: int, A: int) -> str:
    from gpucrust.nuclide import nuclide_name

    return nuclide_name(Z, A - Z)
