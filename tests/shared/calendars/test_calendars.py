import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from shared.calendars import ALWAYS_OPEN, Calendars, UnknownExchangeError
from shared.calendars.calendars import default_folder, last_date
from shared.candles.errors import OutsideCalendarError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def ns(text: str) -> int:
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1) * 1000


@pytest.fixture(scope="module")
def calendars(calendar_folder: Path) -> Calendars:
    return Calendars(calendar_folder)


@pytest.mark.parametrize(
    ("exchange", "moment", "opens", "closes"),
    [
        # Winter and summer time, and the Mondays after the clocks change.
        ("XNYS", "2024-01-16T15:00Z", "2024-01-16T04:00-05:00", "2024-01-16T20:00-05:00"),
        ("XNYS", "2013-10-07T15:00Z", "2013-10-07T04:00-04:00", "2013-10-07T20:00-04:00"),
        ("XNYS", "2024-03-11T15:00Z", "2024-03-11T04:00-04:00", "2024-03-11T20:00-04:00"),
        ("XNYS", "2024-11-04T15:00Z", "2024-11-04T04:00-05:00", "2024-11-04T20:00-05:00"),
        # The day after Thanksgiving, and Christmas Eve.
        ("XNYS", "2024-11-29T15:00Z", "2024-11-29T04:00-05:00", "2024-11-29T17:00-05:00"),
        ("XNYS", "2024-12-24T15:00Z", "2024-12-24T04:00-05:00", "2024-12-24T17:00-05:00"),
        # A weekend and a holiday (Martin Luther King) belong to the Friday before.
        ("XNYS", "2024-01-15T15:00Z", "2024-01-12T04:00-05:00", "2024-01-12T20:00-05:00"),
        ("XNAS", "2013-10-07T15:00Z", "2013-10-07T04:00-04:00", "2013-10-07T20:00-04:00"),
        ("XNSE", "2024-06-03T05:00Z", "2024-06-03T09:15+05:30", "2024-06-03T15:30+05:30"),
        ("24/7", "2024-06-02T05:00Z", "2024-06-02T00:00Z", "2024-06-03T00:00Z"),
    ],
)
def test_sessions(
    calendars: Calendars, exchange: str, moment: str, opens: str, closes: str
) -> None:
    session = calendars.of(exchange).session_at(ns(moment))
    assert (session.open_ns, session.close_ns) == (ns(opens), ns(closes))


@pytest.mark.parametrize(
    ("exchange", "moment", "regular", "since", "until"),
    [
        (
            "XNYS",
            "2024-07-02T09:29:59-04:00",
            False,
            "2024-07-02T04:00-04:00",
            "2024-07-02T09:30-04:00",
        ),
        (
            "XNYS",
            "2024-07-02T09:30-04:00",
            True,
            "2024-07-02T09:30-04:00",
            "2024-07-02T16:00-04:00",
        ),
        # After hours last until the next session opens, here behind a holiday.
        (
            "XNYS",
            "2024-07-03T14:00-04:00",
            False,
            "2024-07-03T13:00-04:00",
            "2024-07-05T04:00-04:00",
        ),
        (
            "XNYS",
            "2024-11-29T12:59-05:00",
            True,
            "2024-11-29T09:30-05:00",
            "2024-11-29T13:00-05:00",
        ),
        (
            "XNSE",
            "2024-06-03T15:00+05:30",
            True,
            "2024-06-03T09:15+05:30",
            "2024-06-03T15:30+05:30",
        ),
        (
            "XNSE",
            "2024-06-03T15:30+05:30",
            False,
            "2024-06-03T15:30+05:30",
            "2024-06-04T09:15+05:30",
        ),
    ],
)
def test_regular_hours(
    calendars: Calendars, exchange: str, moment: str, regular: bool, since: str, until: str
) -> None:
    span = calendars.of(exchange).hours_at(ns(moment))
    assert span == (regular, ns(since), ns(until))


def test_a_market_that_never_closes_has_regular_hours_only() -> None:
    always = Calendars(None).of(ALWAYS_OPEN)
    assert always.hours_at(ns("2024-06-02T05:00Z")).regular
    assert always.auctions_after(ns("2024-06-02T05:00Z")) is None


