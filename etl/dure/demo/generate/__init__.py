"""A synthetic population, the extracts of three hospitals that met it, and the truth about both.

Nothing here knows a site folder, a map or a vocabulary store: the catalogue says what each clinical fact is in OMOP's
standard concepts, the truth is written from the facts, and only then does a hospital give them its own codes.
"""
