"""`.env.example` and the settings classes tell the same story."""

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from cli.supervisor.services import SERVICES
from shared.config import Settings

_ROOT = Path(__file__).parents[2]
_EXAMPLE = _ROOT / ".env.example"
#: What tradectl reads by itself, without a settings class.
_READ_BY_TRADECTL = {"TRADING_DATA_DIR": "", "TRADING_BACKTESTS_DIR": "", "DEMO_ADMIN_PASSWORD": ""}


def _documented() -> dict[str, str]:
    pairs = re.findall(r"^#([A-Z][A-Z0-9_]*)=(.*)$", _EXAMPLE.read_text(), re.MULTILINE)
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), "a variable is listed twice"
    return dict(pairs)


def _settings_classes() -> list[type[Settings]]:
    for service in SERVICES:
        importlib.import_module(f"{service.name}.settings")
    found, waiting = [], [Settings]
    while waiting:
        one = waiting.pop()
        if one.__module__ == "shared.config.settings" or one.__module__.endswith(".settings"):
            found.append(one)
        waiting += one.__subclasses__()
    return found


def _read_by_services() -> dict[str, set[str]]:
    """Variable → its defaults as text; several when services differ."""
    found: dict[str, set[str]] = {}
    for settings in _settings_classes():
        for name, field in settings.model_fields.items():
            default = field.get_default(call_default_factory=True)  # type: ignore[call-arg]
            found.setdefault(name.upper(), set()).add(_text(default))
    return found


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case SecretStr():
            return value.get_secret_value()
        case bool():
            return str(value).lower()
        case list() | tuple():
            return ",".join(str(one) for one in value)
        case _:
            assert value is not PydanticUndefined
            return str(value)


def test_every_service_adds_its_own_settings() -> None:
    modules = {settings.__module__.partition(".")[0] for settings in _settings_classes()}
    assert modules >= {service.name for service in SERVICES}


def test_the_example_lists_exactly_what_is_read() -> None:
    assert set(_documented()) == set(_read_by_services()) | set(_READ_BY_TRADECTL)


def test_the_example_shows_the_defaults() -> None:
    documented = _documented()
    wrong = {
        name: (documented[name], defaults)
        for name, defaults in _read_by_services().items()
        if defaults != {documented[name]}
    }
    assert not wrong


def test_every_setting_is_read_by_code() -> None:
    packages = ["shared", *(service.name for service in SERVICES)]
    code = "\n".join(
        path.read_text() for package in packages for path in (_ROOT / package).rglob("*.py")
    )
    names = {name for settings in _settings_classes() for name in settings.model_fields}
    unread = [name for name in names if not re.search(rf"(settings|self)\.{name}\b", code)]
    assert not unread


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_the_supervisor_sets_the_port_that_the_service_reads(service: Any) -> None:
    module = importlib.import_module(f"{service.name}.settings")
    fields = {
        name.upper()
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Settings)
        for name in one.model_fields
    }
    assert service.port_variable in fields
