"""GET /rate-limits: how often each group of routes may be called."""

from typing import Final

from aiohttp import web

from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.protocols.contract import Services
from localaik.settings import BUCKETS, read_rates

__all__ = ["rate_limits"]

_UNLIMITED: Final = {"calls": 1_000_000, "seconds": 60, "enabled": False}
"""Numbers that clients can reckon with, as eGemma's always have some."""


async def rate_limits(_call: Call, services: Services) -> web.StreamResponse:
    """GET /rate-limits."""
    rates = read_rates(services.settings.rate_limits)
    return json_response({bucket: rates[bucket]._asdict() if bucket in rates else _UNLIMITED for bucket in BUCKETS})
