"""Each performance claim, as a command: ``python -m benchmarks`` prints one table."""
