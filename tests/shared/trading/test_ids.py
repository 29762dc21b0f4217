import pickle
from uuid import UUID, uuid4, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.trading.changes import order_id_of
from shared.trading.ids import named_id, numbered_id


@given(st.uuids(), st.text())
def test_a_named_id_is_the_standard_one(namespace: UUID, name: str) -> None:
    encoded = name.encode("utf-8", "ignore")
    made, standard = named_id(namespace.bytes + encoded), uuid5(namespace, encoded.decode())
    assert (made, made.is_safe, hash(made)) == (standard, standard.is_safe, hash(standard))
    assert pickle.loads(pickle.dumps(made)) == standard


def test_an_orders_id_is_made_of_its_account_mode_and_client_order_id() -> None:
    account, namespace = uuid4(), UUID("6f1c2c5e-3a0b-4f57-9d1e-0b8f6f0c9a11")
    assert order_id_of(account, "paper", "a") == uuid5(namespace, f"{account}/paper/a")


def test_numbered_ids_differ_from_each_other_and_from_what_they_number() -> None:
    order_id = named_id(b"an order")
    numbered = [numbered_id(order_id, number) for number in (1, 2, 3, 2**48 - 1)]
    assert len({order_id, *numbered}) == 5
    assert numbered[0] == numbered_id(order_id, 1)


@pytest.mark.parametrize("number", [0, -1, 2**48])
def test_numbers_that_could_meet_another_things_id_are_refused(number: int) -> None:
    with pytest.raises(ValueError, match="48 bits"):
        numbered_id(uuid4(), number)
