"""Landing: the files of an extract, decoded and accounted for, as Parquet that any engine reads."""

from dure.landing.exclusions import read_exclusions
from dure.landing.header import header_of
from dure.landing.keys import key_text_of
from dure.landing.land import Landed, land_source
from dure.landing.opened import InputFile
from dure.landing.rejects import LandingRejectReason

__all__ = [
    "InputFile",
    "Landed",
    "LandingRejectReason",
    "header_of",
    "key_text_of",
    "land_source",
    "read_exclusions",
]
