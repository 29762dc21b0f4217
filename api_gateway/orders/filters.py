"""What lists of orders, executions and entries can be narrowed down to. Times are market times."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query

from api_gateway.orders.schemas import OrderFilter
from api_gateway.values import MarketTime, Symbol
from shared.models.cash import EntryKind
from shared.models.orders import OrderType, Side

Start = Annotated[MarketTime | None, Query(description="At or after this time.")]
End = Annotated[MarketTime | None, Query(description="Before this time.")]


@dataclass(frozen=True)
class _OrderFilters:
    status: OrderFilter | None = None
    symbol: Symbol | None = None
    side: Side | None = None
    type: OrderType | None = None
    group_id: Annotated[UUID | None, Query(description="Of this group only.")] = None
    #: Of the order's submission.
    start: Start = None
    end: End = None


@dataclass(frozen=True)
class _ExecutionFilters:
    order_id: Annotated[UUID | None, Query(description="Of this order only.")] = None
    symbol: Symbol | None = None
    side: Side | None = None
    start: Start = None
    end: End = None


@dataclass(frozen=True)
class _LedgerFilters:
    kind: EntryKind | None = None
    start: Start = None
    end: End = None


OrderFilters = Annotated[_OrderFilters, Depends()]
ExecutionFilters = Annotated[_ExecutionFilters, Depends()]
LedgerFilters = Annotated[_LedgerFilters, Depends()]
