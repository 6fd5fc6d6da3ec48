"""The level that each variable is said to have, beside the one it was made for."""

import numpy as np
import pytest

import lme4py

IGNORED = {
    "check_nobs_vs_nlev": "ignore",
    "check_nobs_vs_nRE": "ignore",
    "check_nobs_vs_rankZ": "ignore",
    "check_nlev_gtr_1": "ignore",
    "check_nlev_gtreq_5": "ignore",
    "check_rankX": "ignore",
    "check_scaleX": "ignore",
}
# Expressions of a variable V that go row by row, and so stay at its level.
FUNCTIONS = [
    "{}",
    "poly({}, 2)",
    "poly({}, 4)",
    "log({} + 100)",
    "scale({})",
    "I({}^2)",
    "exp({} / 10)",
    "I(({} - mean({})) / sd({}))",
    "ns({}, 3)",
]


def _made(seed):
    """Return (formula, data, the factor that each variable was made for)."""
    dice = np.random.default_rng(seed)
    schools, classes, pupils = (int(dice.integers(low, high)) for low, high in
                                ((8, 15), (2, 4), (5, 9)))  # fmt: skip
    school = np.repeat(np.arange(schools), classes * pupils)
    group = np.repeat(np.arange(schools * classes), pupils)
    n = school.size
    item = dice.integers(0, 12, n)
    order = dice.permutation(n)
    size = 10.0 ** dice.integers(-6, 7)
    x = dice.normal(size=n) * size
    data = {
        "y": dice.normal(size=n),
        "x": x,
        "M": dice.normal(size=schools * classes)[group] * 10.0 ** dice.integers(-3, 2),
        "W": dice.normal(size=schools)[school] + dice.choice([0.0, 50.0]),
        "D": dice.normal(size=12)[item],
        "f": np.array(list("abc"))[dice.integers(0, 3, n)],
        "kind": np.array(["old", "new"])[dice.permutation(schools) % 2][school],
        "g": [f"g{code}" for code in group],
        "s": [f"s{code}" for code in school],
        "item": [f"i{code}" for code in item],
    }
    # The within-between idiom: the mean of a group, and what is left; then the mean again.
    mean = np.bincount(group, x)[group] / pupils
    data["xw"] = x - mean
    data["xb"] = x - data["xw"]
    data = {name: np.asarray(column)[order] for name, column in data.items()}
    truth = {"x": None, "xw": None, "f": None, "M": "g", "xb": "g", "W": "s", "kind": "s"}
    random = ["(1 | g)", "(1 | s)"]
    if dice.random() < 0.5:
        truth["D"], random = "item", [*random, "(1 | item)"]
    chosen = dice.permutation(sorted(truth))[: int(dice.integers(1, 5))]
    expected, terms = {}, []
    for name in chosen:
        number = name not in ("f", "kind")
        text = str(dice.choice(FUNCTIONS)) if number else "{}"
        if "log" in text and name in ("x", "xw", "xb", "M"):
            text = "poly({}, 2)"
        if "exp" in text and size > 1:
            text = "{}"
        terms.append(text.format(*[name] * 3))
        expected[terms[-1]] = truth[name]
    formula = f"y ~ {' + '.join(terms)} + {' + '.join(random)}"
    return formula, data, expected


def level_faults(seed):
    formula, data, expected = _made(seed)
    design = lme4py.lformula(formula, data, control=IGNORED)
    equations = design.equations()
    found = {name.replace(" ", ""): place for name, place in equations.levels_of_variables.items()}
    for name, place in expected.items():
        if found[name.replace(" ", "")] != place:
            yield f"{name} in {formula}: {found}"
    if not equations.verify():
        yield f"{formula}: {equations.verify()}"


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("hundred", range(3))
def test_levels_are_those_the_variables_were_made_for(hundred):
    faults = [fault for seed in range(100) for fault in level_faults(100 * hundred + seed)]
    assert faults == []


def test_a_chosen_level_wins_where_the_data_nearly_agree():
    """A mean that was rounded row by row is still one of the group."""
    _, data, _ = _made(1)
    _, group = np.unique(data["g"], return_inverse=True)
    data["M"] = np.round(group + np.random.default_rng(2).normal(size=group.size) * 1e-4, 4)
    design = lme4py.lformula("y ~ x*M + (x | g) + (1 | s)", data, control=IGNORED)
    assert design.equations().levels_of_variables["M"] is None
    equations = design.equations(levels={"M": "g"})
    assert equations.levels_of_variables["M"] == "g"
    assert equations.verify()
    data["M"] += np.random.default_rng(2).normal(size=group.size)
    design = lme4py.lformula("y ~ x*M + (x | g) + (1 | s)", data, control=IGNORED)
    with pytest.raises(lme4py.DataError, match="'M' cannot belong to 'g'"):
        design.equations(levels={"M": "g"})
