"""Files for other tools: what is written is what their own readers read, digit by digit."""

import csv
import shutil
import subprocess

import fortranformat
import numpy as np
import pandas
import pytest

from gpucrust.constants import ATOMIC_MASS_UNIT, DYN_PER_CM2, NEUTRON_EXCESS
from gpucrust.masses import load_model
from gpucrust.results import export

# the formats of read_abuntime, dStar's dStar_crust/preprocessor/src/abuntime.f
HEADER, ZONE, ABUNDANCES = "(1x,i5)", "(1x,1e18.10,2e11.3,2X,2E18.10)", "(1x,5(a5,1pe10.3))"
FORTRAN = f"""
program reader
  integer :: nion, k, ios
  double precision :: time, T, rho, fermi_e, fermi_n
  character(len=5), allocatable :: names(:)
  double precision, allocatable :: Y(:)
  read(5,'{HEADER}') nion
  allocate(names(nion), Y(nion))
  print '(i0)', nion
  do
    read(5,'{ZONE}',iostat=ios) time, T, rho, fermi_e, fermi_n
    if (ios /= 0) exit
    read(5,'{ABUNDANCES}') (names(k),Y(k),k=1,nion)
    read(5,*)
    print '(5es25.16)', time, T, rho, fermi_e, fermi_n
    print '(a5,es25.16)', (adjustl(names(k)),Y(k),k=1,nion)
  end do
end program
"""
GRAVITY, MDOT = 1.85052e14, 8.8e4 * 0.3


@pytest.fixture(scope="module")
def crust(result):
    return export.one_crust(export.select(result, {"mass_model": "FRDM95+DZ31"}))


@pytest.fixture
def chosen(result):
    return export.select(result, {"mass_model": "FRDM95+DZ31"})


def test_energy_follows_from_the_masses_of_what_is_there(crust):
    """Euler's relation, e = sum_i n_i M_i + n_e mu_e + n_n mu_n - P, against the integral of the first law."""
    Z, A = crust.nuclide_Z.values, crust.nuclide_A.values
    M = A * ATOMIC_MASS_UNIT + load_model("FRDM95+DZ31").mixed[Z, A - Z]
    Y = (crust.composition / crust.nuclide_A).values
    mu_n = ATOMIC_MASS_UNIT + NEUTRON_EXCESS + crust.mu_n.values
    per_baryon = (Y * M).sum(axis=1) + crust.Y_e.values * crust.mu_e.values + crust.X_n.values * mu_n
    expected = crust.n_b.values * per_baryon - crust.pressure.values / DYN_PER_CM2
    # the integral is a sum of trapezia, 0.02 wide in ln P, over jumps of the density
    np.testing.assert_allclose(export.energy_density(crust), expected, rtol=1e-5)


def test_npz_is_a_crust_for_jester(chosen, crust, tmp_path):
    """As jester's Crust loads it: n, p, e; n increases, p is positive, and sound is slower than light."""
    assert export.write_npz(chosen, tmp_path / "crust.npz") == [tmp_path / "crust.npz"]
    with np.load(tmp_path / "crust.npz") as file:
        assert set(file) == {"n", "p", "e"}
        n, p, e = file["n"], file["p"], file["e"]
    np.testing.assert_array_equal(n, crust.n_b)
    np.testing.assert_allclose(p * DYN_PER_CM2, crust.pressure, rtol=1e-15)
    np.testing.assert_array_equal(e, export.energy_density(crust))
    assert np.all(np.diff(n) > 0)
    assert np.all(p > 0)
    assert np.all((np.diff(p) > 0) & (np.diff(p) < np.diff(e)))


