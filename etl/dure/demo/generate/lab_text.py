"""The text of a laboratory result: a number, `<0.05`, `1:80`, an answer in the hospital's words, or 판독불가."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dure.demo.generate.catalogue import facts
from dure.demo.generate.codes import answers
from dure.demo.generate.frames import Frame
from dure.demo.generate.results import UNREADABLE
from dure.demo.generate.text import numbers, where, words


def result_texts(labs: Frame, hospital: str) -> pa.Array:
    plain = numbers(labs["value"])
    titer = labs["fact"] == facts().number["ana_titer"]
    prefix = words(("<", "1:", ""), np.where(labs["under"], 0, np.where(titer, 1, -1)))
    text = pc.binary_join_element_wise(pc.fill_null(prefix, ""), plain, "")
    spoken = words(
        (*answers(hospital), "판독불가"), np.where(labs["answer"] == UNREADABLE, len(answers(hospital)), labs["answer"])
    )
    return where(labs["answer"] != -1, spoken, text)
