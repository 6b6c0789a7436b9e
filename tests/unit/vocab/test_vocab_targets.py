"""The derivation of standard targets, on named cases and against a naive search."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st
from vocab_athena_folder import concept, maps_to, relation, write_athena

from dure.vocab import load_athena
from dure.vocab.concept_index import ConceptIndex
from dure.vocab.successors import MAX_HOPS, Edges, find_successors, path_text

REPLACED = "Concept replaced by"


def derived(folder, concepts, relations):
    store = load_athena(write_athena(folder / "athena", concepts, relations), folder / "stores")
    rows = pq.read_table(store.folder / "code_targets.parquet").to_pylist()
    found = {}
    for row in rows:
        found.setdefault(row["source_concept_id"], []).append((row["target_concept_id"], row["hops"], row["via"]))
    return found, rows, store


def local(number):
    return concept(number, f"L{number}", standard="")


def test_standard_concepts_stand_for_themselves_without_a_row(tmp_path):
    found, _, _ = derived(tmp_path, [concept(1, "a"), concept(2, "b", standard="C"), concept(3, "c", invalid="D")], [])
    assert found == {1: [(1, 0, "itself")], 2: [(0, 0, None)], 3: [(0, 0, None)]}


def test_several_targets_are_ranked_by_concept_id_whatever_the_dates(tmp_path):
    past = ("20000101", "20010101")
    found, rows, _ = derived(
        tmp_path,
        [local(9), concept(5, "a", domain="Drug"), concept(3, "b", domain="Observation"), concept(4, "c")],
        [maps_to(9, 5), maps_to(9, 3, dates=past), maps_to(9, 4, invalid="D")],
    )
    assert found[9] == [(3, 0, "Maps to"), (5, 0, "Maps to")]
    of_source = [row for row in rows if row["source_concept_id"] == 9]
    assert [(row["rank"], row["target_domain_id"]) for row in of_source] == [(0, "Observation"), (1, "Drug")]


def test_targets_that_moved_are_followed(tmp_path):
    found, _, store = derived(
        tmp_path,
        [
            local(10),
            *(concept(n, f"c{n}", standard="", invalid="U") for n in (11, 12, 13)),
            concept(1, "a"),
            concept(2, "b"),
        ],
        [
            maps_to(10, 11),
            relation(11, REPLACED, 12),
            maps_to(12, 1),
            # As near by both relationships: the replacement is followed.
            relation(13, REPLACED, 2),
            maps_to(13, 1),
        ],
    )
    assert found[10] == [(1, 2, "Maps to > Concept replaced by > Maps to")]
    # `Concept replaced by` alone is no mapping of a source code, but leads a map's target on.
    assert found[11] == [(0, 0, None)]
    assert store.successors([11, 13]).to_pylist() == [
        {"concept_id": 11, "target_concept_id": 1, "hops": 2, "via": "Concept replaced by > Maps to"},
        {"concept_id": 13, "target_concept_id": 2, "hops": 1, "via": "Concept replaced by"},
    ]
    assert store.counts["targets"]["targets_moved"] == 1


def test_circles_and_dead_ends_end(tmp_path):
    old = [concept(n, f"c{n}", standard="", invalid="U") for n in (11, 12, 13)]
    found, _, store = derived(
        tmp_path,
        [local(10), local(20), *old],
        [maps_to(10, 11), relation(11, REPLACED, 12), relation(12, REPLACED, 11), maps_to(20, 13), maps_to(20, 404)],
    )
    assert found[10] == found[20] == [(0, 0, None)]
    assert store.counts["targets"]["targets_without_standard"] == 2
    assert store.counts["targets"]["targets_in_circles"] == 1


def test_values_are_kept_beside_the_targets(tmp_path):
    _, rows, store = derived(
        tmp_path,
        [local(10), local(20), concept(1, "관찰"), concept(6, "음성"), concept(5, "양성")],
        [
            maps_to(10, 1),
            relation(10, "Maps to value", 6),
            maps_to(20, 1),
            relation(20, "Maps to value", 6),
            relation(20, "Maps to value", 5),
        ],
    )
    values = {row["source_concept_id"]: (row["value_concept_id"], row["value_count"]) for row in rows}
    assert values == {10: (6, 1), 20: (5, 2), 1: (None, 0), 5: (None, 0), 6: (None, 0)}
    assert store.counts["targets"]["codes_with_several_values"] == 1


def test_rows_are_sorted_by_vocabulary_and_code(tmp_path):
    _, rows, _ = derived(
        tmp_path,
        [
            concept(4, "나", vocabulary="B"),
            concept(3, "가", vocabulary="B"),
            concept(9, "z", vocabulary="A"),
            concept(2, "가", vocabulary="B", standard=""),
            concept(1, "q", vocabulary=""),
        ],
        [],
    )
    assert [(row["vocabulary_id"], row["source_concept_id"]) for row in rows] == [
        ("A", 9),
        ("B", 2),
        ("B", 3),
        ("B", 4),
    ]


PAIRS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda pair: pair[0] != pair[1]), max_size=14)


@settings(deadline=None)
@given(st.lists(st.booleans(), min_size=10, max_size=10), PAIRS, PAIRS)
def test_successors_are_the_nearest_standard_concepts(standard, maps, replacements):
    edges = [(source, target, bit) for pairs, bit in ((replacements, 0), (maps, 1)) for source, target in pairs]

    def nearest(start):
        """Every standard concept at the least number of hops, by trying all walks of that length."""
        walks = [(start, ())]
        for hops in range(1, MAX_HOPS + 1):
            walks = [
                (target, (*path, bit))
                for node, path in dict.fromkeys(walks)
                for source, target, bit in edges
                if source == node and not standard[node]
            ]
            if any(standard[node] for node, _ in walks):
                return hops, walks
        return None

    def arrays(pairs):
        columns = np.array(pairs, np.int32).reshape(-1, 2)
        return Edges(columns[:, 0], columns[:, 1])

    found = find_successors(np.array(standard), arrays(maps), arrays(replacements))
    for concept_id in range(10):
        rows = np.flatnonzero(found.source == concept_id)
        walked = None if standard[concept_id] else nearest(concept_id)
        if walked is None:
            assert not len(rows)
            continue
        hops, walks = walked
        assert set(found.hops[rows]) == {hops}
        ends = {node for node, _ in walks if standard[node]}
        got = set(found.target[rows].tolist())
        # At each step the replacement is preferred, so the result is part of what all walks reach.
        assert got and got <= ends
        by_replacement = {t for s, t, bit in edges if bit == 0 and s == concept_id and hops == 1 and standard[t]}
        assert not by_replacement or got == by_replacement
        texts = {" > ".join((REPLACED, "Maps to")[bit] for bit in path) for node, path in walks if node in got}
        assert {path_text(int(path)) for path in found.path[rows]} <= texts


IDS = st.one_of(st.integers(0, 60), st.integers(0, 2**31 - 1))


@settings(deadline=None)
@given(st.sets(IDS, max_size=20), st.lists(st.one_of(IDS, st.integers(-5, 80)), max_size=20))
def test_positions(known, asked):
    ids = sorted(known)
    index = ConceptIndex(np.array(ids, np.int32))
    wanted = [*asked, *ids]
    expected = [ids.index(number) if number in known else -1 for number in wanted]
    assert index.positions(np.array(wanted, np.int32)).tolist() == expected


def test_an_empty_vocabulary_loads():
    with TemporaryDirectory() as folder:
        found, _, store = derived(Path(folder), [], [maps_to(1, 2)])
        assert found == {} and store.counts["dangling"]["CONCEPT_RELATIONSHIP"] == 1
