import base64

import pytest

from shared.auth.vault import Vault, VaultError, parse_keys

OLD, NEW = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))


def test_what_was_sealed_opens_for_what_it_belongs_to_alone() -> None:
    vault = Vault(parse_keys(f"a:{OLD}"))
    sealed = vault.seal(b"secret", "account 1")
    assert vault.open(sealed, "account 1") == b"secret"
    assert "secret" not in sealed
    assert vault.seal(b"secret", "account 1") != sealed
    with pytest.raises(VaultError):
        vault.open(sealed, "account 2")


def test_a_changed_text_does_not_open() -> None:
    vault = Vault(parse_keys(f"a:{OLD}"))
    sealed = vault.seal(b"secret", "x")
    key_id, _, text = sealed.partition(":")
    body = bytearray(base64.b64decode(text))
    for place in range(len(body)):
        changed = bytearray(body)
        changed[place] ^= 1
        with pytest.raises(VaultError):
            vault.open(f"{key_id}:{base64.b64encode(changed).decode()}", "x")
    for nonsense in ("", "a", "a:", "a:%%%", "b:" + text, text):
        with pytest.raises(VaultError):
            vault.open(nonsense, "x")


def test_an_older_key_opens_until_it_is_taken_away() -> None:
    sealed = Vault(parse_keys(f"old:{OLD}")).seal(b"secret", "x")
    both = Vault(parse_keys(f"new:{NEW},old:{OLD}"))
    assert both.open(sealed, "x") == b"secret"
    assert not both.is_current(sealed)
    anew = both.seal(both.open(sealed, "x"), "x")
    assert both.is_current(anew)
    assert Vault(parse_keys(f"new:{NEW}")).open(anew, "x") == b"secret"
    with pytest.raises(VaultError):
        Vault(parse_keys(f"new:{NEW}")).open(sealed, "x")


def test_without_a_key_nothing_is_sealed() -> None:
    vault = Vault(parse_keys(""))
    assert not vault.usable
    with pytest.raises(VaultError):
        vault.seal(b"secret", "x")


@pytest.mark.parametrize("text", ["a", "a:", "a:short=", f"a:{OLD},a:{NEW}", f"a b:{OLD}"])
def test_keys_that_are_none_are_refused_without_being_told(text: str) -> None:
    with pytest.raises(ValueError, match="key") as told:
        parse_keys(text)
    assert OLD not in str(told.value)
