"""Installing FRDM(2012): three layouts give one file, anything else gives one line and no file.

The layouts are tested on synthetic tables of four nuclides with invented masses, whose checksum stands in for the
published one, and on the whole published table where that is at hand.
"""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from gpucrust.masses import install, tables
from gpucrust.masses.install import InstallError, install_frdm2012
from gpucrust.masses.tables import MassTable
from paths import SHARED_DATA

SHARED = SHARED_DATA / "frdm2012.csv"
# (Z, N, invented mass excess, "measured"); the last two have no measured mass
NUCLIDES = [(8, 8, -7.77, -4.74), (26, 30, -66.66, -60.61), (26, 70, 123.45, None), (120, 190, 234.5, None)]


def csv_text(rows):
    return "# invented\nZ,N,mass_excess\n" + "".join(f"{Z},{N},{m:.3f}\n" for Z, N, m, _ in rows)


def authors_text(rows):
    lines = []
    for Z, N, m, measured in rows:
        deformations = "".join(f"{0.01 * i:10.3f}" for i in range(8))
        energies = f"{1.5:10.2f}{-2.25:10.2f}{500.0:10.2f}{m:10.2f}"
        experiment = " " * 20 if measured is None else f"{measured:10.2f}{0.01:10.3f}"
        lines.append(f"{Z:5d}{N:5d}{Z + N:5d}{deformations}{energies}{experiment}{-2.0:10.2f}{m + 0.1:10.2f}\n")
    return "".join(lines)


def ripl_text(rows):
    lines = ["#\n", "#  Z   A s fl     Mexp      Err       Mth      Emic    beta2   beta3   beta4   beta6\n"]
    lines.append("   1   1 H  2     7.289     0.000\n")  # measured, but not in the model
    for Z, N, m, measured in rows:
        experiment = " " * 20 if measured is None else f"{measured:10.3f}{0.001:10.3f}"
        deformations = "".join(f"{0.01 * i:8.3f}" for i in range(4))
        lines.append(
            f"{Z:4d}{Z + N:4d} Xx {2 * (measured is not None)}{experiment}{m:10.3f}{-2.0:10.3f}{deformations}\n"
        )
    return "".join(lines)


LAYOUTS = {"csv": csv_text, "authors": authors_text, "ripl": ripl_text}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty data directory."""
    folder = tmp_path / "home" / "gpucrust"
    monkeypatch.setenv("GPUCRUST_DATA", str(folder))
    return folder


@pytest.fixture
def invented(monkeypatch):
    """Take the invented masses for the published ones."""
    table = MassTable.from_rows("FRDM12", [(Z, N, m) for Z, N, m, _ in NUCLIDES], "")
    monkeypatch.setattr(tables, "FRDM2012_COUNT", len(table))
    monkeypatch.setattr(tables, "FRDM2012_SHA256", tables.rows_checksum(table, 2))


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A web server on this machine: (folder it serves, its address)."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def write(folder, text):
    path = folder / "source.dat"
    path.write_text(text)
    return path


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.usefixtures("invented")
def test_each_layout_gives_the_same_table(home, tmp_path, layout):
    path = install_frdm2012(write(tmp_path, LAYOUTS[layout](reversed(NUCLIDES))))
    assert path == home / "frdm2012.csv"
    assert [file.name for file in home.iterdir()] == ["frdm2012.csv"]
    table = tables.frdm2012_table()
    np.testing.assert_array_equal(table.Z, [8, 26, 26, 120])
    np.testing.assert_array_equal(table.N, [8, 30, 70, 190])
    np.testing.assert_array_equal(table.mass_excess, [-7.77, -66.66, 123.45, 234.5])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_published_table_in_each_layout(home, tmp_path, layout):
    if not SHARED.is_file():
        pytest.skip("FRDM(2012) may not be redistributed and is not here")
    published = tables.read_csv(SHARED, "FRDM12")
    rows = [(*row, None) for row in zip(published.Z, published.N, published.mass_excess, strict=True)]
    install_frdm2012(str(write(tmp_path, LAYOUTS[layout](rows))))
    np.testing.assert_array_equal(tables.frdm2012_table().mass_excess, published.mass_excess)
    # installing again over what is there
    assert install_frdm2012(home / "frdm2012.csv") == home / "frdm2012.csv"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a table of FRDM"),
        ("<html><body>Not found</body></html>\n", "not a table of FRDM"),
        (csv_text(NUCLIDES[:-1]), "3 nuclides where FRDM.2012. has 4"),
        (csv_text([(8, 8, -7.78, None), *NUCLIDES[1:]]), "the masses differ"),
        (csv_text(NUCLIDES) + "8,8,1.0\n", "there twice"),
        (authors_text(NUCLIDES)[:-90], "line 4: no mass Mth"),
        (authors_text(NUCLIDES).replace("    -7.77", "   -7.77x"), "line 1: no mass Mth"),
        (ripl_text(NUCLIDES).replace("  26  96", "  26 9 6"), "line 6: not in RIPL's format"),
        (csv_text(NUCLIDES).replace("mass_excess", "mass_excess_keV"), "no column mass_excess"),
    ],
)
@pytest.mark.usefixtures("invented")
def test_another_table_is_refused_and_nothing_written(home, tmp_path, text, says):
    with pytest.raises(InstallError, match=says) as error:
        install_frdm2012(write(tmp_path, text))
    assert "\n" not in str(error.value)
    assert not home.exists()


@pytest.mark.usefixtures("invented")
def test_a_failed_installation_leaves_the_installed_table(home, tmp_path):
    installed = install_frdm2012(write(tmp_path, csv_text(NUCLIDES)))
    before = installed.read_bytes()
    with pytest.raises(InstallError):
        install_frdm2012(write(tmp_path, csv_text(NUCLIDES[1:])))
    assert installed.read_bytes() == before


@pytest.mark.usefixtures("home")
def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InstallError, match=r"absent.dat: cannot be read: No such file"):
        install_frdm2012(tmp_path / "absent.dat")


@pytest.mark.usefixtures("invented")
def test_a_directory_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GPUCRUST_DATA", str(tmp_path / "file" / "gpucrust"))
    with pytest.raises(InstallError, match="cannot be written"):
        install_frdm2012(write(tmp_path, csv_text(NUCLIDES)))


@pytest.mark.usefixtures("invented")
def test_download(home, server):
    folder, address = server
    (folder / "table.dat").write_text(authors_text(NUCLIDES))
    assert install_frdm2012(f"{address}/table.dat") == home / "frdm2012.csv"
    assert len(tables.frdm2012_table()) == len(NUCLIDES)


@pytest.mark.usefixtures("invented")
def test_without_a_source_the_known_addresses_are_tried_in_turn(home, server, monkeypatch):
    folder, address = server
    monkeypatch.setattr(install, "FRDM2012_URLS", (f"{address}/first.dat", f"{address}/second.dat"))
    with pytest.raises(InstallError, match=r"first.dat: download failed: 404.*second.dat: .*--from FILE") as error:
        install_frdm2012()
    assert "\n" not in str(error.value)
    assert not home.exists()
    (folder / "second.dat").write_text(ripl_text(NUCLIDES))
    assert install_frdm2012() == home / "frdm2012.csv"
