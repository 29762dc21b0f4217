import pytest

from api_gateway.settings import GatewaySettings
from shared.config import InvalidSettingsError, Settings


def test_bad_settings_are_named_as_the_operator_knows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "loud")
    monkeypatch.setenv("ORDER_SHARDS", "0")
    with pytest.raises(InvalidSettingsError) as refused:
        Settings(_env_file=None)
    assert str(refused.value) == (
        "LOG_LEVEL: Input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'; "
        "ORDER_SHARDS: Input should be greater than or equal to 1"
    )


def test_a_refused_setting_tells_no_secret() -> None:
    """Neither its own value nor those beside it: the message goes into a log."""
    with pytest.raises(InvalidSettingsError) as refused:
        GatewaySettings(
            _env_file=None, admin_email="nobody", admin_password="Hidden-7", jwt_secret="hidden"
        )
    told = "".join(map(str, (refused.value, refused.value.__cause__, refused.value.__context__)))
    assert "ADMIN_EMAIL" in told
    assert "idden" not in told
