"""The wire protocols, one folder each, all of the same shape; none knows another."""
