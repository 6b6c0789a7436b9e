"""What happens to the generated persons is plausible: disease, values and drugs fit, and nobody acts after death."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from dure.demo.generate.catalogue import facts, values
from dure.demo.generate.clinical import Clinical, clinical
from dure.demo.generate.frames import DAY, FIRST, LAST, NEVER, Array, Frame, rows
from dure.demo.generate.plans import ADMITTED, OUTPATIENT, plans
from dure.demo.generate.sets import CHECKS, LIFELOG, VITALS

BLOCKS = range(2)
PLAN = {plan.name: plan.number for plan in plans()}


@cache
def block(number: int) -> Clinical:
    return clinical(11, number)


def of(frame: Frame, fact: str) -> Array:
    return frame["fact"] == facts().number[fact]


def ill(made: Clinical, fact: str) -> Array:
    """The persons who were ever diagnosed with it."""
    return np.isin(np.arange(rows(made.persons)), made.diagnoses["person"][of(made.diagnoses, fact)])


def test_every_fact_of_the_catalogue_happens_to_2048_persons() -> None:
    seen: set[int] = set()
    for number in BLOCKS:
        made = block(number)
        for frame in (made.diagnoses, made.orders, made.labs, made.procedures):
            seen |= set(np.unique(frame["fact"]).tolist())
    sets = {*VITALS, *LIFELOG, *CHECKS, "smoking"}
    assert {name for name in facts().names if facts().number[name] not in seen and name not in sets} == set()


@pytest.mark.parametrize("name", ["diagnoses", "orders", "labs", "procedures", "vitals", "notes"])
def test_nothing_happens_before_birth_after_death_or_outside_the_years_covered(name: str) -> None:
    for number in BLOCKS:
        made = block(number)
        frame: Frame = getattr(made, name)
        day = frame["minute"] // DAY
        assert (day <= made.death[frame["person"]]).all()
        assert (day >= made.persons["birth"][frame["person"]]).all()
        assert day.min() >= FIRST
        assert day.max() <= LAST


def test_what_happens_at_a_visit_happens_while_it_lasts() -> None:
    made = block(0)
    for frame in (made.diagnoses, made.orders, made.labs, made.procedures, made.vitals):
        visit = frame["visit"]
        assert (frame["person"] == made.visits["person"][visit]).all()
        assert (frame["minute"] >= made.visits["start"][visit]).all()
        assert (frame["minute"] <= made.visits["end"][visit] + 1).all()


def test_a_person_is_in_one_place_at_a_time_and_stays_lie_days_apart() -> None:
    visits = block(0).visits
    same = visits["person"][1:] == visits["person"][:-1]
    before = np.where(visits["class"] == OUTPATIENT, visits["start"], visits["end"] + 3 * DAY)[:-1]
    assert (visits["start"][1:] >= before)[same].all()


def test_some_emergencies_end_in_admission_within_a_day() -> None:
    visits = block(0).visits
    admitted = visits["class"] == ADMITTED
    assert admitted.sum() > 20
    assert (visits["out"][admitted] <= visits["into"][admitted]).all()
    assert (visits["into"] - visits["out"])[admitted].max() < DAY
    assert (visits["end"] > visits["into"])[admitted & ~visits["died"]].all()


def test_some_die_and_some_of_them_in_hospital() -> None:
    made = block(0)
    dead = made.death < NEVER
    assert 0.02 < dead.mean() < 0.12
    last = made.visits["end"][made.visits["died"]] // DAY
    assert (last == made.death[made.visits["person"][made.visits["died"]]]).all()
    assert len(last) > 0
    old = made.persons["birth"] < np.datetime64("1955-01-01").astype(int)
    assert dead[old].mean() > 3 * dead[~old].mean()


def test_hba1c_is_high_in_diabetics_and_falls_under_treatment() -> None:
    made = block(0)
    tests = of(made.labs, "hba1c")
    value, person = made.labs["value"][tests], made.labs["person"][tests]
    diabetic = ill(made, "dm2")[person]
    assert 5.2 < value[~diabetic].mean() < 5.9
    assert 6.4 < value[diabetic].mean() < 8.5
    first = made.labs["minute"][tests] < (FIRST + 200) * DAY
    assert value[diabetic].max() > value[diabetic & ~first].mean() + 0.5
    treated = np.isin(np.arange(rows(made.persons)), made.orders["person"][of(made.orders, "metformin_500")])
    assert ill(made, "dm2")[treated].all()


def test_copd_shows_in_spirometry_inhalers_and_exacerbations() -> None:
    made = block(0)
    copd = ill(made, "copd")
    ratio = of(made.labs, "fev1_fvc")
    value, has = made.labs["value"][ratio], copd[made.labs["person"][ratio]]
    assert value[has].max() <= 70
    assert value[~has].mean() > 68
    inhales = made.orders["person"][of(made.orders, "tiotropium")]
    assert copd[inhales].all()
    worse = made.diagnoses["person"][of(made.diagnoses, "copd_exacerbation")]
    assert len(worse) > 20
    visits = made.visits["plan"] == PLAN["copd_exacerbation"]
    assert (made.visits["class"][visits] == ADMITTED).mean() > 0.2


def test_the_ratio_is_that_of_the_two_volumes() -> None:
    labs = block(0).labs
    found = {}
    for name in ("fev1", "fvc", "fev1_fvc"):
        which = of(labs, name)
        found[name] = (labs["visit"][which], labs["value"][which])
    for name in ("fvc", "fev1_fvc"):
        np.testing.assert_array_equal(found["fev1"][0], found[name][0])
    assert np.abs(100 * found["fev1"][1] / found["fvc"][1] - found["fev1_fvc"][1]).max() < 1.5


def test_the_pcr_is_positive_in_covid_and_negative_in_suspicion() -> None:
    made = block(0)
    tests = of(made.labs, "sars_cov_2_pcr")
    plan, answer = made.visits["plan"][made.labs["visit"][tests]], made.labs["answer"][tests]
    assert set(answer[plan == PLAN["covid19"]].tolist()) == {values().number["positive"]}
    assert set(answer[plan == PLAN["covid19_suspected"]].tolist()) == {values().number["negative"]}
    assert made.labs["minute"][tests].min() >= np.datetime64("2020-02-01").astype("datetime64[m]").astype(int)


def test_infarction_raises_troponin_and_brings_a_stent() -> None:
    high, low = [], []
    stents = 0
    for number in BLOCKS:
        made = block(number)
        tests = of(made.labs, "troponin_i")
        infarct = made.visits["plan"][made.labs["visit"][tests]] == PLAN["acute_mi"]
        high.append(made.labs["value"][tests][infarct])
        low.append(made.labs["value"][tests][~infarct])
        stents += int(of(made.procedures, "coronary_stent").sum())
    assert np.median(np.concatenate(high)) > 10 * np.median(np.concatenate(low))
    assert stents > 5


def test_a_value_below_what_can_be_measured_is_the_limit() -> None:
    labs = block(0).labs
    under = labs["under"] & of(labs, "troponin_i")
    assert under.sum() > 10
    assert set(labs["value"][under].tolist()) == {0.05}


def test_only_women_are_pregnant_and_of_the_age_for_it() -> None:
    made = block(0)
    which = of(made.diagnoses, "pregnancy")
    person = made.diagnoses["person"][which]
    assert made.persons["female"][person].all()
    age = (made.diagnoses["minute"][which] // DAY - made.persons["birth"][person]) / 365.25
    assert age.min() > 19
    assert age.max() < 47


def test_a_share_of_persons_goes_to_two_hospitals() -> None:
    made = block(0)
    second = made.persons["second"] >= 0
    assert 0.05 < second.mean() < 0.11
    assert (made.persons["second"] != made.persons["home"]).all()
    pairs = np.unique(np.stack([made.visits["person"], made.visits["hospital"]]), axis=1)
    both = np.bincount(pairs[0], minlength=rows(made.persons)) == 2
    assert both.sum() > 30
    assert second[both].all()


def test_doses_are_given_for_drugs_and_nothing_else() -> None:
    dose, times = facts().dose
    for number, kind in enumerate(facts().kind):
        assert (dose[number] > 0) == (times[number] > 0) == (kind == "drug")
