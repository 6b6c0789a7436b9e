"""The outcomes of a source row under a rule, and every reason for which a row can be rejected or left out.

A reason's text is what reports and docs show; the codes are stable and appear in reconciliation files.
"""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """What became of one (source row, rule): exactly one of these."""

    WRITTEN = "written"
    MERGED = "merged"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    EXCLUDED = "excluded"


class Reason(StrEnum):
    """Why a row was not written."""

    DUPLICATE_KEY = "duplicate_key"
    DUPLICATE_ROW = "duplicate_row"
    NO_KEY = "no_key"
    NO_PERSON = "no_person"
    PERSON_UNKNOWN = "person_unknown"
    PERSON_REJECTED = "person_rejected"
    VISIT_UNKNOWN = "visit_unknown"
    VISIT_REJECTED = "visit_rejected"
    NO_DATE = "no_date"
    BAD_DATE = "bad_date"
    END_BEFORE_START = "end_before_start"
    OPEN_STAY = "open_stay"
    NO_BIRTH_YEAR = "no_birth_year"
    REFERENCE_UNKNOWN = "reference_unknown"
    EVENT_UNKNOWN = "event_unknown"
    REQUIRED_EMPTY = "required_empty"
    NOT_CLAIMED = "not_claimed"
    DROPPED_BY_VIEW = "dropped_by_view"
    NO_PARENT = "no_parent"
    OPT_OUT = "opt_out"
    NOT_SELECTED = "not_selected"

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]


_MEANINGS = {
    Reason.DUPLICATE_KEY: "rows with one key say different things, and the spec does not say which to keep",
    Reason.DUPLICATE_ROW: "the same row again",
    Reason.NO_KEY: "the columns that name the record are empty",
    Reason.NO_PERSON: "the row names no person",
    Reason.PERSON_UNKNOWN: "the row names a person that no person row has",
    Reason.PERSON_REJECTED: "the person's own row was rejected",
    Reason.VISIT_UNKNOWN: "the visit that should give the person or hold the row is not among the visits",
    Reason.VISIT_REJECTED: "the visit that should give the person was itself rejected",
    Reason.NO_DATE: "the start date is empty",
    Reason.BAD_DATE: "the start date fits none of the declared formats",
    Reason.END_BEFORE_START: "the end lies before the start",
    Reason.OPEN_STAY: "the stay has no end, and the visit policy rejects open stays",
    Reason.NO_BIRTH_YEAR: "the person has no birth year",
    Reason.REFERENCE_UNKNOWN: "a reference that must be found is not",
    Reason.EVENT_UNKNOWN: "the record that the row belongs to is not in the CDM",
    Reason.REQUIRED_EMPTY: "a field that the CDM requires is empty",
    Reason.NOT_CLAIMED: "no entry's conditions select the row",
    Reason.DROPPED_BY_VIEW: "the row does not come out of the view that reads its source",
    Reason.NO_PARENT: "a view folds such rows, but the row to which this one belongs does not go on",
    Reason.OPT_OUT: "the person asked to be left out",
    Reason.NOT_SELECTED: "another entry's conditions select the row",
}


class Note(StrEnum):
    """What is worth counting about a row that was written all the same."""

    VISIT_UNKNOWN = "visit_unknown"
    VISIT_OF_ANOTHER_PERSON = "visit_of_another_person"
    VISIT_DETAIL_UNKNOWN = "visit_detail_unknown"
    PROVIDER_UNKNOWN = "provider_unknown"
    CARE_SITE_UNKNOWN = "care_site_unknown"
    LOCATION_UNKNOWN = "location_unknown"
    PARENT_UNKNOWN = "parent_unknown"
    NOTE_UNKNOWN = "note_unknown"
    EPISODE_UNKNOWN = "episode_unknown"
    EVENT_UNKNOWN = "event_unknown"
    BAD_END_DATE = "bad_end_date"
    BAD_TIME = "bad_time"
    END_ASSUMED = "end_assumed"
    NOT_A_NUMBER = "not_a_number"
    TEXT_WITHOUT_CONCEPT = "text_without_concept"
    MAPPED_VALUE_LEFT_OUT = "mapped_value_left_out"
    WIDER = "wider"
    INFERRED = "inferred"
