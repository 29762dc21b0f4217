"""Secrets that must come back: sealed with AES-256-GCM under a key that can be exchanged.

A sealed text is `<key id>:<base64 of nonce and ciphertext>`. What it belongs to (its context) is
authenticated with it, so that a text moved to another row doesn't open.
"""

import base64
import binascii
import os
import re

_KEY = re.compile(r"([A-Za-z0-9_-]{1,32}):([A-Za-z0-9+/]{43}=)")
_NONCE_BYTES = 12


class VaultError(Exception):
    """The text can't be opened: its key is gone, it was changed, or it belongs elsewhere."""


def parse_keys(text: str) -> dict[str, bytes]:
    """Of `id:base64,id:base64`, 32 bytes each. ValueError tells what is wrong, and no key."""
    keys: dict[str, bytes] = {}
    for number, item in enumerate(filter(None, text.split(",")), 1):
        match = _KEY.fullmatch(item.strip())
        if match is None:
            raise ValueError(f"key {number} is not of the form id:<base64 of 32 bytes>")
        if match[1] in keys:
            raise ValueError(f"key {number} has the id of another one")
        keys[match[1]] = base64.b64decode(match[2])
    return keys


class Vault:
    def __init__(self, keys: dict[str, bytes]) -> None:
        """The first key seals; all of them open."""
        self._keys = keys

    @property
    def usable(self) -> bool:
        return bool(self._keys)

    def seal(self, secret: bytes, context: str) -> str:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # idle services need none

        if not self._keys:
            raise VaultError("there is no key")
        key_id, key = next(iter(self._keys.items()))
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + AESGCM(key).encrypt(nonce, secret, _bound(key_id, context))
        return f"{key_id}:{base64.b64encode(sealed).decode()}"

    def open(self, sealed: str, context: str) -> bytes:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key_id, _, text = sealed.partition(":")
        key = self._keys.get(key_id)
        if key is None:
            raise VaultError("its key is not among those of the vault")
        try:
            body = base64.b64decode(text, validate=True)
            nonce, ciphertext = body[:_NONCE_BYTES], body[_NONCE_BYTES:]
            return AESGCM(key).decrypt(nonce, ciphertext, _bound(key_id, context))
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise VaultError("it was changed, or belongs elsewhere") from error

    def is_current(self, sealed: str) -> bool:
        """Whether it was sealed with the key that seals now."""
        return sealed.partition(":")[0] == next(iter(self._keys), None)


def _bound(key_id: str, context: str) -> bytes:
    return f"{key_id}\n{context}".encode()
