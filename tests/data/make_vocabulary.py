"""Writes `vocabulary/`: a slice of the OMOP vocabulary in Athena's file format, for the demo extract beside it.

    python tests/data/make_vocabulary.py [OUT]

The concepts' ids, codes, domains and standing are those of the OMOP vocabulary; the choice and the short names are
ours.  It holds the few dozen concepts that `make_extract.py` uses and nothing that a real site could work with.
Athena's format: tab-separated, no quoting, dates as YYYYMMDD.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

ALWAYS = ("19700101", "20991231")
TYPE_SINCE = ("20200820", "20991231")
SNOMED_SINCE = ("20020131", "20991231")

# (concept_id, name, domain, vocabulary, class, standard, code, valid_start, valid_end, invalid_reason)
# fmt: off
CONCEPTS: list[tuple[object, ...]] = [
    (0, "No matching concept", "Metadata", "None", "Undefined", "", "No matching concept", *ALWAYS, ""),
    (8507, "MALE", "Gender", "Gender", "Gender", "S", "M", *ALWAYS, ""),
    (8532, "FEMALE", "Gender", "Gender", "Gender", "S", "F", *ALWAYS, ""),
    (8515, "Asian", "Race", "Race", "Race", "S", "2", *ALWAYS, ""),
    (8516, "Black or African American", "Race", "Race", "Race", "S", "3", *ALWAYS, ""),
    (8527, "White", "Race", "Race", "Race", "S", "5", *ALWAYS, ""),
    (8557, "Native Hawaiian or Other Pacific Islander", "Race", "Race", "Race", "S", "4", *ALWAYS, ""),
    (8657, "American Indian or Alaska Native", "Race", "Race", "Race", "S", "1", *ALWAYS, ""),
    (38003563, "Hispanic or Latino", "Ethnicity", "Ethnicity", "Ethnicity", "S", "Hispanic", *ALWAYS, ""),
    (38003564, "Not Hispanic or Latino", "Ethnicity", "Ethnicity", "Ethnicity", "S", "Not Hispanic", *ALWAYS, ""),
    (262, "Emergency Room and Inpatient Visit", "Visit", "Visit", "Visit", "S", "ERIP", *ALWAYS, ""),
    (9201, "Inpatient Visit", "Visit", "Visit", "Visit", "S", "IP", *ALWAYS, ""),
    (9202, "Outpatient Visit", "Visit", "Visit", "Visit", "S", "OP", *ALWAYS, ""),
    (9203, "Emergency Room Visit", "Visit", "Visit", "Visit", "S", "ER", *ALWAYS, ""),
    (5083, "Telehealth", "Visit", "CMS Place of Service", "Visit", "S", "02", *ALWAYS, ""),
    (8546, "Hospice", "Visit", "CMS Place of Service", "Visit", "S", "34", *ALWAYS, ""),
    (581476, "Home Visit", "Visit", "Visit", "Visit", "S", "OMOP4822457", *ALWAYS, ""),
    (42898160, "Non-hospital institution Visit", "Visit", "Visit", "Visit", "S", "LTCP", *ALWAYS, ""),
    (32817, "EHR", "Type Concept", "Type Concept", "Type Concept", "S", "OMOP4976890", *TYPE_SINCE, ""),
    (32818, "EHR administration record", "Type Concept", "Type Concept", "Type Concept", "S", "OMOP4976891", *TYPE_SINCE, ""),
    (32814, "Cost record", "Type Concept", "Type Concept", "Type Concept", "S", "OMOP4976887", *TYPE_SINCE, ""),
    (32220, "Still patient", "Type Concept", "Type Concept", "Type Concept", "S", "32220", *TYPE_SINCE, ""),
    (32827, "EHR encounter record", "Type Concept", "Type Concept", "Type Concept", "S", "OMOP4976900", *TYPE_SINCE, ""),
    (32838, "EHR prescription", "Type Concept", "Type Concept", "Type Concept", "S", "OMOP4976911", *TYPE_SINCE, ""),
    (32845, "Facility claim detail", "Type Concept", "Type Concept", "Type Concept", "S", "OMOP4976918", *TYPE_SINCE, ""),
    (32856, "Lab", "Type Concept", "Type Concept", "Type Concept", "S", "OMOP4976929", *TYPE_SINCE, ""),
    (32862, "Patient filled survey", "Type Concept", "Type Concept", "Type Concept", "S", "OMOP4976935", *TYPE_SINCE, ""),
    (32871, "Professional claim", "Type Concept", "Type Concept", "Type Concept", "S", "OMOP4976944", *TYPE_SINCE, ""),
    (32882, "Standard algorithm from EHR", "Type Concept", "Type Concept", "Type Concept", "S", "OMOP4976955", *TYPE_SINCE, ""),
    (38004446, "General Practice", "Provider", "Medicare Specialty", "Physician Specialty", "S", "01", *ALWAYS, ""),
    (38004453, "Family Practice", "Provider", "Medicare Specialty", "Physician Specialty", "S", "08", *ALWAYS, ""),
    (38004456, "Internal Medicine", "Provider", "Medicare Specialty", "Physician Specialty", "S", "11", *ALWAYS, ""),
    (38004469, "Psychiatry", "Provider", "Medicare Specialty", "Physician Specialty", "S", "26", *ALWAYS, ""),
    (38004475, "Chiropractic", "Provider", "Medicare Specialty", "Physician Specialty", "S", "35", *ALWAYS, ""),
    (38004481, "Optometry", "Provider", "Medicare Specialty", "Physician Specialty", "S", "41", *ALWAYS, ""),
    (38004487, "Nurse Practitioner", "Provider", "Medicare Specialty", "Physician Specialty", "S", "50", *ALWAYS, ""),
    (38004489, "Audiologist", "Provider", "Medicare Specialty", "Physician Specialty", "S", "64", *ALWAYS, ""),
    (38004490, "Physical Therapist", "Provider", "Medicare Specialty", "Physician Specialty", "S", "65", *ALWAYS, ""),
    (38004493, "Clinical Psychologist", "Provider", "Medicare Specialty", "Physician Specialty", "S", "68", *ALWAYS, ""),
    (38004499, "Licensed Clinical Social Worker", "Provider", "Medicare Specialty", "Physician Specialty", "S", "80", *ALWAYS, ""),
    (38004510, "Emergency Medicine", "Provider", "Medicare Specialty", "Physician Specialty", "S", "93", *ALWAYS, ""),
    (38004512, "Physician Assistant", "Provider", "Medicare Specialty", "Physician Specialty", "S", "97", *ALWAYS, ""),
    # money
    (44818668, "US Dollar", "Currency", "Currency", "Currency", "S", "USD", *ALWAYS, ""),
    (280, "MEDICARE", "Payer", "SOPT", "Payer", "S", "1", *ALWAYS, ""),
    (289, "MEDICAID", "Payer", "SOPT", "Payer", "S", "2", *ALWAYS, ""),
    # units
    (8525, "titer", "Unit", "UCUM", "Unit", "S", "{titer}", *ALWAYS, ""),
    (8541, "per minute", "Unit", "UCUM", "Unit", "S", "/min", *ALWAYS, ""),
    (8554, "percent", "Unit", "UCUM", "Unit", "S", "%", *ALWAYS, ""),
    (8576, "milligram", "Unit", "UCUM", "Unit", "S", "mg", *ALWAYS, ""),
    (8582, "centimeter", "Unit", "UCUM", "Unit", "S", "cm", *ALWAYS, ""),
    (8645, "unit per liter", "Unit", "UCUM", "Unit", "S", "[U]/L", *ALWAYS, ""),
    (8753, "millimole per liter", "Unit", "UCUM", "Unit", "S", "mmol/L", *ALWAYS, ""),
    (8810, "kilounit per liter", "Unit", "UCUM", "Unit", "S", "10*3.[U]/L", *ALWAYS, ""),
    (8840, "milligram per deciliter", "Unit", "UCUM", "Unit", "S", "mg/dL", *ALWAYS, ""),
    (8876, "millimeter mercury column", "Unit", "UCUM", "Unit", "S", "mm[Hg]", *ALWAYS, ""),
    (9448, "year", "Unit", "UCUM", "Unit", "S", "a", *ALWAYS, ""),
    (9529, "kilogram", "Unit", "UCUM", "Unit", "S", "kg", *ALWAYS, ""),
    (9531, "kilogram per square meter", "Unit", "UCUM", "Unit", "S", "kg/m2", *ALWAYS, ""),
    (44777560, "per year", "Unit", "UCUM", "Unit", "S", "/y", *ALWAYS, ""),
    (44777566, "score", "Unit", "UCUM", "Unit", "S", "[score]", *ALWAYS, ""),
    (756265, "OMOP CDM Version 5.4.0", "Metadata", "CDM", "CDM", "S", "CDM v5.4.0", *ALWAYS, ""),
    # conditions; 15777000 has moved to 9414007, obesity and employment are observations to OMOP
    (260139, "Acute bronchitis", "Condition", "SNOMED", "Disorder", "S", "10509002", *SNOMED_SINCE, ""),
    (320128, "Essential hypertension", "Condition", "SNOMED", "Disorder", "S", "59621000", *SNOMED_SINCE, ""),
    (432867, "Hyperlipidemia", "Condition", "SNOMED", "Disorder", "S", "55822004", *SNOMED_SINCE, ""),
    (440448, "Appendicitis", "Condition", "SNOMED", "Disorder", "S", "74400008", *SNOMED_SINCE, ""),
    (4112343, "Acute viral pharyngitis", "Condition", "SNOMED", "Disorder", "S", "195662009", *SNOMED_SINCE, ""),
    (4329847, "Myocardial infarction", "Condition", "SNOMED", "Disorder", "S", "22298006", *SNOMED_SINCE, ""),
    (4311629, "Impaired glucose tolerance", "Condition", "SNOMED", "Disorder", "S", "9414007", *SNOMED_SINCE, ""),
    (40316773, "Prediabetes", "Condition", "SNOMED", "Clinical Finding", "", "15777000", "19700101", "20020131", "U"),
    (254761, "Cough", "Condition", "SNOMED", "Clinical Finding", "S", "49727002", *SNOMED_SINCE, ""),
    (4060985, "Body mass index 30+ - obesity", "Observation", "SNOMED", "Clinical Finding", "S", "162864005", *SNOMED_SINCE, ""),
    (4053118, "Full-time employment", "Observation", "SNOMED", "Clinical Finding", "S", "160903007", *SNOMED_SINCE, ""),
    # procedures; spirometry is a measurement to OMOP, 66348005 was withdrawn without a successor
    (4163872, "Plain chest X-ray", "Procedure", "SNOMED", "Procedure", "S", "399208008", "20030731", "20991231", ""),
    (4326177, "Medication reconciliation", "Procedure", "SNOMED", "Procedure", "S", "430193006", "20080731", "20991231", ""),
    (4249893, "Colonoscopy", "Procedure", "SNOMED", "Procedure", "S", "73761001", *SNOMED_SINCE, ""),
    (4133840, "Spirometry", "Measurement", "SNOMED", "Procedure", "S", "127783003", *SNOMED_SINCE, ""),
    (40623280, "Parturition", "Observation", "SNOMED", "Observable Entity", "", "66348005", "20020131", "20030131", "D"),
    (4293157, "Self-care interventions", "Procedure", "SNOMED", "Procedure", "S", "384758001", "20030131", "20991231", ""),
    # devices
    (4217646, "Implantable defibrillator", "Device", "SNOMED", "Physical Object", "S", "72506001", *SNOMED_SINCE, ""),
    (45767945, "Coronary artery stent", "Device", "SNOMED", "Physical Object", "S", "705643001", "20140731", "20991231", ""),
    # allergens, answers
    (4224654, "Mold", "Observation", "SNOMED", "Organism", "S", "84489001", *SNOMED_SINCE, ""),
    (4125382, "House dust mite", "Observation", "SNOMED", "Organism", "S", "260147004", *SNOMED_SINCE, ""),
    (439224, "Allergy to drug", "Observation", "SNOMED", "Disposition", "S", "416098002", *SNOMED_SINCE, ""),
    (4188539, "Yes", "Meas Value", "SNOMED", "Qualifier Value", "S", "373066001", *SNOMED_SINCE, ""),
    (4188540, "No", "Meas Value", "SNOMED", "Qualifier Value", "S", "373067005", *SNOMED_SINCE, ""),
    # operators of results
    (4171754, "<=", "Meas Value Operator", "SNOMED", "Qualifier Value", "S", "276137008", *SNOMED_SINCE, ""),
    (4171755, ">=", "Meas Value Operator", "SNOMED", "Qualifier Value", "S", "276138003", *SNOMED_SINCE, ""),
    (4171756, "<", "Meas Value Operator", "SNOMED", "Qualifier Value", "S", "276139006", *SNOMED_SINCE, ""),
    (4172703, "=", "Meas Value Operator", "SNOMED", "Qualifier Value", "S", "276136004", *SNOMED_SINCE, ""),
    (4172704, ">", "Meas Value Operator", "SNOMED", "Qualifier Value", "S", "276140008", *SNOMED_SINCE, ""),
    # drugs
    (1112807, "aspirin", "Drug", "RxNorm", "Ingredient", "S", "1191", *ALWAYS, ""),
    (1107830, "loratadine", "Drug", "RxNorm", "Ingredient", "S", "28889", *ALWAYS, ""),
    (1125315, "acetaminophen", "Drug", "RxNorm", "Ingredient", "S", "161", *ALWAYS, ""),
    (1332418, "amlodipine", "Drug", "RxNorm", "Ingredient", "S", "17767", *ALWAYS, ""),
    (1539403, "simvastatin", "Drug", "RxNorm", "Ingredient", "S", "36567", *ALWAYS, ""),
    (1127433, "acetaminophen 325 MG Oral Tablet", "Drug", "RxNorm", "Clinical Drug", "S", "313782", *ALWAYS, ""),
    (1332419, "amlodipine 5 MG Oral Tablet", "Drug", "RxNorm", "Clinical Drug", "S", "197361", *ALWAYS, ""),
    (1539463, "simvastatin 10 MG Oral Tablet", "Drug", "RxNorm", "Clinical Drug", "S", "314231", *ALWAYS, ""),
    (19125062, "loratadine 5 MG Chewable Tablet", "Drug", "RxNorm", "Clinical Drug", "S", "665078", "20061217", "20991231", ""),
    (40213154, "Influenza, seasonal, injectable, preservative free", "Drug", "CVX", "CVX", "S", "140", "20111104", "20991231", ""),
    (40213296, "hepatitis A vaccine, adult dosage", "Drug", "CVX", "CVX", "S", "52", "20081201", "20991231", ""),
    # observations and measurements
    (3004249, "Systolic blood pressure", "Measurement", "LOINC", "Clinical Observation", "S", "8480-6", "19960906", "20991231", ""),
    (3012888, "Diastolic blood pressure", "Measurement", "LOINC", "Clinical Observation", "S", "8462-4", "19960906", "20991231", ""),
    (3025315, "Body weight", "Measurement", "LOINC", "Clinical Observation", "S", "29463-7", *ALWAYS, ""),
    (3036277, "Body height", "Measurement", "LOINC", "Clinical Observation", "S", "8302-2", "19960906", "20991231", ""),
    (3027018, "Heart rate", "Measurement", "LOINC", "Clinical Observation", "S", "8867-4", *ALWAYS, ""),
    (3000483, "Glucose [Mass/volume] in Blood", "Measurement", "LOINC", "Lab Test", "S", "2339-0", *ALWAYS, ""),
    (3000285, "Sodium [Moles/volume] in Blood", "Measurement", "LOINC", "Lab Test", "S", "2947-0", *ALWAYS, ""),
    (3006923, "Alanine aminotransferase", "Measurement", "LOINC", "Lab Test", "S", "1742-6", *ALWAYS, ""),
    (40758879, "PHQ-2 total score [Reported]", "Observation", "LOINC", "Survey", "S", "55758-7", "20090604", "20991231", ""),
    (43054909, "Tobacco smoking status", "Observation", "LOINC", "Clinical Observation", "S", "72166-2", "20121228", "20991231", ""),
    (37020580, "Are you a refugee", "Observation", "LOINC", "Survey", "S", "93027-1", "20190621", "20991231", ""),
    (40759918, "Address", "Observation", "LOINC", "Clinical Observation", "S", "56799-0", "20090817", "20991231", ""),
]
# fmt: on

# drug -> its ingredient
INGREDIENTS = {1127433: 1125315, 1332419: 1332418, 1539463: 1539403, 19125062: 1107830}
# drug -> milligrams of its ingredient in one tablet
STRENGTH = {1127433: 325, 1332419: 5, 1539463: 10, 19125062: 5}
# concept -> the one that took its place
REPLACED = {40316773: 4311629}

VOCABULARIES = [
    ("None", "OMOP Standardized Vocabularies", "v5.0 DEMO-SLICE", 44819096),
    ("CMS Place of Service", "Place of service (CMS)", "demo slice", 44819110),
    ("CDM", "OMOP Common Data Model", "demo slice", 32485),
    ("CVX", "Vaccines administered (CDC)", "demo slice", 581400),
    ("Currency", "International currency symbols (ISO 4217)", "demo slice", 44819153),
    ("Ethnicity", "OMOP Ethnicity", "demo slice", 44819134),
    ("Gender", "OMOP Gender", "demo slice", 44819108),
    ("LOINC", "Logical Observation Identifiers Names and Codes", "demo slice", 44819102),
    ("Medicare Specialty", "Medicare specialties (CMS)", "demo slice", 44819138),
    ("Race", "Race (CDC)", "demo slice", 44819109),
    ("RxNorm", "RxNorm", "demo slice", 44819104),
    ("SOPT", "Source of Payment Typology (PHDSC)", "demo slice", 32473),
    ("SNOMED", "SNOMED Clinical Terms", "demo slice", 44819097),
    ("Type Concept", "OMOP Type Concept", "demo slice", 32808),
    ("UCUM", "Unified Code for Units of Measure", "demo slice", 44819107),
    ("Visit", "OMOP Visit", "demo slice", 44819119),
]
DOMAINS = [
    ("Gender", "Gender", 2), ("Race", "Race", 3), ("Ethnicity", "Ethnicity", 4), ("Metadata", "Metadata", 7),
    ("Visit", "Visit", 8), ("Procedure", "Procedure", 10), ("Drug", "Drug", 13), ("Unit", "Unit", 16),
    ("Currency", "Currency", 34), ("Payer", "Payer", 32477),
    ("Device", "Device", 17), ("Condition", "Condition", 19), ("Measurement", "Measurement", 21),
    ("Meas Value", "Measurement Value", 24), ("Meas Value Operator", "Operator", 23),
    ("Observation", "Observation", 27), ("Provider", "Provider", 33),
    ("Specimen", "Specimen", 36), ("Type Concept", "Type Concept", 58),
]  # fmt: skip
CLASSES = [
    ("CDM", "CDM", 32522), ("CVX", "CVX vaccine", 581401), ("Clinical Drug", "Semantic clinical drug", 44819028),
    ("Clinical Finding", "Clinical finding", 44818997), ("Clinical Observation", "Clinical class", 45754679),
    ("Currency", "Currency", 44819049), ("Payer", "Payer", 32479), ("Physical Object", "Physical object", 44819009),
    ("Disorder", "Disorder", 33099), ("Disposition", "Disposition", 32538), ("Ethnicity", "Ethnicity", 44819035),
    ("Gender", "Gender", 44819086), ("Ingredient", "Ingredient", 44818981), ("Lab Test", "Laboratory class", 45754678),
    ("Observable Entity", "Observable entity", 44819029), ("Organism", "Organism", 44819043),
    ("Physician Specialty", "Physician specialty", 32576), ("Procedure", "Procedure", 44819080),
    ("Qualifier Value", "Qualifier value", 44819021), ("Race", "Race", 44819030), ("Survey", "Survey", 45754681),
    ("Type Concept", "Type concept", 581453), ("Undefined", "Undefined", 44819044), ("Unit", "Unit", 44819072),
    ("Visit", "Visit", 44819023),
]  # fmt: skip
RELATIONSHIPS = [
    ("Maps to", "Non-standard to standard", 0, 0, "Mapped from", 44818977),
    ("Mapped from", "Standard to non-standard", 0, 0, "Maps to", 44818976),
    ("Maps to value", "Non-standard to value", 0, 0, "Value mapped from", 44819239),
    ("Value mapped from", "Value to non-standard", 0, 0, "Maps to value", 44819242),
    ("Concept replaced by", "Replaced by", 0, 0, "Concept replaces", 44818956),
    ("Concept replaces", "Replaces", 0, 0, "Concept replaced by", 44818957),
    ("RxNorm has ing", "Has ingredient", 1, 0, "RxNorm ing of", 44818719),
    ("RxNorm ing of", "Ingredient of", 1, 1, "RxNorm has ing", 44818817),
    ("Is a", "Is a", 0, 0, "Subsumes", 44818821),
    ("Subsumes", "Subsumes", 1, 1, "Is a", 44818723),
]


def relationships() -> list[tuple[object, ...]]:
    """CONCEPT_RELATIONSHIP rows: a standard concept maps to itself, a moved one to its successor, each with its reverse."""
    pairs: list[tuple[object, object, str, str]] = []
    for concept in CONCEPTS:
        if concept[5] == "S":
            pairs.append((concept[0], concept[0], "Maps to", "Mapped from"))
    for old, new in REPLACED.items():
        pairs.append((old, new, "Maps to", "Mapped from"))
        pairs.append((old, new, "Concept replaced by", "Concept replaces"))
    for drug, ingredient in INGREDIENTS.items():
        pairs.append((drug, ingredient, "RxNorm has ing", "RxNorm ing of"))
    rows: list[tuple[object, ...]] = []
    for one, other, forth, back in pairs:
        rows += [(one, other, forth, *ALWAYS, ""), (other, one, back, *ALWAYS, "")]
    return rows


def ancestors() -> list[tuple[object, ...]]:
    """CONCEPT_ANCESTOR rows: each standard concept is its own ancestor, an ingredient that of its drugs."""
    own: list[tuple[object, ...]] = [(c[0], c[0], 0, 0) for c in CONCEPTS if c[5] == "S"]
    return own + [(ingredient, drug, 1, 1) for drug, ingredient in INGREDIENTS.items()]


def strengths() -> list[tuple[object, ...]]:
    """DRUG_STRENGTH rows: milligrams (8576) of the ingredient in one tablet."""
    return [
        (drug, INGREDIENTS[drug], amount, 8576, "", "", "", "", "", *ALWAYS, "") for drug, amount in STRENGTH.items()
    ]


def files() -> dict[str, tuple[str, Iterable[Sequence[object]]]]:
    """Athena's files: name -> (header, rows)."""
    concept = (
        "concept_id concept_name domain_id vocabulary_id concept_class_id standard_concept concept_code "
        "valid_start_date valid_end_date invalid_reason"
    )
    strength = (
        "drug_concept_id ingredient_concept_id amount_value amount_unit_concept_id numerator_value "
        "numerator_unit_concept_id denominator_value denominator_unit_concept_id box_size valid_start_date "
        "valid_end_date invalid_reason"
    )
    return {
        "CONCEPT": (concept, CONCEPTS),
        "CONCEPT_RELATIONSHIP": (
            "concept_id_1 concept_id_2 relationship_id valid_start_date valid_end_date invalid_reason",
            relationships(),
        ),
        "CONCEPT_ANCESTOR": (
            "ancestor_concept_id descendant_concept_id min_levels_of_separation max_levels_of_separation",
            ancestors(),
        ),
        "CONCEPT_SYNONYM": ("concept_id concept_synonym_name language_concept_id", []),
        "DRUG_STRENGTH": (strength, strengths()),
        "VOCABULARY": (
            "vocabulary_id vocabulary_name vocabulary_reference vocabulary_version vocabulary_concept_id",
            [(key, name, "", version, concept_id) for key, name, version, concept_id in VOCABULARIES],
        ),
        "DOMAIN": ("domain_id domain_name domain_concept_id", DOMAINS),
        "CONCEPT_CLASS": ("concept_class_id concept_class_name concept_class_concept_id", CLASSES),
        "RELATIONSHIP": (
            "relationship_id relationship_name is_hierarchical defines_ancestry reverse_relationship_id "
            "relationship_concept_id",
            RELATIONSHIPS,
        ),
    }


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name, (header, rows) in files().items():
        lines = ["\t".join(header.split()), *("\t".join(str(cell) for cell in row) for row in rows)]
        (out / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "vocabulary")
