"""Models behind the widgets: arrays in, arrays out, with no notebook and no browser."""
