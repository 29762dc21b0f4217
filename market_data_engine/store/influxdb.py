"""The candle store in InfluxDB: written through the 2.x API, read with InfluxQL.

Both work on 2.x and 3.x, and on 1.x behind a proxy that maps the one write path.
"""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import httpx
import msgspec
import structlog
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.dbrp_create import DBRPCreate
from influxdb_client.rest import ApiException
from influxdb_client.service.dbr_ps_service import DBRPsService
from urllib3.exceptions import HTTPError as TransportError

from market_data_engine.store.line_protocol import (
    COLUMNS,
    Row,
    grouped,
    line,
    select,
    stored_of,
)
from market_data_engine.store.store import Series, StoreAwayError, in_order
from market_data_engine.store.stored import StoredCandle
from shared.models.identifiers import Symbol, Timeframe
from shared.utils.tls import trusted_authorities

log = structlog.get_logger()

_LINES_A_REQUEST = 5000
#: What our lines are to blame for. Everything else (no access, no bucket, too busy) can be put
#: right over there, and the same lines then be written.
_REFUSED_FOR_GOOD = (400, 413, 422)


class InfluxRefusedError(Exception):
    """InfluxDB understood, and won't: trying again doesn't help."""


class _Series(msgspec.Struct):
    values: list[Row] = []


class _Result(msgspec.Struct):
    series: list[_Series] = []
    error: str | None = None


class _Answer(msgspec.Struct):
    results: list[_Result] = []
    error: str | None = None


class _Group(msgspec.Struct):
    tags: dict[str, Any]
    values: list[tuple[int, Any]]


class _Groups(msgspec.Struct):
    series: list[_Group] = []
    error: str | None = None


class _GroupedAnswer(msgspec.Struct):
    results: list[_Groups] = []
    error: str | None = None


A = TypeVar("A", _Answer, _GroupedAnswer)

_answer_decoder = msgspec.json.Decoder(_Answer)
_grouped_decoder = msgspec.json.Decoder(_GroupedAnswer)


