"""Who there is: birth, sex, build, habits, home, the hospitals they go to, and when they would die of age."""

from __future__ import annotations

import numpy as np

from dure.demo.generate.frames import FIRST, LAST, NEVER, Frame, day
from dure.demo.generate.seeds import BLOCK, stream

HOSPITALS = ("haneul", "bada", "gangsan")
TWO_HOSPITALS = 0.08
"""The share of persons who also go to a second hospital."""
REGIONS = ("11", "26", "27", "28", "29", "30", "41", "48")
# Shares of the ages 0-9, 10-19, ... in 2020, near those of Korea.
_DECADES = np.array([0.07, 0.09, 0.13, 0.13, 0.16, 0.17, 0.14, 0.07, 0.035, 0.005])
# Gompertz mortality: the yearly hazard at birth and how fast it grows with age.
_HAZARD, _GROWTH = np.exp(-10.9), 0.095


def persons(seed: int, block: int) -> Frame:
    """One row a person of the block: number, birth, female, death, build, smoking (0 to 2), home and second hospital."""
    rng = stream(seed, block, "persons")
    age = rng.choice(len(_DECADES), BLOCK, p=_DECADES) * 10 + rng.random(BLOCK) * 10
    birth = np.minimum(
        day(2020) - (age * 365.25).astype(np.int64) + rng.integers(0, 900, BLOCK) * (age < 3), LAST - 365
    )
    female = rng.random(BLOCK) < 0.5 + 0.002 * (age - 40)
    alive_at = np.maximum(FIRST - birth, 0) / 365.25
    more = np.log1p(-np.log(rng.random(BLOCK)) * _GROWTH / (_HAZARD * np.exp(_GROWTH * alive_at))) / _GROWTH
    death = np.maximum(birth, FIRST) + (more * 365.25).astype(np.int64) + 1
    grown = np.clip(age / 17, 0.3, 1)
    height = np.round((np.where(female, 159, 172) + rng.normal(0, 5.5, BLOCK)) * grown, 1)
    weight = np.round((23.6 + rng.normal(0, 3.0, BLOCK)) * (height / 100) ** 2, 1)
    smokes = rng.random(BLOCK)
    ever = np.where(female, 0.08, 0.55) * (age > 19)
    home = rng.integers(0, len(HOSPITALS), BLOCK)
    second = np.where(rng.random(BLOCK) < TWO_HOSPITALS, (home + rng.integers(1, len(HOSPITALS), BLOCK)) % 3, -1)
    return {
        "number": block * BLOCK + np.arange(BLOCK),
        "birth": birth,
        "female": female,
        "death": np.where(death > LAST, NEVER, death),
        "height": height,
        "weight": np.maximum(weight, 6.0),
        "smoking": np.where(smokes < ever * 0.45, 2, np.where(smokes < ever, 1, 0)),
        "region": rng.integers(0, len(REGIONS), BLOCK),
        "district": rng.integers(0, 25, BLOCK),
        "home": home,
        "second": second,
    }
