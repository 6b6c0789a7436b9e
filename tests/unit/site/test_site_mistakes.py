"""Each kind of mistake in a spec, made in one place of a good one, and all that the reader says of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from site_folder import CONSORTIUM, SPEC, changed, load, mistakes

IN_THE_SPEC: list[tuple[str, str, str, list[str]]] = [
    (
        "a key that a table does not have",
        "      start: 진단일자\n",
        "      strat: 진단일자\n",
        [
            "site.yaml:37 tables.condition_occurrence[0]: unknown key 'strat' (closest: 'start')\n    allowed: from, where, label, key, keep, person, code, start, end, type_concept_id, status, stop_reason, provider, visit, visit_detail, source_value"
        ],
    ),
    (
        "a required key left out",
        "      start: 진단일자\n",
        "",
        [
            "site.yaml:33 tables.condition_occurrence[0]: 'start' is missing\n    every entry of condition_occurrence needs it"
        ],
    ),
    (
        "a key without a value",
        "      start: 진단일자\n",
        "      start:\n",
        ["site.yaml:37 tables.condition_occurrence[0]: 'start' has no value\n    give it one or remove the key"],
    ),
    (
        "a CDM column for a coded role",
        "vocabulary: KCD7, description: 상병명}\n",
        "vocabulary: KCD7, description: 상병명}\n      condition_status_concept_id: 32902\n",
        [
            "site.yaml:37 tables.condition_occurrence[0]: unknown key 'condition_status_concept_id'\n    concepts are given by role: write status: …"
        ],
    ),
    (
        "a CDM column for a date",
        "      start: 진단일자\n",
        "      start: 진단일자\n      condition_end_date: 진단일자\n",
        [
            "site.yaml:38 tables.condition_occurrence[0]: unknown key 'condition_end_date'\n    dates are given by role: write end: …"
        ],
    ),
    (
        "a CDM column that Dure fills",
        "      start: 진단일자\n",
        "      start: 진단일자\n      condition_occurrence_id: 순번\n",
        [
            "site.yaml:38 tables.condition_occurrence[0]: unknown key 'condition_occurrence_id'\n    Dure fills condition_occurrence_id itself; remove the key"
        ],
    ),
    (
        "a table that the CDM does not have",
        "  condition_occurrence:\n",
        "  condition_occurence:\n",
        [
            "site.yaml:32 tables: unknown key 'condition_occurence' (closest: 'condition_occurrence')\n    allowed: location, care_site, provider, person, death, visit_occurrence, visit_detail, condition_occurrence, drug_exposure, procedure_occurrence, device_exposure, measurement, observation, specimen, note, note_nlp, episode, episode_event, payer_plan_period, cost, fact_relationship"
        ],
    ),
    (
        "a table that Dure derives",
        "  note:\n",
        "  drug_era: []\n  note:\n",
        [
            "site.yaml:49 tables: unknown key 'drug_era' (closest: 'drug_exposure')\n    Dure derives drug_era; remove it"
        ],
    ),
    (
        "a column where a coded value belongs",
        "gender: {column: 성별, map: sex}",
        "gender: 성별",
        [
            "site.yaml:25 tables.person[0].gender: '성별' is not a coded value. Write {column: COL, vocabulary: V}, {column: COL, map: M}, {literal: CODE, vocabulary: V}, {concept_id: N} or {first_of: […]}"
        ],
    ),
    (
        "a function that does not exist",
        "{rrn_birth: 주민번호}",
        "{rrn_brith: 주민번호}",
        [
            "site.yaml:24 tables.person[0].birth.first_of[1]: {rrn_brith} is not a birth date (closest: 'rrn_birth'). Write a column name, {date: D, time: T}, {month: YM, day: last}, {year: Y, day: first}, {parts: [Y, M, D]}, {rrn_birth: RRN}, {age_group: COL, year: Y} or {first_of: […]}"
        ],
    ),
    (
        "a list where a text belongs",
        "start: 진단일자\n",
        "start: [진단일자]\n",
        [
            "site.yaml:37 tables.condition_occurrence[0].start: a list is not a date. Write a column name, {date: D, time: T}, {month: YM, day: last}, {year: Y, day: first}, {parts: [Y, M, D]} or {first_of: […]}"
        ],
    ),
    (
        "both meanings",
        "{column: 성별, map: sex}",
        "{column: 성별, map: sex, vocabulary: Gender}",
        [
            "site.yaml:25 tables.person[0].gender: has both vocabulary and map\n    vocabulary: codes with validity, lint and provenance; map: a short fixed list. Keep one"
        ],
    ),
    (
        "a code without its vocabulary",
        "{column: 성별, map: sex}",
        "{literal: M}",
        [
            "site.yaml:25 tables.person[0].gender: 'vocabulary' is missing\n    a code needs its vocabulary: {literal: CODE, vocabulary: V}; a fixed concept is {concept_id: N}"
        ],
    ),
    (
        "a code type without vocabulary",
        "{column: 성별, map: sex}",
        "{column: 성별, map: sex, type: 구분}",
        [
            "site.yaml:25 tables.person[0].gender: type without vocabulary\n    they are part of a mapping's key; name the vocabulary"
        ],
    ),
    (
        "a concept that is no number",
        "{concept_id: 706391}",
        "{concept_id: 외래}",
        [
            "site.yaml:50 tables.note[0].class.concept_id: '외래' is not a concept id\n    a whole number from 0 to 2147483647"
        ],
    ),
    (
        "a number that is none",
        "empty: 1}",
        "empty: 하나}",
        ["site.yaml:47 tables.drug_exposure[0].quantity.empty: '하나' is not a number"],
    ),
    (
        "an unknown map",
        "map: sex}",
        "map: sexes}",
        ["site.yaml:25 tables.person[0].gender.map: no map 'sexes' (closest: 'sex')\n    maps: sex, route"],
    ),
    (
        "an unknown vocabulary",
        "vocabulary: KCD7",
        "vocabulary: KCD_7",
        [
            "site.yaml:36 tables.condition_occurrence[0].code.vocabulary: no vocabulary 'KCD_7' (closest: 'KCD7')\n    declare it under vocabularies, or use an Athena vocabulary_id"
        ],
    ),
    (
        "an unknown source",
        "- from: diagnosis\n",
        "- from: diagnoses\n",
        [
            "site.yaml:33 tables.condition_occurrence[0].from: no source 'diagnoses' (closest: 'diagnosis')\n    sources: patient, visit, diagnosis, orders, code_table, order_coded"
        ],
    ),
    (
        "an entry of a lookup",
        "  note:\n    - {from: diagnosis",
        "  note:\n    - {from: code_table",
        [
            "site.yaml:50 tables.note[0].from: 'code_table' is a lookup, whose rows reach no table\n    remove role: lookup; views may still join it"
        ],
    ),
    (
        "a week-based year",
        "yyyyMMdd,",
        "YYYYMMdd,",
        [
            "site.yaml:5 defaults.formats[0]: date format 'YYYYMMdd': write yyyy (YYYY is the week-based year)\n    letters: y M d H h m s S a X; other text in '…'"
        ],
    ),
    (
        "a day of the year",
        "yyyyMMdd,",
        "yyyyMMDD,",
        [
            "site.yaml:5 defaults.formats[0]: date format 'yyyyMMDD': write dd (DD is the day of the year)\n    letters: y M d H h m s S a X; other text in '…'"
        ],
    ),
    (
        "Python's format",
        "yyyyMMdd,",
        "'%Y%m%d',",
        [
            "site.yaml:5 defaults.formats[0]: date format '%Y%m%d' is Python's\n    write Spark's letters: %Y%m%d is yyyyMMdd"
        ],
    ),
    (
        "minutes for months",
        "yyyyMMdd,",
        "yyyymmdd,",
        ["site.yaml:5 defaults.formats[0]: date format 'yyyymmdd' has no month (M)\n    months are MM, minutes are mm"],
    ),
    (
        "a format without a day",
        "yyyyMMdd,",
        "yyyyMM,",
        [
            "site.yaml:5 defaults.formats[0]: date format 'yyyyMM' has no day (d)\n    for a month write {month: COL, day: first}, middle or last"
        ],
    ),
    (
        "a bare T",
        "yyyyMMdd,",
        "yyyy-MM-ddTHH:mm,",
        [
            "site.yaml:5 defaults.formats[0]: date format 'yyyy-MM-ddTHH:mm': write 'T' in quotes\n    letters: y M d H h m s S a X; other text in '…'"
        ],
    ),
    (
        "letters without meaning",
        "yyyyMMdd,",
        "yyyyMMddQ,",
        [
            "site.yaml:5 defaults.formats[0]: date format 'yyyyMMddQ' holds Q, which means nothing\n    letters: y M d H h m s S a X; other text in '…'"
        ],
    ),
    (
        "an open quote",
        "yyyyMMdd,",
        '"yyyy-MM-dd\'T",',
        [
            "site.yaml:5 defaults.formats[0]: date format 'yyyy-MM-dd'T': a quote is not closed\n    letters: y M d H h m s S a X; other text in '…'"
        ],
    ),
    (
        "a half of the clock",
        "yyyyMMdd,",
        "yyyyMMddhh,",
        [
            "site.yaml:5 defaults.formats[0]: date format 'yyyyMMddhh': hh is the hour of a 12-hour clock without its half (a)\n    write HH for 0 to 23"
        ],
    ),
    (
        "a year alone",
        "start: 진단일자\n",
        "start: {year: 진단일자}\n",
        [
            "site.yaml:37 tables.condition_occurrence[0].start: a year alone is no date\n    {year: 진단일자, day: first}, middle or last"
        ],
    ),
    (
        "a day that is none",
        "start: 진단일자\n",
        "start: {month: 진단일자, day: lats}\n",
        [
            "site.yaml:37 tables.condition_occurrence[0].start.day: 'lats' is not one of first, middle, last (closest: 'last')"
        ],
    ),
    (
        "two parts of a date",
        "start: 진단일자\n",
        "start: {parts: [순번, 구분]}\n",
        [
            "site.yaml:37 tables.condition_occurrence[0].start: 2 columns, where a date has three parts\n    parts: [YEAR, MONTH, DAY]"
        ],
    ),
    (
        "a reference of another length",
        "visit: 내원번호\n      code: {column: 상병코드",
        "visit: [내원번호, 순번]\n      code: {column: 상병코드",
        [
            "site.yaml:35 tables.condition_occurrence[0].visit: 2 key parts, but tables.visit_occurrence[0] (line 27) has 1\n    a reference is the same list, in the same order, as the key it points to"
        ],
    ),
    (
        "a reference to nothing",
        "      person: 환자번호\n      code: {column: 구분",
        "      person: 환자번호\n      care_site: 구분\n      code: {column: 구분",
        [
            "site.yaml:29 tables.visit_occurrence[0].care_site: nothing fills care_site, so this can never be found\n    add an entry for care_site, or remove care_site"
        ],
    ),
    (
        "nobody",
        "      person: 환자번호\n      visit: 내원번호\n      code: {column: 상병코드",
        "      code: {column: 상병코드",
        [
            "site.yaml:33 tables.condition_occurrence[0]: no person\n    give person, or visit: the person is then the visit's"
        ],
    ),
    (
        "a person without a key",
        'path: "환자*.csv", key: [환자번호]}',
        'path: "환자*.csv"}',
        [
            "site.yaml:23 tables.person[0]: a person without a key\n    key: the column that tells persons apart, here or at the source"
        ],
    ),
    (
        "a time zone that is none",
        "Asia/Seoul",
        "Asia/Seol",
        [
            "site.yaml:2 site.timezone: no time zone 'Asia/Seol' (closest: 'Asia/Seoul')\n    a name of the tz database, e.g. Asia/Seoul"
        ],
    ),
    (
        "a date that is none",
        "extract_date: 2026-03-31",
        "extract_date: 2026-3-32",
        ["site.yaml:2 site.extract_date: '2026-3-32' is not a date\n    write YYYY-MM-DD, e.g. 2026-03-31"],
    ),
    ("a site without a name", "name: 가람병원, ", "", ["site.yaml:2 site: 'name' is missing"]),
    (
        "a consortium that is not there",
        "consortium: river",
        "consortium: rivers",
        [
            "site.yaml:2 site.consortium: no consortium 'rivers' (closest: 'river')\n    looked for hospitals/consortia/rivers/consortium.yaml and consortia/rivers/consortium.yaml"
        ],
    ),
    (
        "an unknown encoding",
        "encoding: cp949",
        "encoding: cp94９",
        [
            "site.yaml:4 defaults.encoding: no encoding 'cp94９' (closest: 'cp949')\n    e.g. utf-8, utf-8-sig, cp949, euc-kr, utf-16, latin-1"
        ],
    ),
    (
        "a path out of the extract",
        "진단.csv",
        "../진단.csv",
        [
            "site.yaml:10 sources.diagnosis.path: '../진단.csv' leaves the extract\n    paths are relative to the extract's folder"
        ],
    ),
    (
        "a source that reaches no table",
        "sources:\n",
        "sources:\n  lab: {path: 검사.csv}\n",
        [
            "site.yaml:7 sources.lab: source 'lab' reaches no table\n    map it, say role: lookup, or give the reason: ignored: {lab: …}"
        ],
    ),
    (
        "a lookup that nobody reads",
        "sources:\n",
        "sources:\n  codes: {path: 코드.csv, role: lookup}\n",
        [
            "site.yaml:7 sources.codes: lookup 'codes' is read by no view\n    remove it, or give the reason: ignored: {codes: …}"
        ],
    ),
    (
        "ignored yet read",
        "tables:\n",
        "ignored: {visit: 나중에}\ntables:\n",
        [
            "site.yaml:21 ignored.visit: 'visit' is ignored, but site.yaml:28 tables.visit_occurrence[0].from reads it\n    remove it from ignored, or remove the entry"
        ],
    ),
    (
        "ignored without a reason",
        "tables:\n",
        "ignored: {검사.csv: }\ntables:\n",
        ["site.yaml:21 ignored.검사.csv: an empty value stands where one text belongs"],
    ),
    (
        "a name with Hangul",
        "  patient: {",
        "  환자: {",
        [
            "site.yaml:7 sources.환자: '환자' is not a name\n    small letters a to z, digits and _, a letter first",
            "site.yaml:23 tables.person[0].from: no source 'patient'\n    sources: visit, diagnosis, orders, code_table, order_coded",
        ],
    ),
    (
        "two readings of one mapping",
        "quantity: {product: [용량, 횟수, 일수], empty: 1}",
        "quantity: {product: [용량, 횟수, 일수], literal: 1}",
        ["site.yaml:47 tables.drug_exposure[0].quantity: unknown key 'product'\n    allowed: literal"],
    ),
    (
        "a condition that is none",
        "where: {구분: [배제]}",
        "where: {구분: {like: 배제}}",
        [
            "site.yaml:13 sources.diagnosis.exclude[0].where.구분: {like} is not a condition. Write [a, b], {not: [a, b]} or {present: true}"
        ],
    ),
    (
        "a yes that is no yes",
        "where: {구분: [배제]}",
        "where: {구분: {present: yes}}",
        ["site.yaml:13 sources.diagnosis.exclude[0].where.구분.present: 'yes' is neither true nor false"],
    ),
    (
        "two rules of one name",
        "      - {rule: ruled_out, where: {구분: [배제]}, reason: 배제한 진단}\n",
        "      - {rule: ruled_out, where: {구분: [배제]}, reason: 배제한 진단}\n      - {rule: ruled_out, where: {구분: [의심]}, reason: 의심}\n",
        [
            "site.yaml:9 sources.diagnosis: two exclude rules have one name\n    rows are counted by rule: give each its own"
        ],
    ),
    (
        "no order to keep",
        "key: [내원번호, 순번]\n",
        "key: [내원번호, 순번]\n    keep: {}\n",
        [
            "site.yaml:12 sources.diagnosis.keep: keep needs one of first, last, all\n    e.g. keep: {last: [UPDATED_AT]}"
        ],
    ),
    (
        "fixed width without places",
        "{path: 내원.csv, key",
        "{path: 내원.txt, format: fixed, key",
        ["site.yaml:8 sources.visit: format: fixed without columns\n    columns: {NAME: [start, length], …}"],
    ),
    (
        "places without fixed width",
        "{path: 내원.csv, key",
        "{path: 내원.csv, columns: {내원번호: [1, 8]}, key",
        [
            "site.yaml:8 sources.visit: columns without format: fixed\n    columns are places in a line; names of a CSV are header: […]"
        ],
    ),
    (
        "a place that is none",
        "{path: 내원.csv, key",
        "{path: 내원.csv, format: fixed, columns: {내원번호: [0, 8]}, key",
        [
            "site.yaml:8 sources.visit.columns.내원번호: [0, 8] is not a place in a line\n    [start, length]; the first place is 1"
        ],
    ),
    (
        "a view that says nothing of its rows",
        "order_coded.sql, of: orders}",
        "order_coded.sql}",
        [
            "site.yaml:16 sources.order_coded: a view must say whose rows it holds\n    of: the source whose _file and _row it selects, or folds: {source: column that counts its rows}"
        ],
    ),
    (
        "a view of an unknown source",
        "of: orders}",
        "of: order}",
        [
            "site.yaml:16 sources.order_coded.of: no source 'order' (closest: 'orders')\n    sources: patient, visit, diagnosis, orders, code_table, order_coded"
        ],
    ),
    (
        "a view of a source that it does not read",
        "of: orders}",
        "of: visit}",
        [
            "site.yaml:14 sources.orders: source 'orders' reaches no table\n    map it, say role: lookup, or give the reason: ignored: {orders: …}",
            "site.yaml:16 sources.order_coded.of: views/order_coded.sql does not select from visit\n    name the source that it reads",
        ],
    ),
    (
        "a view of the wrong rows",
        "of: orders}",
        "of: code_table}",
        [
            "site.yaml:14 sources.orders: source 'orders' reaches no table\n    map it, say role: lookup, or give the reason: ignored: {orders: …}",
            "site.yaml:16 sources.order_coded.of: the rows are those of code_table, but views/order_coded.sql carries those of orders\n    select _file and _row of code_table, e.g. by its star: a.*",
        ],
    ),
    (
        "many rows without a key",
        "of: orders}",
        "of: orders, grain: many}",
        [
            "site.yaml:16 sources.order_coded: a view of grain many needs its own key\n    e.g. key: [PERSON_ID, YEAR, ITEM]"
        ],
    ),
    (
        "a view that is not there",
        "views/order_coded.sql",
        "views/order_code.sql",
        [
            "site.yaml:16 sources.order_coded.view: no view 'views/order_code.sql' in hospitals/garam (closest: 'views/order_coded.sql')\n    paths are relative to the file that names them"
        ],
    ),
    (
        "a map that is not there",
        "maps/route.csv",
        "maps/routes.csv",
        [
            "site.yaml:18 maps.route: no map 'maps/routes.csv' in hospitals/garam (closest: 'maps/route.csv')\n    paths are relative to the file that names them"
        ],
    ),
    (
        "a vocabulary's map that is not there",
        "[maps/garam.csv]",
        "[maps/garan.csv]",
        [
            "site.yaml:20 vocabularies.GARAM.maps[0]: no map 'maps/garan.csv' in hospitals/garam (closest: 'maps/garam.csv')\n    paths are relative to the file that names them"
        ],
    ),
    (
        "a map for too few columns",
        "{column: [경로1, 경로2], map: route}",
        "{column: 경로1, map: route}",
        [
            "site.yaml:48 tables.drug_exposure[0].route.map: map 'route' looks up 2 columns together, 1 given\n    columns: value_1, value_2, … of the map are the columns given, in their order"
        ],
    ),
    (
        "a map of texts for a concept",
        "{외래: 9202, 입원: 9201}",
        "{외래: outpatient, 입원: 9201}",
        [
            "site.yaml:29 tables.visit_occurrence[0].code.map: this map gives a text where a concept is needed (site.yaml:29)\n    give concept_id, or vocabulary_id and concept_code"
        ],
    ),
    (
        "a map of concepts for a text",
        "note_text: 소견}",
        "note_text: {column: 소견, map: route}}",
        [
            "site.yaml:50 tables.note[0].note_text.map: map 'route' gives a concept where a text is needed (hospitals/garam/maps/route.csv:2)\n    give the text in a column text",
            "site.yaml:50 tables.note[0].note_text.map: map 'route' looks up 2 columns together, 1 given\n    columns: value_1, value_2, … of the map are the columns given, in their order",
        ],
    ),
    (
        "a map to an unknown vocabulary",
        "vocabulary: KCD7, ",
        "vocabulary: {column: 구분, map: {주: KCD7, 부: KCD77}}, ",
        [
            "site.yaml:36 tables.condition_occurrence[0].code.vocabulary.map: this map names no vocabulary: 'KCD77' (closest: 'KCD7') (site.yaml:36)\n    declare it under vocabularies, or use an Athena vocabulary_id"
        ],
    ),
    (
        "a target left out",
        "{외래: 9202, 입원: 9201}",
        "{외래: 9202, 입원: }",
        [
            "site.yaml:29 tables.visit_occurrence[0].code.map: '입원' has no target\n    a concept id, or a text where a text is mapped"
        ],
    ),
    (
        "the same as an unknown vocabulary",
        "GARAM: {maps: [maps/garam.csv]}",
        "GARAM: {maps: [maps/garam.csv], same_as: EDII}",
        [
            "site.yaml:20 vocabularies.GARAM.same_as: no vocabulary 'EDII' (closest: 'EDI')\n    declare it under vocabularies, or use an Athena vocabulary_id"
        ],
    ),
    (
        "a merge without a gap",
        "tables:\n",
        "visit_policy: {merge: [{when: [9203], followed_by: [9201]}]}\ntables:\n",
        [
            "site.yaml:21 visit_policy.merge[0]: a merge needs one of within_hours, within_days, same_day\n    e.g. within_hours: 24"
        ],
    ),
    (
        "an open stay that is none",
        "tables:\n",
        "visit_policy: {open_stay: asof}\ntables:\n",
        ["site.yaml:21 visit_policy.open_stay: 'asof' is not one of as_of, start, reject (closest: 'as_of')"],
    ),
    (
        "enrolment of nothing",
        "tables:\n",
        "derive: {observation_period: enrolment}\ntables:\n",
        [
            "site.yaml:21 derive.observation_period: nothing fills payer_plan_period, which enrolment is made of\n    add entries for payer_plan_period, or write events"
        ],
    ),
    (
        "an event of another source",
        "  note:\n",
        "  cost:\n    - {from: visit, event: {row: drug_exposure}}\n  note:\n",
        [
            "site.yaml:50 tables.cost[0].event.row: no entry of drug_exposure reads visit, so its rows become nothing there\n    entries of drug_exposure read: order_coded"
        ],
    ),
    (
        "an event of no table",
        "  note:\n",
        "  cost:\n    - {from: visit, event: {row: drugs_exposure}}\n  note:\n",
        [
            "site.yaml:50 tables.cost[0].event.row: no table 'drugs_exposure' (closest: 'drug_exposure')\n    tables: location, care_site, provider, person, death, visit_occurrence, visit_detail, condition_occurrence, drug_exposure, procedure_occurrence, device_exposure, measurement, observation, specimen, note, note_nlp, episode, episode_event, payer_plan_period, cost, fact_relationship"
        ],
    ),
    (
        "two entries with one label",
        "  note:\n    - {from: diagnosis, visit: 내원번호, start: 진단일자, class: {concept_id: 706391}, note_text: 소견}\n",
        "  note:\n    - {from: diagnosis, visit: 내원번호, start: 진단일자, class: {concept_id: 706391}, note_text: 소견}\n    - {from: diagnosis, visit: 내원번호, start: 진단일자, class: {concept_id: 706391}, note_text: 상병명}\n",
        [
            "site.yaml:51 tables.note[1]: the same rows and key as the entry in line 50\n    let where of the two exclude each other, or give them different keys"
        ],
    ),
    (
        "two entries of one visit",
        "  condition_occurrence:\n",
        "    - {from: visit, person: 환자번호, code: {concept_id: 9202}, start: 내원일자}\n  condition_occurrence:\n",
        [
            "site.yaml:32 tables.visit_occurrence[1]: the same rows and key as the entry in line 27\n    let where of the two exclude each other, or give them different keys"
        ],
    ),
    ("another version", "spec_version: 1", "spec_version: 2", ["site.yaml:1 spec_version: '2' is not one of 1"]),
    (
        "an unknown section",
        "maps:\n  route",
        "map:\n  route",
        [
            "site.yaml:17: unknown key 'map' (closest: 'maps')\n    allowed: spec_version, defaults, maps, vocabularies, visit_policy, site, extract, sources, derive, ignored, tables",
            "site.yaml:48 tables.drug_exposure[0].route.map: map 'route' looks up 1 column together, 2 given\n    columns: value_1, value_2, … of the map are the columns given, in their order",
        ],
    ),
]

IN_THE_COLUMNS: list[tuple[str, str, str, list[str]]] = [
    (
        "a column of a value",
        "note_text: 소견}",
        "note_text: 소견서}",
        [
            "site.yaml:50 tables.note[0].note_text: no column '소견서' in diagnosis (closest: '소견')\n    a bare word is a column; a fixed value is {literal: …}"
        ],
    ),
    (
        "an expression",
        "end: 퇴원일자",
        "end: 퇴원일자 + 1",
        [
            "site.yaml:31 tables.visit_occurrence[0].end: no column '퇴원일자 + 1' in visit (closest: '퇴원일자')\n    there are no expressions: a named function ({product: […]}, {join: […]}, {first_of: […]}) or a view"
        ],
    ),
    (
        "a column of where",
        "where: {구분: [배제]}",
        "where: {구븐: [배제]}",
        [
            "site.yaml:13 sources.diagnosis.exclude[0].where.구븐: no column '구븐' in diagnosis (closest: '구분')\n    columns: 내원번호, 순번, 환자번호, 구분, 상병코드, 상병명, 진단일자, 소견"
        ],
    ),
    (
        "a resident number's race for the gender",
        "gender: {column: 성별, map: sex}",
        "gender: {rrn_race: 환자번호}",
        [
            "site.yaml:25 tables.person[0].gender: a resident number's race stands where gender belongs\n    rrn_sex gives gender, rrn_race gives race"
        ],
    ),
    (
        "a column of a key",
        "key: [내원번호, 순번]",
        "key: [내원번호, 번호]",
        [
            "site.yaml:11 sources.diagnosis.key[1]: no column '번호' in diagnosis (closest: '환자번호')\n    columns: 내원번호, 순번, 환자번호, 구분, 상병코드, 상병명, 진단일자, 소견"
        ],
    ),
    (
        "a column of an entry's where",
        "- from: diagnosis\n",
        "- from: diagnosis\n      where: {과: {present: true}}\n",
        [
            "site.yaml:34 tables.condition_occurrence[0].where.과: no column '과' in diagnosis\n    columns: 내원번호, 순번, 환자번호, 구분, 상병코드, 상병명, 진단일자, 소견"
        ],
    ),
    (
        "a column left out",
        "key: [내원번호, 순번]\n",
        "key: [내원번호, 순번]\n    left_out: {직접 식별자: [성명]}\n",
        [
            "site.yaml:12 sources.diagnosis.left_out.직접 식별자[0]: no column '성명' in diagnosis (closest: '상병명')\n    columns: 내원번호, 순번, 환자번호, 구분, 상병코드, 상병명, 진단일자, 소견"
        ],
    ),
    (
        "a column to normalise",
        "key: [내원번호, 순번]\n",
        "key: [내원번호, 순번]\n    nfkc: [상병멍]\n",
        [
            "site.yaml:12 sources.diagnosis.nfkc[0]: no column '상병멍' in diagnosis (closest: '상병명')\n    columns: 내원번호, 순번, 환자번호, 구분, 상병코드, 상병명, 진단일자, 소견"
        ],
    ),
]


@pytest.mark.parametrize(("old", "new", "said"), [case[1:] for case in IN_THE_SPEC], ids=[c[0] for c in IN_THE_SPEC])
def test_a_mistake_is_said_with_its_line_and_what_to_do(tmp_path: Path, old: str, new: str, said: list[str]) -> None:
    assert _shown(mistakes(tmp_path, changed(old, new))) == said


@pytest.mark.parametrize(
    ("old", "new", "said"), [case[1:] for case in IN_THE_COLUMNS], ids=[c[0] for c in IN_THE_COLUMNS]
)
def test_a_column_that_the_extract_lacks_is_said(tmp_path: Path, old: str, new: str, said: list[str]) -> None:
    assert _shown(mistakes(tmp_path, changed(old, new), headers=True)) == said


def test_the_good_spec_has_no_mistake_and_no_warning(tmp_path: Path) -> None:
    assert load(tmp_path, headers=True).warnings == ()


def test_mistakes_of_every_kind_are_said_in_one_go_in_the_order_of_the_files(tmp_path: Path) -> None:
    spec = changed("yyyyMMdd,", "YYYYMMdd,")
    spec = changed("key: [환자번호]}", "kye: [환자번호]}", spec)
    spec = changed("vocabulary: GARAM}", "vocabulary: GARAN}", spec)
    spec = changed("start: 진단일자\n", "strat: 진단일자\n", spec)
    spec = changed("note_text: 소견}", "note_text: 소견서}", spec)
    view = "SELECT o.*, t.보험코드 FROM orders o JOIN code_tabel t ON true"
    routes = "value_1,value_2,concept_id\n03,01,경구\n"
    files = {
        "hospitals/garam/views/order_coded.sql": view,
        "hospitals/garam/maps/route.csv": routes,
        "consortia/river/consortium.yaml": changed("1: 8507,", "1: ,", CONSORTIUM),
    }
    said = mistakes(tmp_path, spec, files, headers=True)
    assert [problem.split("\n")[0] for problem in said] == [
        "consortia/river/consortium.yaml:6 maps.sex.1: an empty value stands where one text belongs",
        "hospitals/garam/maps/route.csv:2: '경구' is not a concept id",
        "hospitals/garam/site.yaml:5 defaults.formats[0]: date format 'YYYYMMdd': write yyyy (YYYY is the week-based year)",
        "hospitals/garam/site.yaml:7 sources.patient: unknown key 'kye' (closest: 'key')",
        "hospitals/garam/site.yaml:37 tables.condition_occurrence[0]: unknown key 'strat' (closest: 'start')",
        "hospitals/garam/site.yaml:43 tables.drug_exposure[0].code.first_of[0].vocabulary: no vocabulary 'GARAN' (closest: 'GARAM')",
        "hospitals/garam/site.yaml:50 tables.note[0].note_text: no column '소견서' in diagnosis (closest: '소견')",
        "hospitals/garam/views/order_coded.sql:1: name 보험코드 without backticks",
        "hospitals/garam/views/order_coded.sql:1: no source 'code_tabel' (closest: 'code_table')",
    ]


def test_an_entry_keeps_its_place_when_the_one_before_it_is_wrong(tmp_path: Path) -> None:
    second = "    - {from: diagnosis, visit: [내원번호, 순번], start: 진단일자, class: {concept_id: 706391}, note_text: 소견}\n"
    spec = changed("note_text: 소견}\n", "note_texts: 소견}\n" + second)
    assert [problem.split(":")[0] + ":" + problem.split(":")[1] for problem in mistakes(tmp_path, spec)] == [
        "hospitals/garam/site.yaml:50 tables.note[0]",
        "hospitals/garam/site.yaml:51 tables.note[1].visit",
    ]


def test_a_spec_without_tables_is_said_to_have_none(tmp_path: Path) -> None:
    assert _shown(mistakes(tmp_path, SPEC[: SPEC.index("tables:")])) == ["site.yaml:1: 'tables' is missing"]


def _shown(problems: list[str]) -> list[str]:
    return [problem.replace("hospitals/garam/site.yaml", "site.yaml") for problem in problems]
