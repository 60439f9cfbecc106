"""Workers of the stage 1 benchmark: each way in a process of its own."""
