"""Two hubs that robots visit: the project's, and plain JupyterHub with the simple spawner."""
