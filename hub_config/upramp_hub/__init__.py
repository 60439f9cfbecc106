"""A JupyterHub beside the archive: launcher, proxy, spawners, accounts, culler and robots.

`upramp_hub.launcher` starts it; ``jupyterhub_config.py`` beside this package is
what JupyterHub reads, with the reason for each choice.
"""
