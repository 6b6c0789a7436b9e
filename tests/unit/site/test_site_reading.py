"""A good spec: what of it arrives, and what the consortium adds."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from site_folder import CONSORTIUM, HEADERS, SPEC, VIEW, changed, header_from, load, write

from dure.errors import ConfigurationError, Problem, SourceError
from dure.site import check_columns, load_site
from dure.site.fixed_maps import MapTarget
from dure.site.names import site_names
from dure.site.spec import Defaults, FileSource, ViewSource
from dure.site.values import (
    CodedColumn,
    DateOf,
    FirstBirth,
    FirstCoded,
    FirstEnd,
    FirstMoment,
    LastsDays,
    Product,
    RrnBirth,
)

EXAMPLES = Path(__file__).parents[3] / "../shared/examples/spec/sites"


def test_values_arrive_as_their_shapes(tmp_path: Path) -> None:
    site = load(tmp_path)
    entries = {table: entry for table, _, entry in site.spec.entries()}
    assert list(entries) == ["person", "visit_occurrence", "condition_occurrence", "drug_exposure", "note"]
    person, visit, drug = entries["person"], entries["visit_occurrence"], entries["drug_exposure"]
    assert person.from_ == "patient"
    assert person.given("birth") == FirstBirth(first_of=["생년월일", RrnBirth(rrn_birth="주민번호")])
    assert person.given("gender") == CodedColumn(column=["성별"], map="sex")
    assert visit.given("start") == DateOf(date="내원일자", time="내원시각")
    assert visit.given("person") == ["환자번호"]
    assert drug.given("end") == FirstEnd(first_of=["종료일자", LastsDays(lasts_days="일수")])
    assert isinstance(drug.given("end"), FirstMoment)
    assert drug.given("quantity") == Product(product=["용량", "횟수", "일수"], empty=1.0)
    assert isinstance(drug.given("code"), FirstCoded)
    assert entries["note"].given("class").concept_id == 706391
    assert entries["note"].given("provider") is None


def test_a_label_is_the_code_column_unless_given(tmp_path: Path) -> None:
    spec = changed("- from: visit\n", "- from: visit\n      label: 접수\n")
    labels = {table: entry.default_label for table, _, entry in load(tmp_path, spec).spec.entries()}
    assert labels == {
        "person": "",
        "visit_occurrence": "접수",
        "condition_occurrence": "상병코드",
        "drug_exposure": "처방코드",
        "note": "",
    }


def test_scalars_are_texts_whatever_they_look_like(tmp_path: Path) -> None:
    spec = changed("where: {구분: [배제]}", "where: {구분: [02, no, 1.0, 2026-01-01, null, ~, 0x1F, 남]}")
    source = load(tmp_path, spec).spec.sources["diagnosis"]
    assert isinstance(source, FileSource)
    assert source.exclude[0].where == {"구분": ["02", "no", "1.0", "2026-01-01", "null", "~", "0x1F", "남"]}


def test_site_keys_replace_the_consortium_s_and_only_vocabulary_maps_add_up(tmp_path: Path) -> None:
    spec = changed("tables:\n", "visit_policy: {merge: []}\ntables:\n")
    site = load(tmp_path, spec)
    assert site.defaults == Defaults(
        encoding="cp949", formats=["yyyyMMdd", "yyyyMMddHHmm"], null_dates=["00000000", "99991231"]
    )
    assert site.defaults.type_concept_id == 32817
    assert (site.visit_policy.merge, site.visit_policy.open_stay) == ([], "start")
    garam, edi = site.vocabularies["GARAM"], site.vocabularies["EDI"]
    assert [path.parent.parent.name for path in garam.maps] == ["garam", "river"]
    assert (garam.fallback, garam.many_targets, garam.normalise) == ("parent", True, "none")
    assert (edi.site_maps, len(edi.consortium_maps), edi.normalise) == ((), 1, "edi")
    assert site.vocabularies["KCD7"].normalise == "kcd"
    assert site.maps["route"].arity == 2
    assert site.maps["sex"].values[("여",)] == MapTarget(concept_id=8532, text="8532")
    assert site.consortium_folder == tmp_path / "consortia/river"


def test_a_site_s_vocabulary_key_replaces_the_consortium_s(tmp_path: Path) -> None:
    spec = changed("GARAM: {maps: [maps/garam.csv]}", "GARAM: {same_as: EDI, many_targets: false, normalise: none}")
    garam = load(tmp_path, spec).vocabularies["GARAM"]
    assert (garam.many_targets, garam.fallback, garam.same_as, garam.normalise) == (False, "parent", "EDI", "none")
    assert (garam.site_maps, len(garam.maps)) == ((), 1)


def test_the_consortium_may_stand_inside_the_folder_of_sites(tmp_path: Path) -> None:
    sites = write(tmp_path)
    (tmp_path / "consortia").rename(sites / "consortia")
    assert load_site("garam", [sites]).consortium_folder == sites / "consortia/river"


def test_a_site_without_a_consortium_has_what_is_built_in(tmp_path: Path) -> None:
    spec = changed("consortium: river, ", "").replace("map: sex", "map: {남: 8507, 여: 8532}")
    site = load(tmp_path, spec)
    assert site.consortium_folder is None
    assert (site.defaults.null_dates, site.defaults.delimiter, site.visit_policy.open_stay) == ([], ",", "as_of")
    assert site.spec.site.extract_date == dt.date(2026, 3, 31)


def test_an_inline_map_gets_the_name_of_its_place(tmp_path: Path) -> None:
    site = load(tmp_path)
    visit = next(entry for table, _, entry in site.spec.entries() if table == "visit_occurrence")
    name = visit.given("code").map
    assert name == "tables.visit_occurrence[0].code"
    assert {value: target.concept_id for value, target in site.maps[name].values.items()} == {
        ("외래",): 9202,
        ("입원",): 9201,
    }


def test_one_anchor_serves_two_entries(tmp_path: Path) -> None:
    spec = changed("person: 환자번호\n      code:", "person: &p 환자번호\n      code:")
    spec = changed("      person: 환자번호\n      visit:", "      person: *p\n      visit:", spec)
    condition = next(
        entry for table, _, entry in load(tmp_path, spec).spec.entries() if table == "condition_occurrence"
    )
    assert condition.given("person") == ["환자번호"]


def test_ignored_sources_need_no_entry_and_no_file(tmp_path: Path) -> None:
    spec = changed("sources:\n", "sources:\n  lab: {path: 검사.csv}\n")
    spec = changed("tables:\n", "ignored: {lab: 다음 단계에서, 서식.csv: 자유 글}\ntables:\n", spec)
    assert load(tmp_path, spec, headers=True).spec.ignored == {"lab": "다음 단계에서", "서식.csv": "자유 글"}


def test_views_stand_after_the_views_that_they_read(tmp_path: Path) -> None:
    spec = changed("  order_coded:", "  drugs: {view: views/drugs.sql, of: order_coded}\n  order_coded:")
    spec = changed("- from: order_coded", "- from: drugs", spec)
    files = {"hospitals/garam/views/drugs.sql": "SELECT c.* FROM order_coded c WHERE c.`코드구분` = '3'"}
    site = load(tmp_path, spec, files)
    assert list(site.views) == ["order_coded", "drugs"]
    assert site.view_reads == {"order_coded": {"orders", "code_table"}, "drugs": {"order_coded"}}
    assert isinstance(site.spec.sources["drugs"], ViewSource)


def test_the_digest_follows_every_file_that_is_read(tmp_path: Path) -> None:
    before = load(tmp_path)
    assert load(tmp_path).digest == before.digest
    assert sorted(before.file_digests) == [
        "consortium/consortium.yaml",
        "consortium/maps/common.csv",
        "site/maps/garam.csv",
        "site/maps/route.csv",
        "site/site.yaml",
        "site/views/order_coded.sql",
    ]
    for name in (
        "hospitals/garam/views/order_coded.sql",
        "hospitals/garam/maps/garam.csv",
        "consortia/river/consortium.yaml",
        "consortia/river/maps/common.csv",
    ):
        write(tmp_path)
        with (tmp_path / name).open("a", encoding="utf-8") as file:
            file.write("\n")
        assert load_site("garam", [tmp_path / "hospitals"]).digest != before.digest, name


def test_check_columns_takes_the_columns_of_views(tmp_path: Path) -> None:
    site = load(tmp_path)
    good = (*HEADERS["orders"], "보험코드", "코드구분")
    assert check_columns(site, {"order_coded": good}) == []
    problems = check_columns(site, {"order_coded": good[:-2]})
    assert [problem.found for problem in problems] == [
        "no column '보험코드' in order_coded",
        "no column '코드구분' in order_coded",
    ]
    assert problems[0].where.endswith("site.yaml:44 tables.drug_exposure[0].code.first_of[1].column")


def test_folds_need_their_counting_column(tmp_path: Path) -> None:
    spec = changed("of: orders}", "of: orders, folds: {code_table: N}}")
    problems = check_columns(load(tmp_path, spec), {"order_coded": (*HEADERS["orders"], "보험코드", "코드구분")})
    assert [problem.found for problem in problems] == ["no column 'N' in order_coded"]


def test_normalised_and_row_columns_count_as_there(tmp_path: Path) -> None:
    spec = changed("key: [내원번호, 순번]\n", "key: [내원번호, 순번]\n    nfkc: [상병명]\n")
    spec = changed("note_text: 소견}", "note_text: 상병명_nfkc, source_value: _row}", spec)
    assert load(tmp_path, spec, headers=True).headers["diagnosis"] == HEADERS["diagnosis"]


def test_columns_that_nothing_reads_are_a_warning(tmp_path: Path) -> None:
    headers = HEADERS | {"visit": (*HEADERS["visit"], "병동", "담당의사")}
    sites, extract = write(tmp_path), tmp_path / "extract"
    extract.mkdir()
    (extract / "내원.csv").touch()
    (extract / "수납.csv").touch()
    warnings = load_site("garam", [sites], extract, header_from(headers)).warnings
    assert [str(warning).replace(f"{tmp_path}/hospitals/garam/", "") for warning in warnings] == [
        "site.yaml:8 sources.visit: nothing reads 병동, 담당의사\n    map them, or name them under left_out with the reason",
        "site.yaml:6 sources: no source reads 수납.csv\n"
        "    declare a source for them, or give the reason: ignored: {NAME: …}",
    ]


def test_an_extract_that_alone_is_wrong_is_a_source_error(tmp_path: Path) -> None:
    def header_of(name: str, source: FileSource, defaults: Defaults, extract: Path) -> tuple[str, ...]:
        if name == "visit":
            raise SourceError(Problem("내원.csv", "no file", "see the extract"))
        return HEADERS[name]

    sites = write(tmp_path)
    with pytest.raises(SourceError) as alone:
        load_site("garam", [sites], tmp_path, header_of)
    assert alone.value.problems == [Problem("내원.csv", "no file", "see the extract")]
    write(tmp_path, **{"hospitals/garam/site.yaml": changed("map: sex", "map: sexes")})
    with pytest.raises(ConfigurationError) as both:
        load_site("garam", [sites], tmp_path, header_of)
    assert [problem.found for problem in both.value.problems] == ["no map 'sexes' (closest: 'sex')", "no file"]


def test_an_unknown_site_names_the_closest_and_where_it_was_looked_for(tmp_path: Path) -> None:
    sites = write(tmp_path)
    assert site_names([sites, tmp_path / "none"]) == ["garam"]
    with pytest.raises(ConfigurationError) as error:
        load_site("garma", [sites])
    assert str(error.value).replace(str(tmp_path), "") == (
        "no site 'garma' (closest: 'garam')\n"
        "    looked in /hospitals; sites there: garam. --sites or DURE_SITES names the folder that holds garma/site.yaml"
    )


def test_warnings_of_what_has_no_effect(tmp_path: Path) -> None:
    spec = changed("  route: maps/route.csv\n", "  route: maps/route.csv\n  old: {a: 1}\n")
    spec = changed("  GARAM: {", "  LOCAL: {fallback: parent}\n  GARAM: {", spec)
    files = {"hospitals/garam/views/order_coded.sql": VIEW.replace("SELECT o.*,", "SELECT o.*, o._source_file AS f,")}
    warnings = load(tmp_path, spec, files).warnings
    assert [(warning.where.replace(f"{tmp_path}/hospitals/garam/", ""), warning.found) for warning in warnings] == [
        ("views/order_coded.sql:1", "_source_file is the older name of _file"),
        ("site.yaml:19 maps.old", "map 'old' is used nowhere"),
        (
            "site.yaml:21 vocabularies.LOCAL",
            "'LOCAL' is not an Athena vocabulary and has no maps: none of its codes will find a concept",
        ),
    ]


def test_words_of_the_draft_grammar_are_understood(tmp_path: Path) -> None:
    consortium = changed("open_stay: start", "open_stay: extract_date", CONSORTIUM)
    site = load(tmp_path, SPEC, {"consortia/river/consortium.yaml": consortium})
    assert site.visit_policy.open_stay == "as_of"


@pytest.mark.parametrize(
    ("name", "tables", "views", "maps"),
    [
        ("synthea", 26, ["coverage", "claim_cost"], 10),
        ("bada", 15, ["order_coded", "lab_coded"], 11),
        ("gangsan", 16, ["gj_items", "jk_person", "t40_rank"], 11),
    ],
)
def test_the_house_s_example_sites_load(name: str, tables: int, views: list[str], maps: int) -> None:
    if not (EXAMPLES / name / "site.yaml").is_file():
        pytest.skip("the example sites lie in ../shared, which is not here")
    site = load_site(name, [EXAMPLES])
    assert len(list(site.spec.entries())) == tables
    assert sorted(site.views) == sorted(views)
    assert len(site.maps) == maps
