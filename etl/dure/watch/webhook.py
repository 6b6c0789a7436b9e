"""Tells a web address how a run ended: one JSON document, signed where a secret is set."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from dure.errors import ConfigurationError, Problem
from dure.ledger.facts import RunFacts

SECRET = "DURE_WEBHOOK_SECRET"
SIGNATURE, RUN = "X-Dure-Signature", "X-Dure-Run"
_MODEL = "expected https://HOST/PATH (or http://, or env:NAME or file:PATH that hold one)"
# Answers after which trying again may help.
_BUSY = (429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Webhook:
    """Where and how to tell it. The address may hold a token and is never shown: `shown` is its host.

    `tries` are made at most, `pauses` seconds apart; `timeout` is for each try as a whole, however slowly it answers.
    """

    shown: str
    url: str = field(repr=False)
    secret: bytes = field(repr=False, default=b"")
    timeout: float = 10.0
    pauses: tuple[float, ...] = (1.0, 4.0)

    def tell(self, facts: RunFacts, sleep: Callable[[float], None] | None = None) -> None:
        """Posts the run's end; ConfigurationError, which the run survives, when nobody took it."""
        body = json.dumps(document(facts), ensure_ascii=False).encode()
        said, tries = "", 0
        for pause in (0.0, *self.pauses):
            if pause:
                (sleep or time.sleep)(pause)
            tries += 1
            said, again = self._posted(body, facts.id)
            if not said:
                return
            if not again:
                break
        times = "once" if tries == 1 else f"{tries} times"
        raise ConfigurationError(
            Problem(f"--webhook {self.shown}", f"not told, tried {times}: {said}", f"`dure show {facts.id}` has it all")
        )

    def _posted(self, body: bytes, run: str) -> tuple[str, bool]:
        """Why it was not taken (empty when it was), and whether another try may help."""
        answer: list[tuple[str, bool]] = []
        thread = threading.Thread(target=lambda: answer.append(self._post(body, run)), name="webhook", daemon=True)
        thread.start()
        thread.join(self.timeout)
        return answer[0] if answer else (f"no answer in {self.timeout:g} s", True)

    def _post(self, body: bytes, run: str) -> tuple[str, bool]:
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": f"dure/{version('dure')}",
            RUN: run,
        }
        if self.secret:
            headers[SIGNATURE] = signature(self.secret, body)
        request = urllib.request.Request(self.url, body, headers, method="POST")
        try:
            with urllib.request.build_opener(_NoRedirect).open(request, timeout=self.timeout):
                return "", False
        except urllib.error.HTTPError as error:
            error.close()
            moved = "; it must answer itself, a redirect is not followed" if 300 <= error.code < 400 else ""
            return f"the answer was {error.code}{moved}", error.code in _BUSY
        except urllib.error.URLError as error:
            reason = error.reason
            return getattr(reason, "strerror", None) or type(reason).__name__, True
        except (OSError, ValueError, http.client.HTTPException) as error:
            return getattr(error, "strerror", None) or type(error).__name__, True


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Whoever answers "go there" decides where a hospital's message goes; nobody shall."""

    def redirect_request(self, *arguments: Any, **keywords: Any) -> None:
        return None


def webhook_of(given: str, environ: Mapping[str, str] | None = None) -> Webhook:
    """The webhook that --webhook names, with the secret of the environment; ConfigurationError shows neither."""
    environ = os.environ if environ is None else environ
    url, where = given.strip(), "--webhook"
    if url.startswith(("env:", "file:")):
        from dure.database_url import private_value

        url, where = private_value(url, environ), f"--webhook {given}"
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        parts, port = urlsplit(""), ""
    printable = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme not in ("http", "https") or not parts.hostname or not printable:
        raise ConfigurationError(Problem(where, "is no address of the web", _MODEL))
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(
            Problem(where, "holds a user or a password", f"sign with {SECRET}, or put a token into the path")
        )
    secret = environ.get(SECRET, "")
    if secret.startswith("file:"):
        from dure.database_url import private_value

        secret = private_value(secret)
    return Webhook(f"{parts.scheme}://{parts.hostname}{port}", url, secret.encode())


def signature(secret: bytes, body: bytes) -> str:
    """What the header X-Dure-Signature holds: who knows the secret computes the same from the bytes received."""
    return f"sha256={hmac.new(secret, body, hashlib.sha256).hexdigest()}"


def document(facts: RunFacts) -> dict[str, Any]:
    """What is posted."""
    return {
        "event": f"{facts.command} ended",
        "site": facts.site,
        "run": facts.id,
        "snapshot": facts.snapshot,
        "outcome": str(facts.outcome),
        "exit_code": facts.exit_code,
        "verdict": facts.gate,
        "score": facts.score,
        "started": facts.started.isoformat(),
        "ended": facts.ended.isoformat() if facts.ended else None,
        "seconds": facts.seconds,
        "counts": {
            "persons": facts.persons,
            "rows_read": facts.rows_read,
            "rows_mapped": facts.rows_mapped,
            "rows_unmapped": facts.rows_unmapped,
            "rows_rejected": facts.rows_rejected,
            "rows_excluded": facts.rows_excluded,
            "warnings": len(facts.warnings),
            "errors": len(facts.errors),
        },
    }
