"""The small parts that an instance is put together from."""

import socket
import stat
from pathlib import Path

import pytest

from api_gateway.identity.passwords import weaknesses
from cli.embedded.servers import free_port
from cli.errors import BadInputError, CliError
from cli.supervisor.logs import bound_logs, last_complaint, last_line, last_lines
from cli.supervisor.member import Member, MemberState
from cli.supervisor.ports import BLOCK, PortClaims
from cli.supervisor.schema import head_revision, known_revisions
from cli.supervisor.secrets import load_or_make_secrets
from cli.supervisor.services import SERVICES, Ports, operator_settings, service_environment
from shared.config import Settings
from shared.database.migrate import alembic_config

# --- secrets ---------------------------------------------------------------------------------


def test_secrets_are_made_once_and_readable_by_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "secrets.env"
    made, made_now = load_or_make_secrets(path)
    again, made_again = load_or_make_secrets(path)
    assert (made_now, made_again) == (True, False)
    assert made == again
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(set(made.values())) == len(made)


def test_the_first_admins_password_keeps_the_password_rules(tmp_path: Path) -> None:
    secrets, _ = load_or_make_secrets(tmp_path / "secrets.env")
    assert not weaknesses(secrets["ADMIN_PASSWORD"])


def test_a_secrets_file_that_lost_a_line_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "secrets.env"
    load_or_make_secrets(path)
    path.write_text("\n".join(line for line in path.read_text().split() if "JWT" not in line))
    with pytest.raises(CliError, match="lacks JWT_SECRET"):
        load_or_make_secrets(path)


# --- environment -----------------------------------------------------------------------------

_PORTS = Ports(base=9000, postgres=9100, valkey=9101)


def _secrets(tmp_path: Path) -> dict[str, str]:
    return load_or_make_secrets(tmp_path / "secrets.env")[0]


def test_operators_settings_win_over_defaults_but_not_over_the_embedded_servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKET_DATA_MODE", "simulated")
    monkeypatch.setenv("JWT_SECRET", "the-operators-own")
    monkeypatch.setenv("DB_HOST", "db.example.com")
    monkeypatch.setenv("USE_PGBOUNCER", "true")
    operator = {"JWT_SECRET": "the-operators-own", "DB_HOST": "db.example.com"}
    environment = service_environment(_secrets(tmp_path), _PORTS, tmp_path / "market", operator)
    assert environment["MARKET_DATA_MODE"] == "simulated"
    assert environment["JWT_SECRET"] == "the-operators-own"
    assert environment["DB_HOST"] == "127.0.0.1"
    assert environment["USE_PGBOUNCER"] == "false"
    assert environment["ORDER_PROCESSOR_URL"] == "http://127.0.0.1:9003"
    assert environment["CALENDAR_FOLDER"] == str(tmp_path / "market" / "calendars")


def test_what_stands_in_the_env_file_is_left_to_the_services_to_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ADMIN_EMAIL=boss@example.com\nLOG_LEVEL=DEBUG\n")
    operator = operator_settings({"LOG_LEVEL": "ERROR"}, tmp_path)
    assert operator == {"ADMIN_EMAIL": "boss@example.com", "LOG_LEVEL": "ERROR"}
    environment = service_environment(_secrets(tmp_path), _PORTS, tmp_path / "market", operator)
    assert "ADMIN_EMAIL" not in environment


def test_every_service_has_a_port_and_an_address_of_its_own() -> None:
    assert sorted(service.offset for service in SERVICES) == list(range(BLOCK))
    fields = Settings.model_fields
    for service in SERVICES:
        assert service.url_variable is None or service.url_variable.lower() in fields


# --- ports -----------------------------------------------------------------------------------


def test_an_asked_for_block_with_a_taken_port_is_refused() -> None:
    taken = free_port()
    with socket.socket() as other, PortClaims() as claims:
        other.bind(("127.0.0.1", taken))
        other.listen()
        with pytest.raises(CliError, match="not all free"):
            claims.services(taken - BLOCK + 1, None)


def test_two_instances_that_start_together_never_choose_the_same_ports() -> None:
    with PortClaims() as first, PortClaims() as second:
        base = first.services(None, None)
        assert second.services(None, base) != base
        port = first.server(None)
        assert second.server(port) != port


