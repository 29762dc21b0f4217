"""What can go wrong with a broker, sorted by what to do next.

    BrokerError
    ├─ OrderRefusedError      the caller's fault: this order will never be taken as it is. Reject it
    ├─ BrokerAwayError        nothing was done: try again later
    ├─ OutcomeUnknownError    it may have been done: ask by client order id before anything else
    └─ BrokerStoppedError     the credentials or the account don't work: a person must act

Nothing else leaves a connector. A message never holds credentials.
"""


class BrokerError(Exception):
    """`code` is stable, the message a sentence for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class OrderRefusedError(BrokerError):
    pass


class BrokerAwayError(BrokerError):
    pass


class OutcomeUnknownError(BrokerError):
    pass


class BrokerStoppedError(BrokerError):
    pass
