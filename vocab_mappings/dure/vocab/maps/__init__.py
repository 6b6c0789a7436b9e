"""Map files of any format: OMOP's source_to_concept_map, Usagi's export, Excel workbooks, Dure's own CSV."""

from dure.vocab.maps.entry import MapEntry
from dure.vocab.maps.fields import FORMATS, Format
from dure.vocab.maps.read import MapTable, read_map, short_name
from dure.vocab.maps.write import write_map

__all__ = ["FORMATS", "Format", "MapEntry", "MapTable", "read_map", "short_name", "write_map"]