@pytest.mark.parametrize(
    ("moment", "opening", "closing"),
    [
        ("2024-07-03T08:00-04:00", "2024-07-03T09:30-04:00", "2024-07-03T13:00-04:00"),
        ("2024-07-03T09:30-04:00", "2024-07-05T09:30-04:00", "2024-07-03T13:00-04:00"),
        ("2024-07-03T13:00-04:00", "2024-07-05T09:30-04:00", "2024-07-05T16:00-04:00"),
        ("2024-07-04T12:00-04:00", "2024-07-05T09:30-04:00", "2024-07-05T16:00-04:00"),
    ],
)
def test_the_next_auctions(calendars: Calendars, moment: str, opening: str, closing: str) -> None:
    assert calendars.of("XNYS").auctions_after(ns(moment)) == (ns(opening), ns(closing))


def test_the_calendar_reaches_from_1998_to_the_end_of_next_year(calendars: Calendars) -> None:
    calendar = calendars.of("XNYS")
    assert calendar.session_at(ns("1998-01-02T15:00Z")).date == date(1998, 1, 2)
    next_year = datetime.now(UTC).year + 1
    last = calendar.session_at(ns(f"{next_year}-12-31T23:00Z")).date
    assert date(next_year, 12, 28) <= last
    with pytest.raises(OutsideCalendarError):
        calendar.session_at(ns("1997-12-01T15:00Z"))


def test_weeks_are_whole() -> None:
    assert last_date(date(2026, 11, 20)) == date(2028, 1, 2)
    assert last_date(date(2022, 1, 1)) == date(2023, 12, 31)


@pytest.mark.parametrize("exchange", ["NOPE", "../etc", "", "XNYS/x"])
def test_an_unknown_exchange_is_refused(calendars: Calendars, exchange: str) -> None:
    with pytest.raises(UnknownExchangeError):
        calendars.of(exchange)


def test_a_kept_calendar_is_used_and_a_damaged_one_built_again(
    calendars: Calendars, calendar_folder: Path, tmp_path: Path
) -> None:
    fresh = calendars.of("XNYS")
    (built,) = calendar_folder.glob("XNYS-*")
    content = built.read_bytes()
    kept = tmp_path / built.name
    marked = content.replace(b'{"opens_ns"', b'{"mark":1,"opens_ns"')
    kept.write_bytes(marked)
    assert Calendars(tmp_path).of("XNYS") == fresh
    assert kept.read_bytes() == marked  # it was not built again
    for damage in (
        content[: len(content) // 2],
        content.replace(b'"opens_ns":[', b'"opens_ns":[9,'),
    ):
        kept.write_bytes(damage)
        assert Calendars(tmp_path).of("XNYS") == fresh
        assert kept.read_bytes() == content


def test_a_warm_process_does_not_import_pandas(calendars: Calendars, calendar_folder: Path) -> None:
    calendars.of("XNYS")
    program = (
        "import sys; from pathlib import Path; from shared.calendars import Calendars;"
        f"Calendars(Path({str(calendar_folder)!r})).of('XNYS');"
        "import market_data_engine.main, order_processor.main;"
        "print({'pandas', 'numpy', 'polars'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip() == "set()"


def test_processes_that_build_the_same_calendar_at_once_do_no_harm(tmp_path: Path) -> None:
    # Each with a lock of its own, as in processes of their own.
    several = [Calendars(tmp_path / "new" / "folder") for _ in range(2)]
    with ThreadPoolExecutor() as threads:
        one, other = threads.map(lambda calendars: calendars.of("XLON"), several)
    assert one == other
    (kept,) = (tmp_path / "new" / "folder").iterdir()
    assert kept.name.startswith("XLON-")


def test_without_a_folder_to_write_to_a_calendar_is_built_each_time(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    calendar = Calendars(file / "calendars").of("XLON")
    assert calendar.session_at(ns("2024-06-03T12:00Z")).close_ns == ns("2024-06-03T16:30+01:00")
    assert file.read_bytes() == b""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_that_somebody_else_put_there_is_not_believed(
    calendars: Calendars, calendar_folder: Path, tmp_path: Path
) -> None:
    true = calendars.of("XNYS")
    (built,) = calendar_folder.glob("XNYS-*")
    planted = tmp_path / built.name
    planted.write_text('{"opens_ns":[1],"closes_ns":[2],"dates":["1998-01-02"]}')
    os.chown(planted, 12345, 12345)
    assert Calendars(tmp_path).of("XNYS") == true


def test_by_default_they_are_kept_where_any_user_may_write() -> None:
    folder = default_folder()
    assert os.access(folder.parent, os.W_OK)
    assert str(os.geteuid()) in folder.name
