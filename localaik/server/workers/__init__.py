"""Several processes behind one port: they share one engine, one store, one queue and one set of limits.

The parent has the listening sockets, the engines, and the desk, where the workers ask for what they share. It answers
no request itself.
"""
