"""De-identification: what becomes of each column, and the frames that do it."""
