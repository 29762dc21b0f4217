class UnknownExchangeError(ValueError):
    """There is no calendar for that exchange."""
