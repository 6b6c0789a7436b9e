"""One run of one site: from an extract to a snapshot of the CDM that stands, or to the reason why none does."""

from dure.run.gate import proving
from dure.run.options import Committed, Prove, RunOptions, RunResult, StartEngine
from dure.run.site_run import run_site

__all__ = ["Committed", "Prove", "RunOptions", "RunResult", "StartEngine", "proving", "run_site"]
