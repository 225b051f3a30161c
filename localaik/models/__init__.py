"""Which file is which model, and which names are served."""
