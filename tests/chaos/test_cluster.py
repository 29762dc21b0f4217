"""The same with a Redis Cluster: streams, pacing, answers and frames live on several nodes."""

from shared.config import Settings
from tests.chaos.conftest import MakeWorld
from tests.redis_cluster import ClusterNode, wait_until_whole


async def test_nodes_of_a_redis_cluster_are_killed_and_come_back(
    world: MakeWorld,
    rounds: int,
    cluster_settings: Settings,
    redis_cluster: list[ClusterNode],
) -> None:
    async with world(settings=cluster_settings) as it:
        for _ in range(rounds):
            await it.some_time()
            victim = it.chance.choice(redis_cluster)
            await it.restart_valkey(empty=it.chance.random() < 0.5, server=victim)
            wait_until_whole(redis_cluster)
            await it.progress()
            await it.fills()
        await it.calm_down_and_check()
