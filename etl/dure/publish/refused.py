"""The error of a publication that must not take place: nothing was sent, and the exit code is that of a closed gate."""

from __future__ import annotations

from dure.errors import DureError, ExitCode


class PublicationRefused(DureError):
    """The gate is closed, the snapshot has changed, or the copy is not what may leave; the target is as before."""

    exit_code = ExitCode.GATE_CLOSED
