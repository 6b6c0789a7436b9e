"""A hospital as a folder: `site.yaml`, views in Spark SQL and maps in CSV, read and checked before anything runs."""

from dure.site.columns import check_columns
from dure.site.load import load_site
from dure.site.loaded import Site, VocabularySpec
from dure.site.names import of_one_id

__all__ = ["Site", "VocabularySpec", "check_columns", "load_site", "of_one_id"]
