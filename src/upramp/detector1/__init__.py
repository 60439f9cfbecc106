"""Stage 1 on arrays: one module per correction, and the plan that fuses them."""
