"""The README of the laws: its code runs, its table is that of the laws."""

import difflib
import re

import numpy as np
import pytest

from minifcn.laws import LAWS, Implementation, LawError, laws_of, on_arrays, verify

TEXT = verify.README.read_text(encoding="utf-8")
OWN_OPERATOR, ALL_LAWS, NEW_LAW = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
(MESSAGE,) = re.findall(r"```\nminifcn.laws.statement.LawError: (.*?)\n```", TEXT, re.S)


def test_table_is_up_to_date():
    lines = TEXT.splitlines(), verify.with_table(TEXT).splitlines()
    difference = "\n".join(difflib.unified_diff(*lines, "written", "laws", n=0))
    assert not difference, f"run python -m minifcn.laws.verify\n{difference}"


def test_table_has_a_row_of_four_cells_for_each_law():
    rows = verify.markdown().splitlines()[2:]
    assert len(rows) == len(LAWS)
    assert {len(re.split(r"(?<!\\)\|", row)) for row in rows} == {6}


@pytest.mark.parametrize("law", LAWS, ids=lambda law: f"{law.subject}: {law.name}")
def test_law_is_written_out(law):
    assert law.subject
    assert re.fullmatch(r"[a-z][\w ,']{7,}", law.name)
    assert law.formula == " ".join(law.formula.split())
    assert len(law.formula) > 4
    assert "`" not in law.formula  # the table sets it between two
    assert re.fullmatch(r".{12,}\.", law.meaning), "a docstring of one line"
    assert law.meaning.rstrip(".") != law.formula


@pytest.mark.parametrize(
    "letters",
    [
        "f is the operator",
        "v is the gradient",
        "g(v) is the backward pass",
        "gx, gw, gb",
        "u is another input",
        "w, beside v, another gradient",
        "h a small step",
    ],
)
def test_letters_of_the_formulas_are_explained_before_the_table(letters):
    words, _, _ = TEXT.partition("| operator |")
    assert letters in " ".join(words.split("## Every law")[1].split())


@pytest.mark.parametrize(
    "subject, name, condition",
    [
        ("max_pool2d", "it commutes with relu", "where every window sees a pixel"),
        ("max_pool2d", "it commutes with increasing functions", "f(−∞) = −∞"),
        ("max_pool2d", "a stride leaves out outputs", "rounded down"),
        ("avg_pool2d", "of a constant it is that constant", "if those alone count"),
        ("conv_transpose2d", "its size is undone by a convolution", "n + e // s"),
        ("conv_transpose2d", "its adjoint is the convolution", "[: H, : W]"),
        ("conv2d", "its adjoint is the transposed convolution", "output_padding"),
        ("metrics", "they are shares", "where t_i > 0"),
    ],
)
def test_a_formula_says_its_condition(subject, name, condition):
    (law,) = [law for law in laws_of(subject) if law.name == name]
    assert condition in law.formula


def test_own_operator_breaks_laws_as_shown():
    with pytest.raises(LawError) as caught:
        exec(OWN_OPERATOR, {})
    assert str(caught.value) == MESSAGE


def test_own_operator_is_told_in_a_table(capsys, monkeypatch):
    room: dict = {}
    exec(OWN_OPERATOR.split("\nfor law")[0], room)
    first = laws_of("conv2d")[:1]  # the others take their time
    monkeypatch.setattr(verify, "choose", lambda subjects: first)
    exec(ALL_LAWS, room)
    assert re.search(r"conv2d +0/1 .* broken", capsys.readouterr().out)


def test_own_operator_without_the_fault_holds():
    room: dict = {}
    exec(OWN_OPERATOR.split("\nmine")[0].replace("bias, 1,", "bias, stride,"), room)
    right = Implementation(operators={"conv2d": on_arrays(room["conv2d"])})
    law = next(law for law in laws_of("conv2d") if "definition" in law.name)
    assert law.hold(right, cases=20).worst_error == 0


def test_new_law_holds_and_can_fail():
    try:
        exec(NEW_LAW, {"np": np})
        new = LAWS[-1]
        assert new.name == "it is the other half of a minimum"
        assert new.hold(Implementation(), cases=20).cases == 20
        identity = Implementation(operators={"relu": on_arrays(lambda x: x)})
        with pytest.raises(LawError, match="other half"):
            new.hold(identity, cases=20)
    finally:
        LAWS.pop()
