"""Texts to vectors, free of any wire format; shared by all protocols."""
