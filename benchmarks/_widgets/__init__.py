"""Parts of the benchmark of widgets."""
