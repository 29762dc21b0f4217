import pytest
from hypothesis import given
from hypothesis import strategies as st

from order_processor.shards.balance import to_return


@pytest.mark.parametrize(
    ("owned", "returned"),
    [
        ({"a": 4}, {}),
        ({"a": 4, "b": 0}, {"a": 2}),
        ({"a": 2, "b": 2}, {}),
        ({"a": 2, "b": 2, "c": 0}, {"a": 1}),
        ({"a": 3, "b": 1, "c": 1}, {"a": 1}),
        ({"a": 5, "b": 4, "c": 0}, {"a": 2, "b": 1}),
        ({"a": 1, "b": 0, "c": 0}, {}),
    ],
)
def test_who_has_two_more_than_another_returns_some(
    owned: dict[str, int], returned: dict[str, int]
) -> None:
    shards = sum(owned.values())
    assert {name: to_return(name, owned, shards) for name in owned} == {
        name: returned.get(name, 0) for name in owned
    }


def test_nothing_is_returned_while_a_shard_is_still_to_be_taken() -> None:
    assert to_return("a", {"a": 3, "b": 0}, 4) == 0


@given(st.lists(st.integers(0, 12), min_size=1, max_size=6))
def test_what_is_returned_is_what_the_others_lack(owned: list[int]) -> None:
    named = {str(number): count for number, count in enumerate(owned)}
    left = {name: count - to_return(name, named, sum(owned)) for name, count in named.items()}
    even, rest = divmod(sum(owned), len(owned))
    assert max(left.values()) <= even + (rest > 0)
    assert sum(named.values()) - sum(left.values()) == sum(
        max(0, even - count) for count in left.values()
    ) + max(0, rest - sum(count > even for count in left.values()))
