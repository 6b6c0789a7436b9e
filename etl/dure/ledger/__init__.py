"""The ledger: what ran, when, on what and with which outcome, in tables of a database."""
