"""The dry run: what would go where, how many rows, what would be left out or changed, and why."""

from __future__ import annotations

from collections.abc import Mapping

from dure.publish.deidentify.treatment import Kind, TableTreatment
from dure.publish.profile import Profile
from dure.publish.target import Target
from dure.snapshot.manifest import Manifest

_CHANGES = [kind for kind in Kind if kind is not Kind.KEPT]


def lines_of_plan(
    manifest: Manifest,
    target: Target,
    profile: Profile,
    plan: Mapping[str, TableTreatment],
    rolled: Mapping[int, int],
) -> list[str]:
    """Lines to print; nothing was written to make them."""
    to_zero = sum(not target_of for target_of in rolled.values())
    lines = [
        f"would publish {manifest.site} {manifest.snapshot} to {target.shown} ({target.kind}); nothing was written",
        f"profile {profile.name}: dates {profile.dates}, ages over {profile.oldest_age} capped, notes {profile.notes}",
        f"codes of fewer than {profile.persons_a_code} persons: {len(rolled):,}; "
        f"{len(rolled) - to_zero:,} become an ancestor, {to_zero:,} become 0",
    ]
    for name, treated in plan.items():
        if name not in manifest.tables:
            continue
        rows = manifest.tables[name].rows
        if treated.left_out:
            lines.append(f"{name}: none of {rows:,} rows ({treated.left_out})")
            continue
        lines.append(f"{name}: {rows:,} rows")
        if rows:
            for kind in _CHANGES:
                columns = treated.of_kind(kind)
                if columns:
                    lines.append(f"  {kind.value}: {', '.join(columns)}")
    return lines
