"""`make bench-suggest`: how often the suggestion that two annotators agreed on comes first, in ten folds.

    python benchmarks/suggest.py [--workbook FILE]

Items: rows of the annotators' workbook with an agreed target, without the two nursing-care concepts that stand for
graded fees, without rows whose English description is the target's own name, each description once (digits folded).
Candidates: every concept that either annotator or the agreed map named. What is learnt in a fold comes from the other
folds alone; rows alike in Korean or English, and in the strict folds rows of one target, are in one fold.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GroupKFold

from dure.vocab.suggest import english
from dure.vocab.suggest.approved import ApprovedRow
from dure.vocab.suggest.candidates import Candidates, made
from dure.vocab.suggest.korean import Tokenizer
from dure.vocab.suggest.lexicon import own_terms
from dure.vocab.suggest.question import LocalCode
from dure.vocab.suggest.suggester import Suggester

ROOT = Path(__file__).resolve().parents[1]
WORKBOOK = ROOT.parent / "shared/data/korea_edi_maps/procedure_guideline/Procedure_1-5009.xlsx"
RESULTS = Path(__file__).parent / "results" / "suggest.json"
FOLDS = 10
# Two descriptions whose trigrams are this much alike, digits aside, are one thing told twice.
ALIKE = 0.8
# Graded fees, 990 and 200 rows: "Activities of daily living management" and "Inpatient care management".
FEES = frozenset({4154551, 42537843})
SIDES = ("Korean", "English", "both")
# Who wrote the tables had seen 23 rows with their targets and the names of the 25 commonest targets, to learn the
# workbook's form. Terms that could come from there; the row "without terms of rows seen" leaves them out.
SEEN_TERMS = frozenset(
    [
        "차폐물",
        "차폐",
        "고안",
        "제작",
        "치료보조기구",
        "동승",
        "무균조제",
        "무균",
        "급속",
        "급속주입",
        "항온",
        "가온",
        "복약지도",
        "복약지도료",
        "퇴원약",
        "의약품관리",
        "간호관리",
        "모유수유",
        "입체조형",
        "접구개",
        "추골동맥",
    ]
)
SEEN_FAMILIES = frozenset(
    "escort aseptic dispensing making shielding warm newborn breastfeeding discharge arrhythmia isolation education".split()  # noqa: SIM905
)
# What must be reached in the strict folds, per cent: (top-1, top-5).
FLOORS = {"Korean": (57.0, 77.0), "English": (59.0, 83.0), "both": (64.0, 87.5)}


@dataclass(frozen=True)
class Data:
    """The whole workbook (`rows`), the positions in it of the items, and the candidates."""

    rows: pd.DataFrame
    items: Any
    candidates: Candidates


@dataclass(frozen=True)
class Figures:
    """Per cent of items whose agreed target is among the first n, and the mean reciprocal rank."""

    top1: float
    top5: float
    top10: float
    mrr: float

    @classmethod
    def of(cls, ranks: Any) -> Figures:
        """From ranks counted from 1, infinite where the target is not among the suggestions."""
        shares = [round(100 * float((ranks < n + 1).mean()), 1) for n in (1, 5, 10)]
        return cls(*shares, mrr=round(float((1 / ranks).mean()), 3))


def read(path: Path) -> Data:
    sheet = pd.read_excel(path)
    rows = pd.DataFrame(
        {
            "code": sheet["concept_code"].astype(str),
            "english": sheet["concept_name"].fillna("").astype(str).str.strip(),
            "korean": sheet["concept_synonym"].fillna("").astype(str).str.strip(),
            "target": sheet["targetConceptId_fixed"].fillna(0).astype(int),
            "name": sheet["targetConceptName_fixed"].fillna("").astype(str),
        }
    )
    named: dict[int, tuple[str, str]] = {}
    for side in ("a", "b", "fixed"):
        columns = [f"target{name}_{side}" for name in ("ConceptId", "ConceptName", "VocabularyId")]
        for concept_id, name, vocabulary in sheet[columns].dropna().itertuples(index=False):
            named.setdefault(int(concept_id), (str(name), str(vocabulary)))
    ids = sorted(named)
    candidates = made(ids, [named[i][0] for i in ids], ["Procedure"] * len(ids), [named[i][1] for i in ids], [])
    usable = (rows["target"] > 0) & ~rows["target"].isin(FEES)
    usable &= rows["english"].str.lower() != rows["name"].str.lower()
    folded = rows[["english", "korean"]].apply(lambda texts: texts.str.lower().str.replace(r"[0-9]+", "#", regex=True))
    chosen = folded[usable].drop_duplicates().index
    return Data(rows, rows.index.get_indexer(chosen), candidates)


def groups(rows: pd.DataFrame, *, by_target: bool) -> Any:
    """The number of the group of each row; groups are chains of rows that are alike."""
    first, second = [], []
    for side in ("korean", "english"):
        texts = [" ".join(re.findall(r"[a-z가-힣]+", text.lower())) for text in rows[side]]
        vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3), use_idf=False, sublinear_tf=True)
        grams = vectors.fit_transform(texts)
        alike = (grams @ grams.T).tocoo()
        near = alike.data >= ALIKE
        first.append(alike.row[near])
        second.append(alike.col[near])
    if by_target:
        targets = rows["target"].to_numpy()
        for target in np.unique(targets[targets > 0]):
            same = np.flatnonzero(targets == target)
            first.append(same)
            second.append(np.full(len(same), same[0]))
    pairs = np.concatenate(first), np.concatenate(second)
    return connected_components(coo_array((np.ones(len(pairs[0])), pairs), shape=(len(rows),) * 2), directed=False)[1]


def question(row: Any, side: str) -> LocalCode:
    korean, english = (row.korean if side != "English" else ""), (row.english if side != "Korean" else "")
    return LocalCode("EDI", row.code, korean, english)


def baseline(data: Data, side: str) -> Any:
    """Ranks by the cosine of trigram TF-IDF; concepts that tie share their mean rank."""
    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3))
    names = vectors.fit_transform(data.candidates.name)
    items = data.rows.iloc[data.items]
    texts = {"Korean": items.korean, "English": items.english, "both": items.english + " " + items.korean}[side]
    scores = (vectors.transform(texts) @ names.T).toarray()
    at = np.searchsorted(data.candidates.concept_id, items.target)
    own = scores[np.arange(len(items)), at][:, None]
    return 1 + (scores > own).sum(axis=1) + ((scores == own).sum(axis=1) - 1) / 2


Training = Callable[[pd.DataFrame], list[ApprovedRow]]


def whole(rows: pd.DataFrame) -> list[ApprovedRow]:
    """The rows of the training folds, those without target as texts in two languages only."""
    return [
        ApprovedRow(f"map:{at}", row.korean, row.english, row.target)
        for at, row in zip(rows.index, rows.itertuples(), strict=True)
    ]


def mapped_only(rows: pd.DataFrame) -> list[ApprovedRow]:
    return whole(rows[rows["target"] > 0])


def nothing(rows: pd.DataFrame) -> list[ApprovedRow]:
    return []


def suggested(data: Data, tokenizer: Tokenizer, group: Any, training: Training) -> dict[str, Any]:
    """Ranks of the agreed targets by side, each item answered by what the other folds taught."""
    items = data.rows.iloc[data.items]
    ranks = {side: np.full(len(items), np.inf) for side in SIDES}
    of_item = group[data.items]
    for _, test in GroupKFold(FOLDS).split(items, groups=of_item):
        others = data.rows[~np.isin(group, of_item[test])]
        suggester = Suggester(data.candidates, training(others), tokenizer=tokenizer)
        for side in SIDES:
            asked = [question(row, side) for row in items.iloc[test].itertuples()]
            for at, found in zip(test, suggester.suggest(asked, len(data.candidates)), strict=True):
                order = [one.concept_id for one in found]
                if items["target"].iat[at] in order:
                    ranks[side][at] = order.index(items["target"].iat[at]) + 1
    return ranks


@contextmanager
def english_tables(keep: Callable[[str, dict[str, str]], bool]) -> Iterator[None]:
    """As if the package's tables had only the rows that `keep(table, row)` keeps."""
    cached = (english._families, english._forms, english.parts, english.terms)
    kept = english.rows_of
    english.rows_of = lambda name: [row for row in kept(name) if keep(name, row)]
    try:
        for function in cached:
            function.cache_clear()
        yield
    finally:
        english.rows_of = kept
        for function in cached:
            function.cache_clear()


