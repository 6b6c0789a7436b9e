"""Whether a package that is whole may come in: whose it is, which number it has, and what the center's policy asks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from dure.center.receive.claimed import Claimed, read_claimed
from dure.center.receive.refused import Finding, PackageRefused, refuse
from dure.center.registry import Hospital, Policy, Registry, SigningKey
from dure.center.store import CenterStore
from dure.errors import Problem
from dure.publish.package import SIGNATURE
from dure.snapshot.durable import lake_access
from dure.snapshot.manifest import MANIFEST

# Clocks of two houses may be apart.
_APART = timedelta(days=1)


def believed(registry: Registry, manifest: bytes, signature: bytes, today: date) -> tuple[Hospital, Claimed]:
    """Whose package it is and what it says of itself. Nothing of the manifest is parsed before its signature holds."""
    found = registry.signer(signature, manifest)
    if found is None:
        raise refuse("not_signed", SIGNATURE)
    hospital, key = found
    _check_key(key, today)
    claimed = read_claimed(manifest)
    if claimed.site != hospital.site:
        raise refuse("anothers_key", f"{MANIFEST} site", owner=hospital.site)
    if claimed.keys.signing != key.fingerprint:
        raise refuse("anothers_key", f"{MANIFEST} keys.signing", owner=hospital.site)
    return hospital, claimed


def _check_key(key: SigningKey, today: date) -> None:
    if key.revoked is not None and today >= key.revoked:
        raise refuse("key_revoked", SIGNATURE, fingerprint=key.fingerprint, day=str(key.revoked))
    if not key.counts_on(today):
        until = str(key.until) if key.until else "—"
        raise refuse("key_not_valid", SIGNATURE, fingerprint=key.fingerprint, since=str(key.since), until=until)


def is_here(store: CenterStore, claimed: Claimed, manifest: bytes) -> bool:
    """Whether this very delivery counts already; PackageRefused for an older one, or another under the same number."""
    newest = store.current().get(claimed.site)
    if newest is None or claimed.sequence > newest:
        return False
    if claimed.sequence < newest:
        raise refuse("older", f"{MANIFEST} sequence", found=claimed.sequence, newest=newest)
    path = store.delivery(claimed.site, newest) / MANIFEST
    with lake_access(path):
        if path.read_bytes() == manifest:
            return True
    raise refuse("same_number", f"{MANIFEST} sequence", found=claimed.sequence)


def to_look_at(store: CenterStore, claimed: Claimed) -> list[Problem]:
    """What keeps nothing out and somebody should know: numbers that never came, data older than before."""
    newest = store.current().get(claimed.site)
    if newest is None:
        return []
    problems = []
    missing = claimed.sequence - newest - 1
    if missing:
        found = f"delivery {claimed.sequence} follows delivery {newest}: {missing} between them never came"
        do = "ask the hospital whether they were lost on the way; what counts is the newest"
        problems.append(Problem(claimed.site, found, do))
    before = next(each.as_of for each in store.history(claimed.site)[::-1])
    if claimed.as_of < before:
        found = f"delivery {claimed.sequence} is of {claimed.as_of}, delivery {newest} of {before}"
        problems.append(Problem(claimed.site, found, "ask the hospital whether it meant to go back"))
    return problems


def check_policy(claimed: Claimed, policy: Policy, today: date) -> None:
    """PackageRefused with everything that the policy does not allow."""
    findings = list(_against(claimed, policy, today))
    if findings:
        raise PackageRefused(findings)


def _against(claimed: Claimed, policy: Policy, today: date) -> Iterator[Finding]:
    gated, profile, vocabulary = claimed.gated, claimed.copied.profile, claimed.versions.vocabulary
    if gated.gate != "open":
        yield Finding("gate_not_open", f"{MANIFEST} gated.gate")
    for name, day in (("as_of", claimed.as_of), ("gated.day", gated.day)):
        if day > today + _APART:
            yield Finding("in_the_future", f"{MANIFEST} {name}", {"day": str(day)})
    if policy.oldest_days is not None and (today - claimed.as_of).days > policy.oldest_days:
        values = {"days": (today - claimed.as_of).days, "most": policy.oldest_days}
        yield Finding("too_old", f"{MANIFEST} as_of", values)
    if policy.lowest_score is not None and (gated.score is None or gated.score < policy.lowest_score):
        values_of_score: dict[str, str | int | float] = {
            "score": "—" if gated.score is None else round(gated.score, 4),
            "lowest": policy.lowest_score,
        }
        yield Finding("score_too_low", f"{MANIFEST} gated.score", values_of_score)
    if policy.profiles is not None and profile.name not in policy.profiles:
        allowed = ", ".join(policy.profiles)
        yield Finding("profile_not_allowed", f"{MANIFEST} copy.profile.name", {"allowed": allowed})
    if policy.vocabularies is not None and not {vocabulary.release, vocabulary.digest} & set(policy.vocabularies):
        allowed = ", ".join(policy.vocabularies)
        yield Finding("vocabulary_not_allowed", f"{MANIFEST} versions.vocabulary", {"allowed": allowed})
