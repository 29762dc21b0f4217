"""Backtests that users ask for through the gateway, run by workers in processes of their own."""
