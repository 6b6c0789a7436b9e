"""`hospitals.yaml`: which hospital signs with which key, whose each block of local concepts is, and the policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from dure.center.registry.keys import SigningKey, read_keys
from dure.center.registry.written import WrittenPolicy, WrittenRegistry
from dure.errors import ConfigurationError, Problem
from dure.publish.signing import verified
from dure.site.local_concepts import BLOCK
from dure.site.yaml_text import Document, closest, read_yaml
from dure.snapshot.names import site_folder_name

REGISTRY = "hospitals.yaml"
Policy = WrittenPolicy


@dataclass(frozen=True)
class Consortium:
    """One consortium; `block` is the first id of its local concepts, None where it has none."""

    id: str
    name: str
    block: int | None


@dataclass(frozen=True)
class Hospital:
    """One hospital that may send."""

    site: str
    name: str
    consortium: Consortium | None
    block: int | None
    keys: tuple[SigningKey, ...]

    @property
    def blocks(self) -> tuple[range, ...]:
        """The local concepts that it may send: its own and those of its consortium."""
        firsts = (self.block, self.consortium.block if self.consortium else None)
        return tuple(_block(first) for first in firsts if first is not None)


@dataclass(frozen=True)
class Registry:
    """The whole file, every key's chain verified.

    `shared` are blocks that rows of every hospital may name and none may fill, such as those of a vocabulary release
    of the consortium's own.
    """

    file: Path
    policy: Policy
    hospitals: Mapping[str, Hospital]
    shared: tuple[range, ...]

    def signer(self, signature: bytes, content: bytes) -> tuple[Hospital, SigningKey] | None:
        """Whose key made the signature over these bytes, whether or not the key still counts; None for a stranger's."""
        for hospital in self.hospitals.values():
            for key in hospital.keys:
                if verified(key.public, signature, content):
                    return hospital, key
        return None


def read_registry(file: Path) -> Registry:
    """The registry in a file; ConfigurationError with every mistake, its file and line."""
    if not file.is_file():
        do = "write who may send and with which key; the guide of the center shows one"
        raise ConfigurationError(Problem(str(file), "no such file", do))
    document = read_yaml(file)
    if document.problems:
        raise ConfigurationError(document.problems)
    try:
        written = WrittenRegistry.model_validate(document.data)
    except ValidationError as error:
        raise ConfigurationError([_problem(document, item) for item in error.errors(include_url=False)]) from None
    problems: list[Problem] = []
    consortia = {
        name: Consortium(name, each.name or name, each.local_concepts) for name, each in written.consortia.items()
    }
    hospitals: dict[str, Hospital] = {}
    for site, each in written.hospitals.items():
        at = ("hospitals", site)
        try:
            if site_folder_name(site) != site:
                raise ConfigurationError("is not in the form NFC")
        except ConfigurationError as error:
            problems.append(document.problem(at, f"the site {error.problems[0].found}", error.problems[0].do))
            continue
        if each.consortium is not None and each.consortium not in consortia:
            found = f"no consortium '{each.consortium}'{closest(each.consortium, consortia)}"
            problems.append(document.problem((*at, "consortium"), found, "add it under consortia"))
        keys, wrong = read_keys(document, at, site, each.signing_keys)
        problems += wrong
        consortium = consortia.get(each.consortium or "")
        hospitals[site] = Hospital(site, each.name, consortium, each.local_concepts, tuple(keys))
    problems += _given_twice(document, hospitals, consortia, written.shared_blocks)
    if problems:
        raise ConfigurationError(problems)
    return Registry(file, written.policy, hospitals, tuple(map(_block, written.shared_blocks.values())))


def _block(first: int) -> range:
    return range(first, first + BLOCK)


def _given_twice(
    document: Document,
    hospitals: Mapping[str, Hospital],
    consortia: Mapping[str, Consortium],
    shared: Mapping[str, int],
) -> list[Problem]:
    """Keys and blocks that two owners share: a signature must name one hospital, and an id one owner."""
    problems: list[Problem] = []
    owners: dict[str, str] = {}
    for site, hospital in hospitals.items():
        for number, key in enumerate(hospital.keys):
            steps = ("hospitals", site, "keys", number, "key")
            if key.fingerprint in owners:
                found = f"this key is listed for {owners[key.fingerprint]} already"
                problems.append(document.problem(steps, found, "each key has one line: remove the other"))
            owners.setdefault(key.fingerprint, site)
    blocks: dict[int, str] = {}
    named: list[tuple[tuple[str, ...], int | None, str]]
    named = [(("consortia", name, "local_concepts"), each.block, name) for name, each in consortia.items()]
    named += [(("hospitals", site, "local_concepts"), each.block, site) for site, each in hospitals.items()]
    named += [(("shared_blocks", name), block, name) for name, block in shared.items()]
    for at, block, owner in named:
        if block is not None and block in blocks:
            found = f"the block at {block} is {blocks[block]}'s already"
            problems.append(document.problem(at, found, "each block has one owner, see blocks.csv"))
        if block is not None:
            blocks.setdefault(block, owner)
    return problems


def _problem(document: Document, item: object) -> Problem:
    assert isinstance(item, dict)
    at, context = item["loc"], item.get("ctx", {})
    shown = at[:-1] if context.get("parent") else at
    where = document.where(shown, line_of=at)
    return Problem(where, str(context.get("found", item["msg"])), str(context.get("do", "")))
