class StrategyError(Exception):
    """A strategy asked for what makes no sense, such as an order of zero shares."""


class ToldError(Exception):
    """A strategy failed elsewhere: the message is all there is to tell, no traceback of ours."""
