"""Stops servers that nobody uses; never one with a busy kernel, terminal or campaign.

``decisions`` judges, and is pure; ``answers`` reads what a server says of
itself, which its user can make say anything; ``asking`` talks with the hub
and with servers; ``rounds`` goes around.

A server belongs to its user, who sees all that it is sent. So the culler
never shows one its own token, with which all servers could be entered and
stopped, but a short-lived one of that same user, good for that server alone.
"""

from __future__ import annotations
