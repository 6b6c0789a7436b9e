"""How far each hospital's codes and records are answered by the consortium's common map."""

from __future__ import annotations

from typing import Any

import numpy as np

from dure.center.agreement.codebook import NOTHING, Codebook
from dure.center.agreement.pairs import share
from dure.vocab.common_map import CONSORTIUM, SITE


def adoption(book: Codebook) -> list[dict[str, Any]]:
    """One row a hospital: what the common map decides, and what it would decide if the hospital's own map did not."""
    rows = []
    common_speaks = book.authority_is(CONSORTIUM)
    overridden = book.authority_is(SITE) & (book.common != NOTHING)
    for number, site in enumerate(book.sites):
        own = book.site == number
        counts: dict[str, Any] = {"site": site}
        for name, chosen in (
            ("", own),
            ("_common", own & common_speaks),
            ("_overridden", own & overridden),
            ("_against_common", own & overridden & (book.common != book.targets)),
        ):
            counts |= {f"codes{name}": int(np.count_nonzero(chosen)), f"records{name}": int(book.records[chosen].sum())}
        counts["codes_common_share"] = share(counts["codes_common"], counts["codes"])
        counts["records_common_share"] = share(counts["records_common"], counts["records"])
        rows.append(counts)
    return rows
