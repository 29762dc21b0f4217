"""What can go wrong here, by who reacts.

SubscriptionRefusedError    the client is told (an error frame), the topic isn't followed
ServiceAwayError            the client is told to try again later
"""


class SubscriptionRefusedError(Exception):
    """A topic can't be followed now, or by this client."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def unavailable() -> SubscriptionRefusedError:
    return SubscriptionRefusedError(
        "temporarily_unavailable", "The topic can't be read now. Try again shortly."
    )


class ServiceAwayError(Exception):
    """Something that decides who may see what does not answer."""