def test_csv_holds_every_profile_of_every_member_to_the_last_digit(result, tmp_path):
    export.write_csv(result, tmp_path / "x.csv")
    comments, rows = read_csv(tmp_path / "x.csv")
    assert len(rows) == 2 * result.sizes["pressure"]
    profiles = [name for name, v in result.data_vars.items() if "pressure" in v.dims and name != "composition"]
    assert len(profiles) > 20
    for i, model in enumerate(result.mass_model.values):
        own = [row for row in rows if row["mass_model"] == model]
        for name in profiles:
            expected = result[name].isel(mass_model=i, missing_dims="ignore").squeeze().values
            written = [float(row[name]) for row in own]
            np.testing.assert_array_equal(written, np.broadcast_to(expected, len(own)), err_msg=name)
    assert "# rho [g cm-3]: baryon rest mass density n_b m_u\n" in comments


def test_csv_is_read_by_pandas_whatever_title_and_history_are(result, tmp_path):
    told = result.assign_attrs(title="two\nlines", history="started: evolutions 2\ncomputed: ok 2")
    export.write_csv(told, tmp_path / "x.csv")
    frame = pandas.read_csv(tmp_path / "x.csv", comment="#").set_index(["mass_model", "pressure"])
    for model in result.mass_model.values:
        np.testing.assert_array_equal(frame.loc[model].mu_e, result.mu_e.sel(mass_model=model).squeeze())


def test_csv_leaves_missing_values_empty(result, tmp_path):
    failed = result.copy()
    failed["mu_e"] = failed.mu_e.where(failed.mass_model != "DZ31")
    export.write_csv(failed, tmp_path / "x.csv")
    rows = read_csv(tmp_path / "x.csv")[1]
    assert {row["mass_model"] for row in rows if row["mu_e"] == ""} == {"DZ31"}


def read_csv(path):
    """Comments, and rows as dictionaries of text."""
    lines = path.read_text().splitlines(keepends=True)
    comments = [line for line in lines if line.startswith("#")]
    return comments, list(csv.DictReader(lines[len(comments) :]))


