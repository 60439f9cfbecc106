"""The hub's own proxy: the commands and the interface of *configurable-http-proxy*.

JupyterHub drives it as it drives that one, so either may stand before a hub.
It is a process of its own that outlives the hub: what flows through it, flows
on while the hub is restarted. One role each:

routes
    Which server a path belongs to, and when it was last used.
headers
    What of a message's head is passed on.
web
    Requests and their responses, streamed both ways.
tunnel
    Websockets, byte for byte.
pages
    What a browser is shown where no server answers.
interface
    The routes over HTTP, for the hub alone.
main
    The command.

It speaks plain HTTP on all sides: TLS belongs to the web server before it, and
``internal_ssl`` and metrics to *configurable-http-proxy*. Asked for them, it
says so and does not start.
"""
