from uuid import UUID, uuid4, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.trading.ids import named_id, numbered_id


@given(st.uuids(), st.text())
def test_a_named_id_is_the_standard_one(namespace: UUID, name: str) -> None:
    encodable = name.encode("utf-8", "ignore").decode()
    assert named_id(namespace, encodable) == uuid5(namespace, encodable)


def test_numbered_ids_differ_from_each_other_and_from_what_they_number() -> None:
    order_id = named_id(uuid4(), "an order")
    numbered = [numbered_id(order_id, number) for number in (1, 2, 3, 2**48 - 1)]
    assert len({order_id, *numbered}) == 5
    assert numbered[0] == numbered_id(order_id, 1)


@pytest.mark.parametrize("number", [0, -1, 2**48])
def test_numbers_that_could_meet_another_things_id_are_refused(number: int) -> None:
    with pytest.raises(ValueError, match="48 bits"):
        numbered_id(uuid4(), number)
