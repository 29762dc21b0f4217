"""The certificate authorities that this process trusts."""

import ssl
from functools import cache

import httpx


@cache
def trusted_authorities() -> ssl.SSLContext:
    """One for all clients: each would read them anew, which takes 25 ms of the event loop's time.

    Settings of the environment don't change them.
    """
    return httpx.create_ssl_context(trust_env=False)
