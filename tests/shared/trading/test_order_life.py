"""One test for each row of the table, and one for each pair that is not in it."""

from typing import get_args

import pytest

from shared.models.orders import OrderStatus
from shared.trading.orders import (
    TRANSITIONS,
    WORKING,
    IllegalTransitionError,
    Trigger,
    next_status,
)

STATES = (None, *get_args(OrderStatus))
LEGAL = {
    (None, "submit"): "new",
    ("new", "accept"): "accepted",
    ("new", "reject"): "rejected",
    ("new", "hold"): "held",
    ("held", "activate"): "accepted",
    ("held", "resize"): "held",
    ("held", "cancel"): "cancelled",
    ("held", "expire"): "expired",
    ("held", "replace"): "replaced",
    ("accepted", "resize"): "accepted",
    ("partially_filled", "resize"): "partially_filled",
    ("accepted", "trigger"): "accepted",
    ("accepted", "fill_part"): "partially_filled",
    ("accepted", "fill"): "filled",
    ("accepted", "cancel"): "cancelled",
    ("accepted", "expire"): "expired",
    ("accepted", "replace"): "replaced",
    ("partially_filled", "fill_part"): "partially_filled",
    ("partially_filled", "fill"): "filled",
    ("partially_filled", "cancel"): "cancelled",
    ("partially_filled", "expire"): "expired",
    ("partially_filled", "replace"): "replaced",
}


@pytest.mark.parametrize(("step", "after"), LEGAL.items(), ids=str)
def test_a_legal_step_leads_where_the_table_says(
    step: tuple[OrderStatus | None, Trigger], after: OrderStatus
) -> None:
    assert next_status(*step) == after


@pytest.mark.parametrize(
    "step",
    [
        (state, trigger)
        for state in STATES
        for trigger in get_args(Trigger)
        if (state, trigger) not in LEGAL
    ],
    ids=str,
)
def test_any_other_step_is_illegal(step: tuple[OrderStatus | None, Trigger]) -> None:
    with pytest.raises(IllegalTransitionError):
        next_status(*step)


def test_orders_that_have_ended_stay_so() -> None:
    assert {state for state, _ in TRANSITIONS if state is not None} == WORKING
