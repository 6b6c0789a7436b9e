"""Whatever stands in a spec, the reader answers with problems that name the file, or with a site."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from site_folder import SPEC, write

from dure.errors import ConfigurationError
from dure.site import load_site

# The loader that makes texts only.
GOOD = yaml.load(SPEC, Loader=yaml.BaseLoader)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, item in inner for place in places(item, (*at, key)))]


JUNK = st.sampled_from(
    [
        *("", "환자번호", "-1", "1", "maps/route.csv", [], {}, ["a", ["b"]], [{}], [[]]),
        *({"column": "a"}, {"column": ["a", "b"], "map": {}}, {"map": {"a": "1"}, "column": []}, {"literal": {}}),
        *({"first_of": []}, {"first_of": "a"}, {"key": {}, "missing": "x"}, {"row": "person"}, {"visit": {"key": []}}),
        *({"not": []}, {"present": "x"}, {"where": {"a": {"not": ["b"]}}}),
    ]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(places(GOOD)[1:]), JUNK, st.booleans())
def test_a_place_with_anything_in_it(tmp_path: Path, place: tuple[Any, ...], junk: Any, rename: bool) -> None:
    spec = copy.deepcopy(GOOD)
    holder = spec
    for step in place[:-1]:
        holder = holder[step]
    if rename and isinstance(holder, dict):
        holder["이름"] = holder.pop(place[-1])
    else:
        holder[place[-1]] = junk
    sites = write(tmp_path, **{"hospitals/garam/site.yaml": yaml.safe_dump(spec, allow_unicode=True)})
    try:
        load_site("garam", [sites])
    except ConfigurationError as error:
        for problem in error.problems:
            assert problem.where.startswith(str(tmp_path)), problem
            assert "<" not in problem.where, problem
            assert problem.found, problem


@pytest.mark.parametrize(
    "text", ["[]", "a", "- b\n- c", "site:", "{site: [], sources: [], tables: []}", "tables: {person: {}}"]
)
def test_a_file_that_is_no_spec_at_all(tmp_path: Path, text: str) -> None:
    sites = write(tmp_path, **{"hospitals/garam/site.yaml": text})
    with pytest.raises(ConfigurationError) as error:
        load_site("garam", [sites])
    assert all(problem.where.startswith(f"{sites}/garam/site.yaml:1") for problem in error.value.problems)
