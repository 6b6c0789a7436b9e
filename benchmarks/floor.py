"""The floor of the benchmark: hand-written DuckDB SQL (floor.sql) that writes the tables of the Synthea site.

    python benchmarks/floor.py prepare ATHENA_DIR VOCABULARY_DIR
    python benchmarks/floor.py run EXTRACT_DIR VOCABULARY_DIR OUT_DIR [--threads 2]

`prepare` turns Athena's files into Parquet files of codes with their targets and of drugs with their ingredients.  It is not measured, as loading Dure's
vocabulary store is not.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import duckdb

TABLES = (
    "location", "care_site", "provider", "person", "death", "visit_occurrence", "visit_detail", "condition_occurrence",
    "drug_exposure", "procedure_occurrence", "device_exposure", "measurement", "observation", "payer_plan_period", "cost",
    "observation_period", "condition_era", "drug_era",
)  # fmt: skip
# The site's short maps that name concepts by code: (map, vocabulary, CSV file beside the site).
MAPS = (("specialty", "Medicare Specialty", "specialty.csv"), ("payer", "SOPT", "payer.csv"))
SITE_MAPS = Path(__file__).resolve().parents[1] / "vocab_mappings/sites/synthea/maps"

PREPARE = """
copy (
  with concept as (
    select concept_id::int as concept_id, vocabulary_id, concept_code, domain_id, standard_concept, invalid_reason
    from read_csv('{athena}/CONCEPT.csv', all_varchar = true, header = true, delim = '\t', quote = '')
  ), maps_to as (
    select concept_id_1::int as concept_id_1, concept_id_2::int as concept_id_2
    from read_csv('{athena}/CONCEPT_RELATIONSHIP.csv', all_varchar = true, header = true, delim = '\t', quote = '')
    where relationship_id = 'Maps to' and invalid_reason is null
  ), target as (
    select m.concept_id_1, t.concept_id, t.domain_id
    from maps_to m join concept t on t.concept_id = m.concept_id_2
    where t.standard_concept = 'S' and t.invalid_reason is null
  )
  select s.vocabulary_id, s.concept_code as code, s.concept_id as source_concept_id,
         coalesce(t.concept_id, 0) as target_concept_id, t.domain_id
  from concept s left join target t on t.concept_id_1 = s.concept_id
  union all
  select case concept_code when '416098002' then 'allergy' else 'answer' end,
         case concept_code when '416098002' then 'allergy' when '373066001' then 'Yes' else 'No' end, 0, concept_id, domain_id
  from concept where vocabulary_id = 'SNOMED' and concept_code in ('416098002', '373066001', '373067005')
  {maps}
) to '{out}/code.parquet' (format parquet)
"""
OF_MAP = """
  union all
  select '{name}', m.value, 0, coalesce(c.concept_id, 0), c.domain_id
  from read_csv('{file}', all_varchar = true, header = true) m
  left join concept c on c.vocabulary_id = '{vocabulary}' and c.concept_code = m.concept_code
"""
PREPARE_INGREDIENTS = """
copy (
  with concept as (
    select concept_id::int as concept_id
    from read_csv('{athena}/CONCEPT.csv', all_varchar = true, header = true, delim = '\t', quote = '')
    where vocabulary_id in ('RxNorm', 'RxNorm Extension') and concept_class_id = 'Ingredient' and standard_concept = 'S'
  ), ancestor as (
    select descendant_concept_id::int as drug_concept_id, ancestor_concept_id::int as concept_id
    from read_csv('{athena}/CONCEPT_ANCESTOR.csv', all_varchar = true, header = true, delim = '\t', quote = '')
    union
    select concept_id, concept_id from concept
  )
  select drug_concept_id, concept_id as ingredient_concept_id from ancestor join concept using (concept_id)
) to '{out}/ingredient.parquet' (format parquet)
"""


def prepare(athena: Path, out: Path) -> None:
    """Writes code.parquet, one row a (vocabulary, code, target), and ingredient.parquet, one row a (drug, ingredient)."""
    out.mkdir(parents=True, exist_ok=True)
    maps = "".join(OF_MAP.format(name=name, vocabulary=of, file=SITE_MAPS / file) for name, of, file in MAPS)
    with duckdb.connect() as connection:
        connection.execute(PREPARE.format(athena=athena, out=out, maps=maps))
        connection.execute(PREPARE_INGREDIENTS.format(athena=athena, out=out))


def run(source: Path, vocabulary: Path, out: Path, threads: int) -> None:
    """Writes the tables of an extract; those of persons are sorted by person."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    script = (Path(__file__).parent / "floor.sql").read_text(encoding="utf-8")
    for name, folder in (("source", source), ("vocabulary", vocabulary), ("out", out)):
        script = script.replace(f":{name}/", f"{folder}/")
    with duckdb.connect() as connection:
        connection.execute(f"set threads = {threads}; set preserve_insertion_order = false")
        connection.execute(script)


def main() -> None:
    parser = argparse.ArgumentParser(description="The floor of the benchmark, in DuckDB SQL.")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("prepare", help="Athena's files to Parquet")
    one.add_argument("athena", type=Path)
    one.add_argument("vocabulary", type=Path)
    two = commands.add_parser("run", help="an extract to the tables")
    two.add_argument("source", type=Path)
    two.add_argument("vocabulary", type=Path)
    two.add_argument("out", type=Path)
    two.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    if given.command == "prepare":
        prepare(given.athena, given.vocabulary)
    else:
        run(given.source, given.vocabulary, given.out, given.threads)


if __name__ == "__main__":
    main()
