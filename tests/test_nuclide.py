"""Names of nuclides."""

import pytest

from gpucrust.nuclide import ELEMENTS, nuclide_name, parse_nuclide


@pytest.mark.parametrize("name", ["Fe56", "56Fe", "fe56", "FE56", "Fe-56", " Fe56 "])
def test_every_way_to_write_a_nuclide(name):
    assert parse_nuclide(name) == (26, 30)


def test_names_and_nuclides_are_one_to_one():
    assert len(ELEMENTS) == 61
    for Z in range(2, 61):
        for N in (Z, 2 * Z):
            assert parse_nuclide(nuclide_name(Z, N)) == (Z, N)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Fx56", "did you mean F"),
        ("Fe", "no nuclide"),
        ("", "no nuclide"),
        ("Fe12", "neutrons"),
        ("U238", "no element"),
    ],
)
def test_what_is_no_nuclide_is_one_line(name, says):
    with pytest.raises(ValueError, match=says) as error:
        parse_nuclide(name)
    assert "\n" not in str(error.value)
