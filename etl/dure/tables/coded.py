"""Coded roles of a rule: joins to the resolved map, and the parts that the winning alternative gives."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from dure.accounting.reasons import Note
from dure.cdm.roles import roles
from dure.cdm.schema import table as cdm_table
from dure.tables import codes
from dure.tables.expressions import looked_up
from dure.tables.routing import EVENT_TABLES, part_column
from dure.tables.rule import Evaluation


def resolve_codes(work: Evaluation, frame: DataFrame) -> DataFrame:
    """Joins the resolved map for each alternative that asks it; a later one asks only where the earlier found nothing."""
    frame = _dates(work, frame)
    for name, value in _coded_values(work).items():
        found, said = F.lit(False), F.lit(False)
        for n, one in enumerate(codes.alternatives(value, work.shared.reading)):
            prefix = f"{name}__{n}"
            # The unit that a spec gives a test holds only where the source says none.
            open_still = ~found & ~said if one.inferred and name == "unit" else ~found
            if n and one.inferred and one.request is None:
                frame = frame.withColumn(f"{prefix}_concept", F.when(open_still, F.col(f"{prefix}_concept")))
            if one.request is not None:
                if n:
                    frame = frame.withColumn(f"{prefix}_key", F.when(open_still, F.col(f"{prefix}_key")))
                single = name != "code" or work.rule.table not in EVENT_TABLES
                frame = work.shared.resolved.join(frame, f"{prefix}_key", "_date", prefix, single)
                concept = F.col(f"{prefix}_target")
            else:
                concept = F.col(f"{prefix}_concept")
            found = found | F.coalesce(concept > 0, F.lit(False))
            said = said | F.col(f"{prefix}_text").isNotNull()
    return frame


def _coded_values(work: Evaluation) -> dict[str, object]:
    found = codes.coded_roles(work.rule.entry, work.rule.table)
    if "type_concept_id" in work.roles and "type_concept_id" not in found:
        found["type_concept_id"] = codes.type_concept(None, work.shared.default_type, work.rule.table)
    return found


def _dates(work: Evaluation, frame: DataFrame) -> DataFrame:
    """`_date`, the day on which a map must be valid: the start, else the as-of date."""
    start = F.col("start__at").cast("date") if work.given("start") is not None else F.lit(work.shared.as_of)
    return frame.withColumn("_date", start)


def coded_parts(work: Evaluation) -> None:
    """Concept, source value and source concept of every coded role."""
    for name, value in _coded_values(work).items():
        options = codes.alternatives(value, work.shared.reading)
        columns = roles(work.rule.table)[name].columns
        chosen = _chosen(work, name, options)
        required = name in ("code", "type_concept_id") or (
            "concept_id" in columns and cdm_table(work.rule.table)[columns["concept_id"]].required
        )
        concept = F.coalesce(chosen["concept"], F.lit(0)) if required else chosen["optional"]
        if name == "value":
            work.parts[part_column("value", "value_as_concept_id")] = concept
            work.parts[part_column("value", "value_source_value")] = chosen["text"]
            continue
        work.parts[part_column(name, "concept_id")] = concept
        if name == "type_concept_id":
            continue
        if any(option.request is not None for option in options):
            work.parts[resolved_column(name)] = chosen["row"]
        if name == "code":
            work.parts[part_column("code", "source_concept_id")] = chosen["source"]
            work.parts["_domain"] = chosen["domain"]
            work.parts["_rank"] = chosen["rank"]
            work.parts["_mapped_value"] = chosen["value"]
            # What reports on codes need: the row of the resolved map, and the text of what never asked it.
            work.parts["_code"] = F.when(chosen["row"].isNull(), chosen["text"])
            work.note(Note.WIDER, chosen["equivalence"] == "wider")
            if work.given("source_value") is None:
                work.parts[part_column("source_value", "value")] = chosen["text"]
        else:
            work.parts[part_column(name, "source_value")] = F.when(~chosen["inferred"], chosen["text"])
            if name == "unit" and any(option.inferred for option in options):
                work.note(Note.INFERRED, chosen["inferred"] & (concept > 0))
            work.parts[part_column(name, "source_concept_id")] = chosen["source"]
            work.note(Note.TEXT_WITHOUT_CONCEPT, chosen["text"].isNotNull() & (concept == 0))


def resolved_column(role: str) -> str:
    """The column of a mapped frame with the row of the resolved map that gave a role its concept; NULL where none did."""
    return f"_resolved_{role}"


def _chosen(work: Evaluation, name: str, options: list[codes.Alternative]) -> dict[str, Column]:
    """The parts of the alternative that wins: the first with a concept, else the first that is not empty."""
    nothing, no_text = F.lit(None).cast("int"), F.lit(None).cast("string")
    rows = []
    for n, one in enumerate(options):
        prefix, asked = f"{name}__{n}", one.request is not None
        text = F.col(f"{prefix}_text")
        concept = F.col(f"{prefix}_target") if asked else F.col(f"{prefix}_concept")
        rows.append(
            {
                "text": text,
                "inferred": F.lit(one.inferred),
                "concept": concept,
                "optional": F.when(text.isNotNull(), F.coalesce(concept, F.lit(0))).otherwise(concept),
                "source": F.when(
                    text.isNotNull(), F.coalesce(F.col(f"{prefix}_source"), F.lit(0)) if asked else F.lit(0)
                ),
                "domain": F.col(f"{prefix}_domain") if asked else _fixed_domain(work, concept),
                "rank": F.coalesce(F.col(f"{prefix}_rank"), F.lit(0)) if asked else F.lit(0),
                "value": F.col(f"{prefix}_value") if asked else nothing,
                "equivalence": F.col(f"{prefix}_equivalence") if asked else no_text,
                "row": F.col(f"{prefix}_row") if asked else nothing,
            }
        )
    if len(rows) == 1:
        return rows[0]
    chosen = {}
    for part in rows[0]:
        with_text = rows[-1][part]
        for row in reversed(rows[:-1]):
            with_text = F.when(row["text"].isNotNull(), row[part]).otherwise(with_text)
        best = with_text
        for row in reversed(rows):
            best = F.when(row["concept"] > 0, row[part]).otherwise(best)
        chosen[part] = best
    return chosen


def _fixed_domain(work: Evaluation, concept: Column) -> Column:
    if not work.shared.domains:
        return F.lit(None).cast("string")
    return looked_up(concept.cast("string"), {str(concept): name for concept, name in work.shared.domains.items()})
