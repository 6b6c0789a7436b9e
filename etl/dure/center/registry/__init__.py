"""Who may send: the hospitals, their signing keys and blocks of local concepts, and what the center accepts."""

from dure.center.registry.hospitals import Consortium, Hospital, Policy, Registry, read_registry
from dure.center.registry.keys import SigningKey

__all__ = ["Consortium", "Hospital", "Policy", "Registry", "SigningKey", "read_registry"]
