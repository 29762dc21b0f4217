"""Pure arithmetic over executions and an equity curve: one metric a file."""