def test_a_claim_is_free_again_with_its_instance() -> None:
    with PortClaims() as claims:
        port = claims.server(None)
    with PortClaims() as claims:
        assert claims.server(port) == port


@pytest.mark.parametrize("base", [0, 80, 32_763, 70_000, -1])
def test_a_port_base_out_of_range_is_bad_input(base: int) -> None:
    with PortClaims() as claims, pytest.raises(BadInputError, match="--port-base"):
        claims.services(base, None)


# --- logs ------------------------------------------------------------------------------------


def test_a_log_beyond_its_bound_is_moved_aside_while_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * 101)
        bound_logs(tmp_path, max_bytes=100)
        writer.write(b"after\n")
    assert log.read_bytes() == b"after\n"
    assert (tmp_path / "service.log.1").read_bytes() == b"x" * 101


def test_a_log_within_its_bound_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    log.write_bytes(b"x" * 100)
    bound_logs(tmp_path, max_bytes=100)
    assert log.stat().st_size == 100


def test_the_newest_lines_are_read_and_a_missing_log_has_none(tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    assert last_lines(log, 3) == []
    assert last_line(log) == "its log is empty"
    log.write_bytes(b"one\ntwo\n\xff\n\n")
    assert last_lines(log, 3) == ["two", "\ufffd", ""]
    assert last_line(log) == "\ufffd"


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (
            ['{"level": "error", "event": "no name"}', '{"level": "info", "event": "bye"}'],
            "no name",
        ),
        (
            ["Traceback …", "  File …", "shared.config.SomeError: LOG_LEVEL: bad", ""],
            "LOG_LEVEL: bad",
        ),
        (['{"level": "info", "event": "bye"}'], '{"level": "info", "event": "bye"}'),
        ([], "its log is empty"),
    ],
)
def test_the_reason_of_an_end_is_the_newest_error(
    tmp_path: Path, lines: list[str], complaint: str
) -> None:
    log = tmp_path / "service.log"
    log.write_text("\n".join(lines) + "\n")
    assert last_complaint(log) == complaint


# --- schema ----------------------------------------------------------------------------------


def test_the_head_revision_is_the_one_that_the_migration_library_finds() -> None:
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(alembic_config(Settings(_env_file=None)))
    assert head_revision() == script.get_current_head()
    assert known_revisions() == {one.revision for one in script.walk_revisions()}


def test_the_head_is_found_in_a_chain(tmp_path: Path) -> None:
    (tmp_path / "0001_a.py").write_text('revision = "0001"\ndown_revision = None\n')
    (tmp_path / "0002_b.py").write_text('revision: str = "0002"\ndown_revision: str = "0001"\n')
    assert head_revision(tmp_path) == "0002"


# --- members ---------------------------------------------------------------------------------


def _member() -> Member:
    return Member("m", 1, Path("m.log"), launch=lambda: None, probe=lambda: True)  # type: ignore[arg-type,return-value]


def test_a_member_that_keeps_failing_is_started_later_each_time_up_to_a_bound() -> None:
    member = _member()
    delays = []
    for _ in range(10):
        member.start()
        started = member.launched_at
        assert started is not None
        member.note_end("exit code 1")
        delays.append(round(member.next_launch_at - started, 1))
    assert delays[:4] == [0.5, 1.0, 2.0, 4.0]
    assert delays[-1] == 30.0
    assert member.restarts == 10
    assert member.last_end == "exit code 1"


def test_a_member_that_was_up_for_long_starts_again_soon() -> None:
    member = _member()
    for _ in range(5):
        member.start()
        member.note_end("signal 9")
    member.start()
    assert member.launched_at is not None
    member.launched_at -= 3600
    member.note_end("signal 9")
    assert member.next_launch_at - (member.launched_at + 3600) < 1.0


def test_a_member_counts_as_unready_only_after_it_was_ready() -> None:
    member = _member()
    member.start()
    member.note_probe(answered=False)
    assert member.state is MemberState.STARTING
    member.note_probe(answered=True)
    assert member.state is MemberState.READY
    member.note_probe(answered=False)
    assert member.state is MemberState.UNREADY
