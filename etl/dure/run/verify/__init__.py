"""A second opinion: a snapshot worked out again from its landing, by another engine, and held against what is there."""

from dure.run.verify.options import VerifyOptions
from dure.run.verify.second_opinion import verify_site

__all__ = ["VerifyOptions", "verify_site"]
