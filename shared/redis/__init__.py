from shared.redis.client import make_redis

__all__ = ["make_redis"]
