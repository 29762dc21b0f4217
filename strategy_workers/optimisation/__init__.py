"""Search for parameters: a study is a list of trials, each one backtest."""
