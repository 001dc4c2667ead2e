"""A report gets its numbers from tables, and no number that is not there."""

import pytest

from taae.analysis.write_up import write_up
from taae.utils.errors import TaaeError

TABLE = """variant,metric,difference,low,high,note
a,si_sdr,0.0566,-0.0151,0.1286,
a,stoi,-0.0004,-0.002,0.0012,x
b,si_sdr,-1.25,-2,-0.5,y
"""


@pytest.fixture
def fill(tmp_path):
    (tmp_path / "main").mkdir()
    (tmp_path / "main/differences.csv").write_text(TABLE)

    def fill(text):
        (tmp_path / "report.jinja").write_text(text)
        return write_up(tmp_path / "report.jinja", tmp_path)

    return fill


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('number("main/differences", "low", 2, variant="b", metric="si_sdr")', "-2.00"),
        ('number("main/differences", "difference", 3, variant="a", metric="stoi")', "0.000"),
        ('change("main/differences", 2, variant="a", metric="si_sdr")', "+0.06 [-0.02, +0.13]"),
        ('change("main/differences", 3, variant="a", metric="stoi")', "0.000 [-0.002, +0.001]"),
        ('cell("main/differences", "note", variant="b")', "y"),
        ('rows("main/differences", variant="a") | length', "2"),
        ('"%.1f" | format(-cell("main/differences", "difference", variant="b"))', "1.2"),
    ],
)
def test_an_expression_becomes_what_the_table_has(fill, expression, expected):
    assert fill("It is {{ " + expression + " }}.\n") == f"It is {expected}.\n"


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ('cell("main/none", "low")', "none.csv: no such file"),
        ('cell("main/differences", "lower", variant="b")', "no column lower"),
        ('cell("main/differences", "low", arm="b")', "no column arm"),
        ('cell("main/differences", "low", variant="c")', "no row with variant = c"),
        ('cell("main/differences", "low", variant="a")', "2 rows with variant = a"),
        ('cell("main/differences", "note", variant="a", metric="si_sdr")', "note is empty"),
        ("celll(1)", "celll"),
        ("rows(", "line 2"),
        ('number("main/differences", "note", 2, variant="b")', "line 2"),
        ('"".__class__.__mro__', "line 2"),
        ('1 }}{% include "none.jinja" %}{{ 1', "line 2: no template none.jinja"),
        ('1 }}{% include "../none.jinja" %}{{ 1', "line 2: no template ../none.jinja"),
    ],
)
def test_a_wrong_expression_is_one_line_with_its_place(fill, expression, words):
    with pytest.raises(TaaeError) as raised:
        fill("text\n{{ " + expression + " }}\n")
    message = str(raised.value)
    assert words in message
    assert "line 2" in message
    assert "\n" not in message


def test_a_template_may_include_another_of_its_folder(fill, tmp_path):
    (tmp_path / "part.jinja").write_text('{{ cell("main/differences", "note", variant="b") }}\n')
    assert fill('It is\n{% include "part.jinja" %}\nhere.\n') == "It is\ny\nhere.\n"
    (tmp_path / "part.jinja").write_text("a\n{{ 1 + }}\n")
    with pytest.raises(TaaeError, match=r"part\.jinja, line 2"):
        fill('It is\n{% include "part.jinja" %}\nhere.\n')