def read_abuntime(path):
    """As dStar's read_abuntime, with Fortran's own rules for formatted input."""
    lines = iter(path.read_text().splitlines())
    (number,) = fortranformat.FortranRecordReader(HEADER).read(next(lines))
    zone, row = fortranformat.FortranRecordReader(ZONE), fortranformat.FortranRecordReader(ABUNDANCES)
    # a format that has run out begins again at its last group
    more = fortranformat.FortranRecordReader("(" + ABUNDANCES[4:])
    headers, abundances = [], []
    for line in lines:
        headers.append(zone.read(line))
        fields = row.read(next(lines))
        for _ in range(-(-number // 5) - 1):
            fields += more.read(next(lines))
        pairs = list(zip(fields[::2], fields[1::2], strict=True))[:number]
        abundances.append({name.strip(): Y for name, Y in pairs})
        assert next(lines).startswith("0---")
    return np.array(headers), abundances


def test_dstar_composition_as_its_reader_reads_it(chosen, crust, tmp_path):
    written = export.write_dstar(chosen, tmp_path / "crust")
    assert [p.name for p in written] == ["crust", "crust.heating", "crust.inlist"]
    headers, abundances = read_abuntime(tmp_path / "crust")
    time, T, rho, _, mu_n = headers.T
    np.testing.assert_allclose(GRAVITY * MDOT * time, crust.pressure, rtol=1e-10)
    np.testing.assert_allclose(rho, crust.rho, rtol=5e-5)
    np.testing.assert_allclose(mu_n, crust.mu_n, rtol=1e-10, atol=1e-12)
    assert np.all(T == 0.1)
    for i in range(0, len(abundances), 50):
        zone = abundances[i]
        assert zone["n"] == pytest.approx(float(crust.X_n[i]), rel=5e-5, abs=1e-99)
        for name, A, X in zip(crust.nuclide.values, crust.nuclide_A.values, crust.composition.values[i], strict=True):
            assert zone[str(name).lower()] == pytest.approx(X / A, rel=5e-5, abs=1e-99)
        mass = sum(Y * int("".join(c for c in name if c.isdigit()) or 1) for name, Y in zone.items())
        assert mass == pytest.approx(1, abs=1e-4)  # five digits


@pytest.mark.skipif(shutil.which("gfortran") is None, reason="gfortran is not installed")
def test_a_fortran_program_reads_the_same(chosen, tmp_path):
    export.write_dstar(chosen, tmp_path / "crust")
    (tmp_path / "reader.f90").write_text(FORTRAN)
    subprocess.run(["gfortran", "-o", tmp_path / "reader", tmp_path / "reader.f90"], check=True)
    with (tmp_path / "crust").open() as file:
        done = subprocess.run([tmp_path / "reader"], stdin=file, check=True, capture_output=True, text=True)
    lines = iter(done.stdout.splitlines())
    number = int(next(lines))
    headers, abundances = read_abuntime(tmp_path / "crust")
    for header, zone in zip(headers, abundances, strict=True):
        np.testing.assert_allclose([float(x) for x in next(lines).split()], header, rtol=1e-15)
        fields = [next(lines).split() for _ in range(number)]
        assert {name: float(Y) for name, Y in fields} == zone
    assert next(lines, None) is None


def test_dstar_heating_adds_up(chosen, crust, tmp_path):
    export.write_dstar(chosen, tmp_path / "crust")
    lg_P, lg_rho, heat = np.loadtxt(tmp_path / "crust.heating").T
    np.testing.assert_array_equal(lg_P, np.log10(crust.pressure))
    np.testing.assert_array_equal(lg_rho, np.log10(crust.rho))
    np.testing.assert_array_equal(heat, crust.heat)
    lines = (tmp_path / "crust.inlist").read_text()
    controls = dict(line.split("!")[0].split("=") for line in lines.splitlines())
    controls = {name.strip(): float(value) for name, value in controls.items()}
    assert controls["Q_heating_outer"] + controls["Q_heating_inner"] == pytest.approx(float(crust.heat[-1]), abs=1e-4)
    drip = np.log10(crust.pressure[np.argmax(crust.X_n.values > 0)])
    outer = controls["lgP_min_heating_outer"], controls["lgP_max_heating_outer"]
    inner = controls["lgP_min_heating_inner"], controls["lgP_max_heating_inner"]
    assert outer[0] < outer[1] <= drip <= inner[0] < inner[1]


def test_nscool_sources_are_all_the_heat(chosen, crust, tmp_path):
    export.write_nscool(chosen, tmp_path / "x.dat")
    rho, q = np.loadtxt(tmp_path / "x.dat").T
    assert np.all(q > 0)
    assert np.all(np.diff(rho) > 0)
    up_to = np.interp(crust.rho, rho, np.cumsum(q))
    at_sources = np.isin(crust.rho, rho)
    np.testing.assert_allclose(up_to[at_sources], crust.heat[at_sources], rtol=1e-13)
    assert q.sum() == pytest.approx(float(crust.heat[-1]), rel=1e-13)


def test_what_cannot_be_exported_says_why(result, chosen, tmp_path):
    for write, ds, says in (
        (export.write_npz, result, "--select AXIS=VALUE .*mass_model: FRDM95"),
        (export.write_dstar, chosen.drop_vars("composition"), "output.composition = true"),
        (export.write_csv, chosen.drop_vars("mu_e"), "output.profiles = true"),
        (export.write_npz, chosen.assign_attrs(sweep=chosen.sweep.replace("mackie-baym", "mine")), "matter 'mine'"),
        (export.write_nscool, chosen.assign(status=chosen.status + 3), "no result: it reached a nuclide at the edge"),
    ):
        with pytest.raises(export.ExportError, match=says):
            write(ds, tmp_path / "x")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ({"mass_modl": "DZ31"}, "no axis 'mass_modl'; did you mean mass_model"),
        ({"mass_model": "DZ3"}, "did you mean DZ31.*there are FRDM95"),
        ({"g": "fast"}, "2e.?14|200000"),
    ],
)
def test_a_choice_that_is_none_names_what_there_is(result, choice, says):
    with pytest.raises(export.ExportError, match=says):
        export.select(result, choice)
    assert export.select(result, {"g": "2e14"}).sizes == {k: v for k, v in result.sizes.items() if k != "g"}
