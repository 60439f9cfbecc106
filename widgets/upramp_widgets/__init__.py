"""Widgets for up-the-ramp data: ramps, masks of cosmic rays, sky coordinates."""