def table(results: dict[str, dict[str, Figures]]) -> str:
    lines = ["| system | text | top-1 % | top-5 % | top-10 % | MRR |", "|---|---|---:|---:|---:|---:|"]
    for system, sides in results.items():
        lines += [
            f"| {system} | {side} | {f.top1:.1f} | {f.top5:.1f} | {f.top10:.1f} | {f.mrr:.3f} |"
            for side, f in sides.items()
        ]
    return "\n".join(lines)


def evaluate(data: Data) -> dict[str, dict[str, Figures]]:
    strict, near = groups(data.rows, by_target=True), groups(data.rows, by_target=False)
    own, none = Tokenizer(own_terms()), Tokenizer({})
    runs: dict[str, tuple[Tokenizer, Any, Training]] = {
        "suggest": (own, strict, whole),
        "suggest, targets may be known": (own, near, whole),
        "lexicon learnt from mapped rows only": (own, strict, mapped_only),
        "nothing learnt": (own, strict, nothing),
        "without our lexicon": (none, strict, whole),
        "without our lexicon, nothing learnt": (none, strict, nothing),
    }
    results = {"trigram TF-IDF": {side: Figures.of(baseline(data, side)) for side in SIDES}}
    for name, (tokenizer, group, training) in runs.items():
        ranks = suggested(data, tokenizer, group, training)
        results[name] = {side: Figures.of(ranks[side]) for side in SIDES}
    unseen = Tokenizer({term: meanings for term, meanings in own_terms().items() if term not in SEEN_TERMS})
    fewer: dict[str, tuple[Tokenizer, Callable[[str, dict[str, str]], bool]]] = {
        "without terms of rows seen": (unseen, lambda _, row: row.get("family") not in SEEN_FAMILIES),
        "without any table of ours": (none, lambda _, row: False),
    }
    for name, (tokenizer, keep) in fewer.items():
        with english_tables(keep):
            ranks = suggested(data, tokenizer, strict, whole)
        results[name] = {side: Figures.of(ranks[side]) for side in SIDES}
    return results


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Evaluates dure vocab suggest on a workbook of agreed maps.")
    parser.add_argument("--workbook", type=Path, default=WORKBOOK, help="the annotators' workbook")
    given = parser.parse_args(argv)
    if not given.workbook.exists():
        sys.exit(f"The benchmark needs the annotators' workbook; not found: {given.workbook}")
    data = read(given.workbook)
    results = evaluate(data)
    print(f"{len(data.items)} items, {len(data.candidates)} candidates, {FOLDS} folds\n\n{table(results)}")
    RESULTS.parent.mkdir(exist_ok=True)
    written = {system: {side: vars(f) for side, f in sides.items()} for system, sides in results.items()}
    RESULTS.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
    low = [
        f"{side} {name} {found:.1f} % < {floor:.1f} %"
        for side, floors in FLOORS.items()
        for name, found, floor in zip(
            ("top-1", "top-5"), (results["suggest"][side].top1, results["suggest"][side].top5), floors, strict=True
        )
        if found < floor
    ]
    if low:
        sys.exit("below the floor: " + "; ".join(low))


if __name__ == "__main__":
    main()
