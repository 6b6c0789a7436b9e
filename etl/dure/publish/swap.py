"""A schema beside the one that is read, and how it takes its place in one transaction.

Renaming a schema locks no table: who reads the old rows goes on reading them, and who asks next gets the new ones.
Nothing is dropped that Dure did not make: a schema carries Dure's mark in its comment, and the schema that is read must
hold Dure's tables alone, and no view or key elsewhere may hang on them, since it would stay with the old rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

from dure.cdm.schema import tables
from dure.errors import ConfigurationError, Problem
from dure.publish.copying import Row
from dure.publish.delivery import DELIVERY_TABLE

_MARK = "dure:"
# How long a statement waits for people who read a table that is to be dropped.
_PATIENCE = "5s"

_OTHERS = """
SELECT relname FROM pg_catalog.pg_class
WHERE relnamespace = %(schema)s::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND relname <> ALL (%(ours)s)
UNION ALL
SELECT proname || '()' FROM pg_catalog.pg_proc WHERE pronamespace = %(schema)s::regnamespace
ORDER BY 1"""
_DEPENDENTS = """
SELECT DISTINCT pg_catalog.format('%%I.%%I', n.nspname, v.relname)
FROM pg_catalog.pg_class t
JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = t.oid
JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = d.objid
JOIN pg_catalog.pg_class v ON v.oid = r.ev_class
JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace
WHERE t.relnamespace = %(schema)s::regnamespace AND v.relnamespace <> t.relnamespace
UNION
SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname)
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_class t ON t.oid = k.confrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE t.relnamespace = %(schema)s::regnamespace AND c.relnamespace <> t.relnamespace
ORDER BY 1"""
_DEFAULT_RIGHTS = """
SELECT pg_catalog.format('ALTER DEFAULT PRIVILEGES FOR ROLE %%I IN SCHEMA %%I GRANT %%s ON %%s TO %%s%%s',
    pg_catalog.pg_get_userbyid(d.defaclrole), %(new)s::text, a.privilege_type,
    CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' ELSE 'TYPES' END,
    CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END,
    CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM pg_catalog.pg_default_acl d, pg_catalog.aclexplode(d.defaclacl) a
WHERE d.defaclnamespace = %(old)s::regnamespace AND pg_catalog.pg_has_role(d.defaclrole, 'USAGE')
ORDER BY 1"""
_RIGHTS = """
SELECT pg_catalog.format('GRANT %%s%%s ON %%s TO %%s%%s', g.privilege, g.columns, g.object,
    CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END,
    CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM (
    SELECT a.privilege_type AS privilege, '' AS columns, pg_catalog.format('SCHEMA %%I', %(new)s::text) AS object,
        a.grantee, a.is_grantable
    FROM pg_catalog.pg_namespace n, pg_catalog.aclexplode(n.nspacl) a
    WHERE n.oid = %(old)s::regnamespace AND a.grantee <> n.nspowner
    UNION ALL
    SELECT a.privilege_type, '', pg_catalog.format('%%I.%%I', %(new)s::text, c.relname), a.grantee, a.is_grantable
    FROM pg_catalog.pg_class c, pg_catalog.pg_class s, pg_catalog.aclexplode(c.relacl) a
    WHERE c.relnamespace = %(old)s::regnamespace AND s.relnamespace = %(new)s::regnamespace AND s.relname = c.relname
        AND c.relkind = 'r' AND a.grantee <> c.relowner
    UNION ALL
    SELECT a.privilege_type, pg_catalog.format(' (%%I)', t.attname),
        pg_catalog.format('%%I.%%I', %(new)s::text, c.relname), a.grantee, a.is_grantable
    FROM pg_catalog.pg_class c, pg_catalog.pg_class s, pg_catalog.pg_attribute t, pg_catalog.aclexplode(t.attacl) a
    WHERE c.relnamespace = %(old)s::regnamespace AND s.relnamespace = %(new)s::regnamespace AND s.relname = c.relname
        AND t.attrelid = c.oid AND c.relkind = 'r'
) g
ORDER BY 1"""


@dataclass(frozen=True)
class Names:
    """The schema that is read, and the one beside it that a load fills."""

    served: str

    @property
    def staging(self) -> str:
        return f"{self.served}__loading"

    def before(self, number: int) -> str:
        """A schema that was read until a swap, and is to be dropped."""
        return f"{self.served}__before_{number}"


class Swap:
    """The schemas of one delivery, seen through one connection."""

    def __init__(self, connection: psycopg.Connection[Row], schema: str) -> None:
        self._connection = connection
        self.names = Names(schema)

    def exists(self, schema: str) -> bool:
        return bool(self._texts("SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname = %(s)s", s=schema))

    def holds(self) -> frozenset[str]:
        """The tables of the schema that is read."""
        query = "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = %(s)s"
        return frozenset(self._texts(query, s=self.names.served))

    def check_served(self) -> None:
        """ConfigurationError when the schema to be replaced is not this user's, or not Dure's alone."""
        served = self.names.served
        if not self.exists(served):
            return
        owner = "SELECT pg_catalog.pg_get_userbyid(nspowner) FROM pg_catalog.pg_namespace WHERE nspname = %(s)s"
        owner += " AND NOT pg_catalog.pg_has_role(nspowner, 'USAGE')"
        problems = [
            Problem(f"schema {served}", f"belongs to {name}", "log in as its owner, or choose another schema")
            for name in self._texts(owner, s=served)
        ]
        holds = self.holds()
        others = self._texts(_OTHERS, schema=_quoted(served), ours=[*tables(), DELIVERY_TABLE])
        if others:
            problems.append(
                Problem(
                    f"schema {served}",
                    f"holds {_list(others)}, which a replacement would remove",
                    "move that to a schema of its own, or choose another schema",
                )
            )
        elif holds and DELIVERY_TABLE not in holds:
            problems.append(
                Problem(f"schema {served}", "holds tables that Dure did not load", "choose another schema, or drop it")
            )
        dependents = self._texts(_DEPENDENTS, schema=_quoted(served))
        if dependents:
            problems.append(
                Problem(
                    f"schema {served}",
                    f"{_list(dependents)} reads its tables and would go on reading the old rows",
                    "drop it, and create it again after the load",
                )
            )
        if problems:
            raise ConfigurationError(problems)

    def remove_leftovers(self) -> list[str]:
        """Drops what earlier loads left; returns the schemas that somebody still reads and that therefore stay."""
        query = "SELECT nspname FROM pg_catalog.pg_namespace WHERE starts_with(nspname, %(prefix)s) ORDER BY 1"
        staying = [
            schema
            for schema in self._texts(query, prefix=self.names.served + "__before_")
            if schema.removeprefix(self.names.served + "__before_").isdigit() and not self.drop(schema)
        ]
        if self.exists(self.names.staging) and not self.drop(self.names.staging):
            raise ConfigurationError(
                Problem(
                    f"schema {self.names.staging}",
                    "cannot be removed: somebody reads it, or it is not Dure's",
                    "it holds half a load; end what reads it, or drop it, then publish again",
                )
            )
        return staying

    def make_staging(self) -> None:
        """An empty schema, in which new tables get the rights that those of the schema that is read would get."""
        staging = self.names.staging
        with self._connection.transaction():
            self._connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(staging)))
            self._comment(staging, "a load that is under way or has died")
            if self.exists(self.names.served):
                self._run(_DEFAULT_RIGHTS, old=_quoted(self.names.served), new=staging)

    def commit(self, description: str) -> str | None:
        """The staged schema is read from now on, with the rights of the one before, whose new name is returned."""
        served, staging = self.names.served, self.names.staging
        with self._connection.transaction():
            before = None
            if self.exists(served):
                self.check_served()
                self._run(_RIGHTS, old=_quoted(served), new=staging)
                before = self._free_name()
                self._rename(served, before)
                self._comment(before, "replaced, to be dropped")
            self._rename(staging, served)
            self._comment(served, description)
        return before

    def drop(self, schema: str) -> bool:
        """Whether a schema with Dure's mark is gone, and the tables that Dure makes; it stays while somebody reads it."""
        mark = "SELECT pg_catalog.obj_description(%(s)s::regnamespace, 'pg_namespace')"
        if not any(text.startswith(_MARK) for text in self._texts(mark, s=_quoted(schema)) if text):
            return False
        query = "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = %(s)s AND tablename = ANY (%(ours)s)"
        ours = self._texts(query, s=schema, ours=[*tables(), DELIVERY_TABLE])
        try:
            with self._connection.transaction():
                self._connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(_PATIENCE))
                if ours:
                    named = sql.SQL(", ").join(sql.Identifier(schema, name) for name in ours)
                    self._connection.execute(sql.SQL("DROP TABLE {} RESTRICT").format(named))
                self._connection.execute(sql.SQL("DROP SCHEMA {} RESTRICT").format(sql.Identifier(schema)))
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DependentObjectsStillExist):
            return False
        return True

    def _free_name(self) -> str:
        number = 1
        while self.exists(self.names.before(number)):
            number += 1
        return self.names.before(number)

    def _rename(self, old: str, new: str) -> None:
        statement = sql.SQL("ALTER SCHEMA {} RENAME TO {}")
        self._connection.execute(statement.format(sql.Identifier(old), sql.Identifier(new)))

    def _comment(self, schema: str, text: str) -> None:
        statement = sql.SQL("COMMENT ON SCHEMA {} IS {}")
        self._connection.execute(statement.format(sql.Identifier(schema), sql.Literal(f"{_MARK} {text}")))

    def _run(self, query: str, **values: object) -> None:
        for statement in self._texts(query, **values):
            self._connection.execute(statement.encode())

    def _texts(self, query: str, **values: object) -> list[str]:
        return [str(row[0]) for row in self._connection.execute(query.encode(), values) if row[0] is not None]


def _quoted(schema: str) -> str:
    """The name as a `regnamespace` is written."""
    return '"' + schema.replace('"', '""') + '"'


def _list(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
