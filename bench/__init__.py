"""Measurements of the server's own cost, without any model's: `python -m bench.overhead`, `.stream`, `.start`, `.pdf`.

Each takes `--quick`, prints a table and then one line of JSON, and exits with 0 unless something broke: a bar that is
missed is a finding, not a failure, since it depends on the machine.
"""
