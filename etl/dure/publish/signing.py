"""Signatures over a manifest's exact bytes (Ed25519), and encryption to the center's key (the age format)."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyrage
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from dure.errors import ConfigurationError, Problem
from dure.publish.private_keys import private_bytes


def signing_key(path: Path) -> Ed25519PrivateKey:
    """The private key in a file of mode 0600; raises ConfigurationError where it is none."""
    content = private_bytes(path)
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(
            Problem(str(path), "holds no Ed25519 private key", "use signing.key of `dure keygen`")
        ) from None
    return key


def verifying_key(path: Path) -> Ed25519PublicKey:
    """The public key in a file; raises ConfigurationError where it is none."""
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(Problem(str(path), f"cannot be read: {error.strerror}", "check the path")) from None
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigurationError(
            Problem(str(path), "holds no Ed25519 public key", "use signing.pub of `dure keygen`")
        ) from None
    return key


def verified(key: Ed25519PublicKey, signature: bytes, content: bytes) -> bool:
    """Whether the signature is that of these very bytes; to be asked before anything in them is parsed."""
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True


def fingerprint(key: Ed25519PublicKey) -> str:
    """What two people compare on the phone: the SHA-256 of the public key."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return "SHA256:" + hashlib.sha256(raw).hexdigest()


def new_signing_pair() -> tuple[bytes, bytes, str]:
    """A new pair as PEM (private, public), and its fingerprint."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private, public, fingerprint(key.public_key())


def new_center_pair() -> tuple[bytes, bytes, str]:
    """A new age identity and its recipient, as the age tool writes them, and the recipient's fingerprint."""
    identity = pyrage.x25519.Identity.generate()
    recipient = str(identity.to_public())
    return f"{identity}\n".encode(), f"{recipient}\n".encode(), recipient_fingerprint(recipient)


def recipient_fingerprint(recipient: str) -> str:
    return "SHA256:" + hashlib.sha256(recipient.encode()).hexdigest()


def recipient_of(path: Path) -> pyrage.x25519.Recipient:
    """The center's public key (age1…) in a file; ConfigurationError where it is none."""
    try:
        lines = path.read_text("ascii").split()
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(Problem(str(path), "cannot be read as a public key", "check the path")) from None
    keys = [line for line in lines if line.startswith("age1")]
    try:
        if len(keys) != 1:
            raise pyrage.RecipientError
        return pyrage.x25519.Recipient.from_str(keys[0])
    except pyrage.RecipientError:
        do = "use center.pub of the center's `dure keygen --for center`"
        raise ConfigurationError(Problem(str(path), "holds no age public key", do)) from None


def encrypt(plain: Path, sealed: Path, recipient: pyrage.x25519.Recipient) -> None:
    """Writes `plain` encrypted to the center's key, in pieces: memory does not grow with the file."""
    pyrage.encrypt_file(str(plain), str(sealed), [recipient])


def decrypt(sealed: Path, plain: Path, identity_file: Path) -> None:
    """Writes what was encrypted to the key in `identity_file`; raises ConfigurationError where it was to another."""
    try:
        identity = pyrage.x25519.Identity.from_str(private_bytes(identity_file).decode("ascii", "replace").strip())
        pyrage.decrypt_file(str(sealed), str(plain), [identity])
    except pyrage.IdentityError:
        raise ConfigurationError(Problem(str(identity_file), "holds no age identity", "use center.key")) from None
    except pyrage.DecryptError:
        found = "cannot be opened with this key, or was changed on its way"
        raise ConfigurationError(Problem(str(sealed), found, "ask the sender to encrypt to your center.pub")) from None
