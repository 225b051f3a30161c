"""What the embedded chat model is taught: one module per kind of exchange, mixed by `curriculum`."""
