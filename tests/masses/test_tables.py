"""Mass tables: what is packaged is what was published, and a bad table is refused in one line."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from gpucrust.masses import tables
from gpucrust.masses.tables import MassTable, MassTableError, MissingTableError, packaged_provenance, packaged_table
from paths import ROOT

SHARED = ROOT.parent / "shared" / "data"
CSV = {
    "AME2016": "ame2016.csv",
    "AME2020": "ame2020.csv",
    "FRDM95": "frdm1995.csv",
    "HFB21": "hfb21.csv",
    "HFB24": "hfb24.csv",
    "HFB26": "hfb26.csv",
    "BSkG3": "bskg3.csv",
    "BSkG4": "bskg4.csv",
}
# nuclides, and the beginning of the checksum of the rows
PUBLISHED = {
    "AME2016": (2498, "cca2f5ac84724773"),
    "AME2020": (2550, "b5daf3ee341dd7de"),
    "FRDM95": (8979, "59a7ec801e46ba47"),
    "HFB21": (8387, "f1fab9b371b4e60c"),
    "HFB24": (8392, "d06c6a76570136a7"),
    "HFB26": (9511, "402c6d15441749ec"),
    "BSkG3": (8481, "eaf9e5bd4cb1d311"),
    "BSkG4": (7843, "acacc76cfd7e9de3"),
}


@pytest.fixture
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the CSV tables the package was built from are not here")
    return SHARED


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.csv"
    path.write_text(text, encoding="utf-8")
    return path


# --- packaged


def test_the_package_holds_these_tables_and_not_frdm2012():
    assert set(packaged_provenance()) == set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_packaged_table_has_every_published_digit(name):
    table, about = packaged_table(name), packaged_provenance()[name]
    checksum = tables.rows_checksum(table, about["decimals"])
    assert (len(table), checksum[:16]) == PUBLISHED[name]
    assert checksum == about["sha256"]
    assert about["count"] == len(table)
    assert table.citation == about["citation"]
    assert any(journal in table.citation for journal in ("Chin. Phys. C", "Data Tables", "Phys. Rev. C", "Phys. J. A"))


@pytest.mark.parametrize("name", PUBLISHED)
def test_packaged_table_is_the_same_float64_as_its_csv(name, shared):
    ours, theirs = packaged_table(name), tables.read_csv(shared / CSV[name], name)
    for field in ("Z", "N", "mass_excess"):
        np.testing.assert_array_equal(getattr(ours, field), getattr(theirs, field))
    assert ours.citation == theirs.citation


def test_packaged_arrays_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        packaged_table("AME2016").mass_excess[0] = 0.0


def test_the_build_script_writes_the_same_bytes_each_time_and_what_is_packaged(tmp_path, shared):
    build = runpy.run_path(str(ROOT / "scripts" / "build_mass_data.py"))["build"]
    for target in ("first.npz", "second.npz"):
        build(shared, tmp_path / target)
    assert (tmp_path / "first.npz").read_bytes() == (tmp_path / "second.npz").read_bytes()
    packaged = ROOT / "gpucrust" / "masses" / "data" / "masses.npz"
    with np.load(tmp_path / "first.npz") as new, np.load(packaged) as old:
        assert new.files == old.files
        for name in new.files:
            np.testing.assert_array_equal(new[name], old[name])


def test_checksum_depends_on_every_figure_and_not_on_the_sign_of_zero():
    def checksum(*rows):
        return tables.rows_checksum(MassTable.from_rows("", rows, ""), 2)

    assert checksum((8, 8, -0.001), (8, 9, 1.0)) == checksum((8, 9, 1.0), (8, 8, 0.0))
    assert checksum((8, 8, 0.01), (8, 9, 1.0)) != checksum((8, 8, 0.0), (8, 9, 1.0))


# --- a user's CSV


def test_a_user_table_is_read_whatever_its_order_columns_and_comments(tmp_path):
    text = "\ufeff# ours\r\nname,N, Z ,mass_excess\r\n# middle\r\nFe,30,26,-60.6\r\n\r\nO,8.0,8,-4.7\r\n"
    table = tables.read_user_table(write(tmp_path, text), "ours")
    assert (table.name, table.citation) == ("ours", "ours")
    np.testing.assert_array_equal(table.Z, [8, 26])
    np.testing.assert_array_equal(table.N, [8, 30])
    np.testing.assert_array_equal(table.mass_excess, [-4.7, -60.6])


HEADER = "Z,N,mass_excess\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the file is empty"),
        ("# only a comment\n", "the file is empty"),
        (HEADER, "no masses after the header"),
        ("# ours\nZ,A,mass_excess\n26,56,-60.6\n", "line 2: no column N; needed: Z,N,mass_excess"),
        (HEADER + "26,30\n", "line 2: 2 values where the header has 3"),
        (HEADER + "26,30,\n", "line 2: mass_excess = '' is not a number"),
        (HEADER + "26,30,none\n", "line 2: mass_excess = 'none' is not a number"),
        (HEADER + "26,30,nan\n", "line 2: mass_excess = nan is not finite"),
        (HEADER + "26,30,inf\n", "line 2: mass_excess = inf is not finite"),
        (HEADER + "26,30.5,-60.6\n", "line 2: N = 30.5 is not a whole number"),
        (HEADER + "-26,30,-60.6\n", "line 2: Z = -26 is negative"),
        (HEADER + "26,300000,-60.6\n", "line 2: N = 300000 is off the chart"),
        (HEADER + "26,30,-60.6\n# twice\n26,30,-60.7\n", "line 4: Z = 26, N = 30 is there twice"),
        (HEADER + "26,30,-60605.4\n28,28,-53907.5\n", "in keV; MeV are needed"),
        (HEADER + "26,30,492.25\n28,28,484.0\n", "atomic mass excesses in MeV are needed"),
        (HEADER + "26,30,-60.6\0\n", "not a text file"),
    ],
)
def test_a_bad_user_table_is_refused_in_one_line(tmp_path, text, says):
    path = write(tmp_path, text)
    with pytest.raises(MassTableError) as error:
        tables.read_user_table(path, "mine")
    message = str(error.value)
    assert message.startswith(str(path))
    assert says in message
    assert "\n" not in message


def test_a_whole_table_in_kev_is_recognised(tmp_path):
    table = packaged_table("HFB21")
    rows = "".join(f"{Z},{N},{1000 * m}\n" for Z, N, m in zip(table.Z, table.N, table.mass_excess, strict=True))
    with pytest.raises(MassTableError, match="keV"):
        tables.read_user_table(write(tmp_path, HEADER + rows), "mine")


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "binary").write_bytes(b"\x93NUMPY\xff\xfe")
    for path, says in (
        (tmp_path / "absent.csv", "cannot be read: No such file"),
        (tmp_path, "cannot be read: Is a directory"),
        (tmp_path / "binary", "not a text file"),
    ):
        with pytest.raises(MassTableError, match=says):
            tables.read_user_table(path, "mine")


# --- FRDM(2012)


def test_gpucrust_data_overrides_the_data_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("GPUCRUST_DATA", str(tmp_path))
    assert tables.user_data_directory() == tmp_path
    monkeypatch.delenv("GPUCRUST_DATA")
    assert tables.user_data_directory().name == "gpucrust"


def test_frdm2012_that_is_not_there_or_not_right_names_the_command(monkeypatch, tmp_path):
    monkeypatch.setenv("GPUCRUST_DATA", str(tmp_path))
    with pytest.raises(MissingTableError, match="run: gpucrust masses install frdm2012"):
        tables.frdm2012_table()
    (tmp_path / "frdm2012.csv").write_text(HEADER + "26,30,-60.6\n")
    with pytest.raises(MassTableError, match=r"1 nuclides where .* 9318; run: gpucrust masses install frdm2012"):
        tables.frdm2012_table()


def test_frdm2012_is_read_from_the_data_directory(monkeypatch):
    if not (SHARED / "frdm2012.csv").is_file():
        pytest.skip("FRDM(2012) may not be redistributed and is not here")
    monkeypatch.setenv("GPUCRUST_DATA", str(SHARED))
    assert len(tables.frdm2012_table()) == tables.FRDM2012_COUNT
