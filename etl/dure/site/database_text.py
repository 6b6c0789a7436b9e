"""The texts of a spec that name a database and say what to read of it, checked without a connection.

A query is one SELECT, WITH before it or not. That is the first of three walls: the transaction is read only where the
database knows such a thing, and the guide asks for a user that may only read.
"""

from __future__ import annotations

import re

import sqlglot
from sqlglot import TokenType, exp
from sqlglot.errors import SqlglotError

# The name in a URL -> what sqlglot calls that SQL.
SQL_OF = {
    "postgresql": "postgres",
    "oracle": "oracle",
    "mssql": "tsql",
    "mysql": "mysql",
    "mariadb": "mysql",
    "sqlite": "sqlite",
}
_SCHEME = re.compile(r"([a-z0-9]+)(\+[a-z0-9]+)?://")
_ENV, _FILE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*"), re.compile(r"file:[/~].+")
# What may stand before the @ of a URL: a user. A colon there begins a password, raw or percent-encoded.
_USER_ALONE = re.compile(r"[^:@/?#%]*@?[^@]*")
_SECRET = re.compile(r"[?&;](password|passwd|pwd|sslpassword|passphrase|wallet_password)=", re.IGNORECASE)
_FORMS = "env:NAME, file:/PATH or a URL without a password"


def wrong_connection(text: str) -> tuple[str, str] | None:
    """What is wrong with a connection, and what to do; nothing of the text is repeated, as it may hold a password."""
    if text.startswith("env:"):
        return None if _ENV.fullmatch(text) else ("env: without the name of an environment variable", "e.g. env:LAB_DB")
    if text.startswith("file:"):
        return None if _FILE.fullmatch(text) else ("file: without a path", "e.g. file:/etc/dure/lab_db, with mode 0600")
    scheme = _SCHEME.match(text)
    if scheme is None:
        return "this does not say where a database is", f"expected {_FORMS}"
    if scheme[1] not in SQL_OF and scheme[1] != "postgres":
        return f"Dure reads no database of this kind: {scheme[1]}", "expected " + ", ".join(SQL_OF)
    if not _USER_ALONE.fullmatch(text[scheme.end() :]) or _SECRET.search(text):
        do = "put the whole URL into an environment variable (env:NAME) or a file with mode 0600 (file:/PATH)"
        return "a password, or a sign that begins one, stands in the spec", do
    return None


def dialect_named(connection: str) -> str | None:
    """The kind of database that a connection names by itself; None where only the environment or a file knows."""
    scheme = _SCHEME.match(connection)
    return None if scheme is None else {"postgres": "postgresql"}.get(scheme[1], scheme[1])


def wrong_query(query: str, dialect: str | None) -> tuple[str, str] | None:
    """What is wrong with a query, and what to do; where the kind of database is not known, it need only be one for some."""
    found = [_wrong(query, sql) for sql in ([SQL_OF[dialect]] if dialect else dict.fromkeys(SQL_OF.values()))]
    return found[0] if all(found) else None


def bare_query(query: str, dialect: str) -> str:
    """The query without a semicolon at its end, to be put in brackets."""
    tokens = sqlglot.tokenize(query, read=SQL_OF[dialect])
    return query[: tokens[-1].start] if tokens[-1].token_type is TokenType.SEMICOLON else query


def begins_with_with(query: str, dialect: str) -> bool:
    """Whether a WITH stands before the SELECT, which not every database takes in brackets."""
    return sqlglot.tokenize(query, read=SQL_OF[dialect])[0].text.upper() == "WITH"


def _wrong(query: str, sql: str) -> tuple[str, str] | None:
    do = "write one SELECT, WITH before it or not; what is more stands in a view of the database"
    if re.search(r"/\*M?!", query):
        return "a comment that MySQL would run", "take it out"
    try:
        tokens = sqlglot.tokenize(query, read=sql)
        if not tokens or tokens[0].text.upper() not in ("SELECT", "WITH"):
            return "the query is not a SELECT", do
        if any(token.token_type is TokenType.SEMICOLON for token in tokens[:-1]):
            return "the query is more than one statement", do
        parsed = sqlglot.parse(query, read=sql)
        statements = [each for each in parsed if each is not None and not isinstance(each, exp.Semicolon)]
    except (SqlglotError, RecursionError):
        return "the query cannot be read as SQL", do
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        return "the query is not a SELECT", do
    for node in statements[0].walk():
        if isinstance(node, exp.DML | exp.DDL | exp.Command) and not isinstance(node, exp.Query):
            return f"the query holds {node.key.upper()}, which writes", do
        if isinstance(node, exp.Into):
            return "the query holds INTO, which writes", do
        if isinstance(node, exp.Lock):
            return "the query locks rows (FOR UPDATE or its like)", "take it out; a source is only read"
    return None
