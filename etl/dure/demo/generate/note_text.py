"""The text of notes: a sentence by the plan of the visit; a resident number, of nobody, where that dirt is planted."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from dure.demo.generate.catalogue import read
from dure.demo.generate.dirt import kinds
from dure.demo.generate.frames import Frame
from dure.demo.generate.plans import plans
from dure.demo.generate.record import Recorded
from dure.demo.generate.text import digits, fixed, where, words

_SENTENCES = (
    "{}(으)로 외래 경과 관찰 중, 복약 유지",
    "{}(으)로 입원 치료 후 호전되어 퇴원",
    "{}(으)로 응급실 내원, 처치 후 경과 관찰",
)


def note_texts(recorded: Recorded, frame: Frame) -> pa.Array:
    """One text a note; the resident number has a valid date and a digit of sex, and no check sum."""
    korean = {row["fact"]: row["name"] for row in read("bada")}
    names = {row["plan"]: korean.get(row["fact"], "검진") for row in read("plans")}
    texts = [sentence.format(names[plan.name]) for sentence in _SENTENCES for plan in plans()]
    plan = recorded.visits["plan"][frame["visit"]]
    plain = words(texts, frame["kind"] * len(plans()) + plan)
    number = recorded.persons["local"][frame["person"]]
    made = fixed(
        digits(60 + number % 30, 2),
        digits(1 + number % 12, 2),
        digits(1 + number % 28, 2),
        "-",
        digits(1 + number % 2, 1),
        digits(number // 7, 6),
    )
    leaking = pc.binary_join_element_wise(plain, made, ", 보호자 연락 ")
    return where(frame["dirt"] == kinds()["resident_number"].number, leaking, plain)
