"""A script is split into its cells, and what is no cell is refused."""

import pytest

from minifcn.course.cells import Cell, split

SCRIPT = """\
# before the first cell: left out

# %% [markdown]
# # Title
#
#     y = x
# the end

# %%
x = 1

print(x)

# %% [varies]
print(time())
# %% [drawing]
draw()

# %%

"""


def test_the_cells_of_a_script() -> None:
    assert split(SCRIPT) == [
        Cell("markdown", "# Title\n\n    y = x\nthe end", 4),
        Cell("code", "x = 1\n\nprint(x)", 10),
        Cell("varies", "print(time())", 15),
        Cell("drawing", "draw()", 17),
    ]


@pytest.mark.parametrize(
    "script, said",
    [
        ("# %% [poem]\n# Roses\n", "line 1: a cell of kind 'poem'"),
        (
            "# %% [markdown]\n# Text\nx = 1\n",
            "line 3: text of a cell must be a comment",
        ),
        ("# %%\nx = 1\n# %% A title\n", "line 3: '# %% A title' begins no cell"),
        ("# %%[markdown]\n# Text\n", "line 1: .* begins no cell"),
    ],
)
def test_what_is_no_cell(script: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        split(script)
