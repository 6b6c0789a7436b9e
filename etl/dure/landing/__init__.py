"""Landing: the files of an extract and the rows of databases, decoded and accounted for, as Parquet that any engine reads."""

from dure.landing.columns import header_of, header_of_files
from dure.landing.exclusions import read_exclusions
from dure.landing.keys import key_text_of
from dure.landing.land import land_source
from dure.landing.landed import Base, Landed
from dure.landing.opened import InputFile
from dure.landing.readiness import refuse_unready, source_files
from dure.landing.rejects import LandingRejectReason

__all__ = [
    "Base",
    "InputFile",
    "Landed",
    "LandingRejectReason",
    "header_of",
    "header_of_files",
    "key_text_of",
    "land_source",
    "read_exclusions",
    "refuse_unready",
    "source_files",
]
