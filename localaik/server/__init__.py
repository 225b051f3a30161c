"""The HTTP face: the application, its routing, health and access log. Knows protocols, knows no translation."""