class InfluxCandleStore:
    """Used from several threads at once."""

    def __init__(
        self, url: str, token: str | None, org: str, bucket: str, timeout_s: float
    ) -> None:
        self._org = org
        self._bucket = bucket
        self._client = InfluxDBClient(
            url=url, token=token or "", org=org, timeout=int(timeout_s * 1000)
        )
        self._lines = self._client.write_api(write_options=SYNCHRONOUS)
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Token {token}"} if token else {},
            timeout=timeout_s,
            verify=trusted_authorities(),
            trust_env=False,
        )
        self._preparing = threading.Lock()
        self._prepared = False

    def close(self) -> None:
        self._lines.close()
        self._client.close()
        self._http.close()

    def write(self, candles: Sequence[StoredCandle]) -> None:
        # Of two points with one key in a request it isn't said which one counts.
        latest = {
            (one.candle.symbol, one.candle.timeframe, one.candle.start_ns): one for one in candles
        }
        lines = [line(stored) for stored in latest.values()]
        self._prepare()
        for first in range(0, len(lines), _LINES_A_REQUEST):
            body = "\n".join(lines[first : first + _LINES_A_REQUEST])
            with _told_apart():
                self._lines.write(self._bucket, self._org, body.encode())

    def page(
        self,
        symbol: Symbol,
        timeframe: Timeframe,
        start_ns: int,
        end_ns: int | None,
        limit: int,
    ) -> list[StoredCandle]:
        rows = self._rows(select(COLUMNS, symbol, timeframe, start_ns, end_ns, limit))
        return [stored_of(row, symbol, timeframe) for row in rows]

    def last(
        self, symbol: Symbol, timeframe: Timeframe, before_ns: int | None, limit: int
    ) -> list[StoredCandle]:
        if limit == 0:  # to InfluxQL, that is no limit at all
            return []
        query = select(COLUMNS, symbol, timeframe, None, before_ns, limit, newest=True)
        return [stored_of(row, symbol, timeframe) for row in reversed(self._rows(query))]

    def series(self, symbol: str | None) -> list[Series]:
        found = []
        counts = self._grouped(grouped('count("close")', symbol))
        firsts = self._grouped(grouped('first("close")', symbol))
        lasts = self._grouped(grouped('last("close")', symbol))
        sources = self._grouped(grouped('distinct("source")', symbol))
        for key, [(_, candles)] in counts.items():
            # What was written between the queries is in a later answer.
            if key in firsts and key in lasts and key in sources:
                name, timeframe = key
                told = sorted(source for _, source in sources[key])
                span = firsts[key][0][0], lasts[key][0][0]
                found.append(Series(name, timeframe, candles, *span, told))
        return in_order(found)

    def _grouped(self, query: str) -> dict[tuple[str, Timeframe], list[tuple[int, Any]]]:
        """Rows of time and value by symbol and timeframe."""
        answer = self._answer(query, _grouped_decoder)
        return {
            (group.tags["symbol"], group.tags["timeframe"]): group.values
            for one in answer.results
            for group in one.series
        }

    def check(self) -> None:
        """Returns when the bucket can be read."""
        self._rows(select(COLUMNS, "", "1m", None, None, 1))

    def _rows(self, query: str) -> list[Row]:
        answer = self._answer(query, _answer_decoder)
        return [row for one in answer.results for series in one.series for row in series.values]

    def _answer(self, query: str, decoder: msgspec.json.Decoder[A]) -> A:
        self._prepare()
        try:
            response = self._http.get(
                "/query", params={"db": self._bucket, "q": query, "epoch": "ns"}
            )
        except httpx.TransportError as error:
            raise StoreAwayError(f"InfluxDB: {error!r}") from error
        if response.status_code != httpx.codes.OK:
            raise _failure(response.status_code, response.text)
        try:
            answer = decoder.decode(response.content)
        except msgspec.MsgspecError as error:
            raise StoreAwayError(f"What answers is not InfluxDB: {error}") from error
        if trouble := answer.error or next((one.error for one in answer.results), None):
            # With a query of ours that is sound, it is the database that isn't there (yet).
            raise StoreAwayError(f"InfluxDB: {trouble}")
        return answer

    def _prepare(self) -> None:
        """Once: InfluxDB 2.x shows a bucket to InfluxQL only where a mapping says so."""
        with self._preparing:
            if self._prepared:
                return
            try:
                version = self._http.get("/ping").headers.get("X-Influxdb-Version", "")
            except httpx.TransportError as error:
                raise StoreAwayError(f"InfluxDB: {error!r}") from error
            if version.removeprefix("v").startswith("2."):
                with _told_apart():
                    self._map_bucket()
            self._prepared = True

    def _map_bucket(self) -> None:
        mappings: Any = DBRPsService(self._client.api_client)
        if mappings.get_dbr_ps(org=self._org, db=self._bucket).content:
            return
        bucket = self._client.buckets_api().find_bucket_by_name(self._bucket)
        if bucket is None:
            raise StoreAwayError(f"InfluxDB: there is no bucket {self._bucket}")
        mappings.post_dbrp(
            DBRPCreate(
                org=self._org,
                bucket_id=bucket.id,
                database=self._bucket,
                retention_policy="autogen",
                default=True,
            )
        )
        log.info("influxdb_bucket_mapped", bucket=self._bucket)


@contextlib.contextmanager
def _told_apart() -> Iterator[None]:
    """What the client raises, as what we do about it."""
    try:
        yield
    except ApiException as error:
        raise _failure(error.status, str(error.body)) from error
    except (TransportError, OSError) as error:
        raise StoreAwayError(f"InfluxDB: {error!r}") from error


def _failure(status: int | None, text: str) -> Exception:
    sentence = f"InfluxDB answered {status}: {text[:500].strip()}"
    if status in _REFUSED_FOR_GOOD:
        return InfluxRefusedError(sentence)
    return StoreAwayError(sentence)
