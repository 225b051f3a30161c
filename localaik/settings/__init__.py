"""Every option once: its name, environment variable, flag, default and help text.

The environment variable is `LOCALAIK_` plus the field's name in capitals, the flag is `--` plus the name with
dashes. `load()` merges flags, variables, aliases and defaults. An empty variable counts as unset.
Times are in seconds, sizes in bytes. For limits, 0 switches the limit off unless the help text says otherwise.
"""

from localaik.settings.access import (
    SURFACES,
    is_loopback,
    normal_origin,
    read_hosts,
    read_keys,
    read_origins,
    split_hosts,
)
from localaik.settings.fields import SECRETS, SECTIONS, ChatProfile, PdfMode, Settings
from localaik.settings.loading import (
    ALIASES,
    ENV_PREFIX,
    TEST_PREFIX,
    LoadedSettings,
    SettingsError,
    allowed_values,
    flag_name,
    is_switch,
    limits,
    load,
    sections,
    variable_name,
)
from localaik.settings.rates import BUCKETS, RATE_ALIASES, Network, Rate, read_proxies, read_rates

__all__ = [
    "ALIASES",
    "BUCKETS",
    "ENV_PREFIX",
    "RATE_ALIASES",
    "SECRETS",
    "SECTIONS",
    "SURFACES",
    "TEST_PREFIX",
    "ChatProfile",
    "LoadedSettings",
    "Network",
    "PdfMode",
    "Rate",
    "Settings",
    "SettingsError",
    "allowed_values",
    "flag_name",
    "is_loopback",
    "is_switch",
    "limits",
    "load",
    "normal_origin",
    "read_hosts",
    "read_keys",
    "read_origins",
    "read_proxies",
    "read_rates",
    "sections",
    "split_hosts",
    "variable_name",
]
