"""Views: they translate between state and what a browser shows."""
