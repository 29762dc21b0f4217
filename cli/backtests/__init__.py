"""What the commands around backtests share. Nothing here talks to a server."""
