"""Landing of databases: the rows of one SELECT as the text that a file would have held."""

from dure.landing.database.describe import header_of_query
from dure.landing.database.land import land_database

__all__ = ["header_of_query", "land_database"]
