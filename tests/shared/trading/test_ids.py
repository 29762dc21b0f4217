from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from shared.trading.ids import named_id


@given(st.uuids(), st.text())
def test_a_named_id_is_the_standard_one(namespace: UUID, name: str) -> None:
    encodable = name.encode("utf-8", "ignore").decode()
    assert named_id(namespace, encodable) == uuid5(namespace, encodable)
