"""The parts of the truth report: statistics, exposures, figure."""
