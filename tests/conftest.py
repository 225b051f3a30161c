"""What holds for every test."""

from hypothesis import HealthCheck, settings

# How fast a machine makes and tries examples decides nothing, least of all with several workers on it.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
