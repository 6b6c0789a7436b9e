import pytest

from dure.vocab.normalise import normaliser, parents


@pytest.mark.parametrize(
    ("code", "steps"),
    [
        ("A010", ("A010",)),
        ("A01.0", ("A010",)),
        ("a01.0 ", ("A010",)),
        ("Ｋ２９．７", ("K297",)),
        ("K297A", ("K297A", "K297")),
        ("I109ab", ("I109AB", "I109")),
        ("U07", ("U07",)),
        ("상병없음", ("상병없음",)),
    ],
)
def test_kcd_steps(code, steps):
    assert normaliser("kcd", "BADA_DX").steps(code, "") == steps


def test_kcd_is_written_with_and_without_its_dot():
    kcd = normaliser(None, "KCD7")
    assert kcd.spellings("A010") == ("A01.0", "A010")
    assert kcd.spellings("A01") == ("A01",)
    assert kcd.form("A01.0") == kcd.form("a010") == "A010"


@pytest.mark.parametrize(
    ("code", "code_type", "steps"),
    [
        ("D2800020", "1", ("D2800020",)),
        ("D2800021", "1", ("D2800021", "D2800020")),
        ("D2800053", "", ("D2800053", "D2800050")),
        ("D2800001", "1", ("D2800001", "D2800")),
        ("D2800", "1", ("D2800",)),
        ("AA154010", "1", ("AA154010", "AA154")),
        ("N2070A1B", "1", ("N2070A1B", "N2070")),
        ("B0601023", "8", ("B0601023",)),
        ("645100010", "3", ("645100010",)),
        ("45100010", "3", ("45100010", "045100010")),
        ("645101ATB", "3", ("645101ATB",)),
    ],
)
def test_edi_steps(code, code_type, steps):
    assert normaliser(None, "EDI").steps(code, code_type) == steps


def test_normalising_can_be_switched_off():
    assert normaliser("none", "EDI").steps("D2800021", "1") == ("D2800021",)
    assert normaliser(None, "SNOMED").form(" x.1") == " x.1"


@pytest.mark.parametrize(
    ("form", "wider"),
    [("A0109", ("A010", "A01")), ("A01", ()), ("A010", ("A01",)), ("D2", ()), ("12345", ()), ("가나다라", ())],
)
def test_parents_stop_at_three_characters(form, wider):
    assert parents(form) == wider
