"""Extracts for projects: what an approved request asks for and no more, under the project's own pseudonyms, on record."""
