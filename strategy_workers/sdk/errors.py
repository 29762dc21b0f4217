class StrategyError(Exception):
    """A strategy asked for what makes no sense, such as an order of zero shares."""
